"""`/v1/credits`: what an organisation paid in advance, and the ledger of where it went. Amounts are decimal strings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Query
from pydantic import AfterValidator, Field
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time

from prysm.api import documented, parse
from prysm.api.keys_body import Name, printable
from prysm.api.money import exact, nano_of
from prysm.api.services import caller, read_body, services
from prysm.api.tenants import Page, organisation_of, spelled
from prysm.errors import InvalidRequest
from prysm.store.audit import Event
from prysm.store.credits import Booking, Kind

if TYPE_CHECKING:
    from prysm.store.credits import Balances, Entry

router = APIRouter(tags=["Credits"])
REFUSALS = (401, 403, 404, 413, 415, 422, 503)

Usd = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Note = Annotated[str, Field(max_length=500), AfterValidator(printable)]


class BookingBody(parse.Strict):
    """`POST /v1/credits`. An adjustment may be below 0, never below what the organisation has left."""

    organisation: Name
    amount_usd: Usd
    kind: Kind
    note: Note | None = None


@router.post("/v1/credits", status_code=201, **documented.body(BookingBody, *REFUSALS))
async def book(request: Request) -> dict[str, Any]:
    """Give an organisation credits, or take some back; they never expire."""
    body = parse.read(BookingBody, await read_body(request))
    nano = nano_of(body.amount_usd, "amount_usd")
    if nano == 0 or (nano < 0 and body.kind != "adjust"):
        raise InvalidRequest("'amount_usd': give more than 0; only an 'adjust' may be below.", param="amount_usd")
    org = await organisation_of(request, body.organisation)
    booking = Booking(uuid4(), body.kind, nano, body.note)
    told = {"id": str(booking.id), "kind": booking.kind, "amount_usd": exact(nano), "note": booking.note}
    event = Event.by(caller(request), "credits.book", str(org), told, org)
    if not await services(request).credits.book(event, org, booking):
        raise InvalidRequest(
            "There are not so many credits to take: GET /v1/credits tells what is left.", param="amount_usd"
        )
    balance = _balance(await services(request).credits.balances(org))
    return {"object": "booking", **told, "organisation": str(org), "balance": balance}


@router.get("/v1/credits", responses=documented.refusals(401, 403, 404, 422, 503))
async def ledger(
    request: Request,
    organisation: Annotated[Name | None, Query(description="By name or id; else the key's own.")] = None,
    limit: Page = 100,
    after: Annotated[int | None, Query(ge=1, lt=2**63, description="The id of the last entry seen.")] = None,
) -> dict[str, Any]:
    """What an organisation has left and has spent, and its ledger, newest first: every hold, charge and payment."""
    org = await organisation_of(request, organisation)
    kept = services(request).credits
    found = await kept.entries(org, limit + 1, after)
    return {
        "object": "credits",
        "organisation": str(org),
        "balance": _balance(await kept.balances(org)),
        "entries": [_entry(one) for one in found[:limit]],
        "has_more": len(found) > limit,
    }


def _balance(balances: Balances) -> dict[str, str]:
    return {
        "credits_usd": exact(balances.credits_nano),
        "held_usd": exact(balances.held_nano),
        "spent_usd": exact(balances.spent_nano),
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "kind": entry.kind,
        "from": entry.source,
        "to": entry.target,
        "amount_usd": exact(entry.amount_nano),
        "request_id": None if entry.request_id is None else str(entry.request_id),
        "note": entry.note,
        "made_at": spelled(entry.made_at),
    }
