"""Receipts, recomputed at the moment they are asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias
from uuid import UUID

import orjson
from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import PlainTextResponse, Response

from prysm.api import documented, receipt_document
from prysm.api.services import keys_document, read_body, services
from prysm.api.verification import MOST_BYTES, judged
from prysm.errors import NotFound, ProofDeleted
from prysm.proof import written

if TYPE_CHECKING:
    from prysm.api.services import Log, Place, Services
    from prysm.errors import PrysmError

router = APIRouter(tags=["Proofs"])

POLL_S = 0.1
"""The log takes receipts up about five times a second."""
MOST_WAIT_S = 10
_ID_LENGTHS = (36, 32)
_VARIES = {"vary": "accept"}
_GONE: dict[int | str, dict[str, Any]] = {
    410: {
        "description": "The receipt was deleted; `index` and `leaf` are what the log still shows of it.",
        "content": {"application/json": {"schema": documented.ERROR}},
    }
}
_RECEIPT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The receipt; as plain text, the proof of its place in the log (c2sp.org/tlog-proof).",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/plain": {"schema": {"type": "string"}},
        },
    }
}
_TO_VERIFY = {
    "description": "A receipt as `GET /v1/proof/{id}` gives it, with all that stands beside it. Whatever is sent is "
    "judged: what is no receipt fails the check or is refused.",
    "properties": {
        "proof": {"description": "With `envelope` and `proof_hash`."},
        "stages": {"description": "A list of the answers of `/v1/proof/{id}/stages/{i}`."},
        "keys": {"description": "A keys document; default: this gateway's own."},
        "openings": {"description": "`prysm.openings` of the answer."},
        "texts": {"description": "`prompt` (the messages) and `answer` (its text) to be opened."},
    },
}
Wait: TypeAlias = Annotated[
    float,
    Query(ge=0, le=MOST_WAIT_S, allow_inf_nan=False, description="Seconds to wait for the log to take it up."),
]


@router.post(
    "/v1/proof/verify",
    responses=documented.refusals(413, 415, 422, 503),
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": _TO_VERIFY}}},
    },
)
async def verify(request: Request) -> dict[str, Any]:
    """Check a receipt, for convenience: this server's word proves nothing to a stranger, an offline check does."""
    raw, parts = await read_body(request, MOST_BYTES), services(request)
    ours = await keys_document(parts.log)
    async with parts.judging:
        return await asyncio.to_thread(judged, raw, ours)


@router.get("/v1/proof/verify", include_in_schema=False)
async def not_read() -> None:
    """Keep `verify` from being taken for the id of a run."""
    raise HTTPException(405, headers={"allow": "POST"})


@router.get(
    "/v1/proof/{request_id}",
    response_class=Response,
    responses=_RECEIPT | documented.refusals(404, 422, 503) | _GONE,
)
async def proof(request: Request, request_id: str, wait: Wait = 0) -> Response:
    """The receipt of a run, with a check of it made now. Needs no key: the id cannot be guessed.

    The log takes a receipt up a moment after the answer; until then `proof.log.state` is `pending`, and
    `Accept: text/plain` is answered with 503 and Retry-After.
    """
    parts, wanted = services(request), parsed_id(request_id)
    sealed, place, keys = await asyncio.gather(
        parts.receipts.get(wanted), _place(parts, wanted, wait), keys_document(parts.log)
    )
    if sealed is None or (place is not None and place.state == "deleted"):
        raise await _gone(parts.log, place)
    if _wants_text(request):
        return PlainTextResponse(receipt_document.text(sealed, place), headers=_VARIES)
    body = orjson.dumps(receipt_document.document(sealed, place, keys))
    return Response(body, media_type="application/json", headers=_VARIES)


@router.get("/v1/proof/{request_id}/stages/{i}", responses=documented.refusals(404, 422, 503) | _GONE)
async def stage(request: Request, request_id: str, i: int) -> dict[str, Any]:
    """The canonical bytes of one stage, so that anyone can hash them."""
    parts, wanted = services(request), parsed_id(request_id)
    sealed = await parts.receipts.get(wanted)
    if sealed is None:
        raise await _gone(parts.log, await parts.log.place(wanted))
    if sealed.pruned is not None:
        raise NotFound(
            f"The stages of this run are pruned, as are those of all runs before {sealed.pruned:%Y-%m-%d}: [retention] "
            "in prysm.toml says for how long they are kept. The receipt stays, and holds their digests.",
            code="proof_not_found",
        )
    if not 0 <= i < len(sealed.stages):
        raise NotFound(f"This receipt has {len(sealed.stages)} stages, numbered from 0.", code="proof_not_found")
    return {"request_id": str(sealed.request_id)} | written.stage(i, sealed.stages[i])


async def _place(parts: Services, request_id: UUID, wait_s: float) -> Place | None:
    """Where the receipt stands: once the log has it, when the wait is over, or at once where too many wait."""
    place = await parts.log.place(request_id)
    if parts.waiting.locked() or not wait_s:
        return place
    clock = asyncio.get_running_loop().time
    until = clock() + wait_s
    async with parts.waiting:
        while place is not None and place.state == "pending" and (left_s := until - clock()) > 0:
            await asyncio.sleep(min(POLL_S, left_s))  # no connection is held meanwhile
            place = await parts.log.place(request_id)
    return place


async def _gone(log: Log, place: Place | None) -> PrysmError:
    """The refusal of a receipt that is not there, or not there any more."""
    if place is None or place.state != "deleted":
        return no_receipt()
    leaf = None if place.index is None else await log.leaf(place.index, place.origin)
    return ProofDeleted(
        "This receipt was deleted. Its leaf stays in the log, under 'index'.",
        place.index,
        leaf.hash if leaf else None,
    )


def _wants_text(request: Request) -> bool:
    """Whether `accept` names plain text and not JSON; who takes anything gets JSON."""
    accepted = {part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")}
    return "text/plain" in accepted and "application/json" not in accepted


def parsed_id(request_id: str) -> UUID:
    """The id of a run as callers write it, with or without `prysm-`; raises `NotFound` for what can be none."""
    bare = request_id.removeprefix("prysm-")
    try:
        if len(bare) in _ID_LENGTHS:
            return UUID(bare)
    except ValueError:
        pass
    raise no_receipt()


def no_receipt() -> NotFound:
    """The refusal of an id without a receipt."""
    return NotFound(
        "There is no receipt under this id. Use the `request_id` of an answer, with or without `prysm-`.",
        code="proof_not_found",
    )
