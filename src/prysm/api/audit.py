"""What administrators did, for administrators: each action with its place in the proof log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID  # noqa: TC003 - FastAPI reads the annotation at run time

from fastapi import APIRouter, Query
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time

from prysm.api import documented
from prysm.api.receipt_document import log_of
from prysm.api.services import services
from prysm.api.tenants import reach
from prysm.errors import InvalidRequest, NotFound
from prysm.proof.audited import event_document, told

if TYPE_CHECKING:
    from prysm.api.services import RecordedEvent

router = APIRouter(tags=["Audit"])


@router.get("/v1/audit", responses=documented.refusals(401, 403, 422, 503))
async def listed(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[UUID | None, Query(description="The id of the last event seen.")] = None,
) -> dict[str, Any]:
    """What administrators did, newest first: root sees everything, an admin what concerns its organisation."""
    audit, org = services(request).audit, reach(request)
    if after is not None and await audit.event(after, org) is None:
        raise InvalidRequest("There is no event of the id 'after': give the last id that you saw.", param="after")
    found = await audit.events(limit + 1, org, after)
    return {"object": "list", "data": [_item(event) for event in found[:limit]], "has_more": len(found) > limit}


@router.get("/v1/audit/{event_id}", responses=documented.refusals(401, 403, 404, 422, 503))
async def one(request: Request, event_id: UUID) -> dict[str, Any]:
    """One event with its statement and the proof that the log holds it: `prysm audit verify` checks it offline."""
    parts = services(request)
    found = await parts.audit.event(event_id, reach(request))
    if found is None:
        raise NotFound("There is no such event: GET /v1/audit lists them.", param="event_id")
    return event_document(found.body, log_of(await parts.log.event_place(event_id)))


def _item(event: RecordedEvent) -> dict[str, Any]:
    place = None if event.index is None else {"origin": event.origin, "index": event.index}
    return {"object": "audit_event", **told(event.body), "log": place}
