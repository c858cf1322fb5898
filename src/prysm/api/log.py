"""The log for strangers: checkpoints, tiles and entries (c2sp.org/tlog-tiles), consistency proofs, and the keys."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Query
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import JSONResponse, PlainTextResponse, Response

from prysm.api import documented
from prysm.api.services import keys_document, services
from prysm.errors import InvalidRequest, NotFound
from prysm.proof.defect import Defect
from prysm.proof.strict import to_base64
from prysm.proof.tiles import parse_tile_path

router = APIRouter(tags=["Log"])

LEVELS = frozenset("01234567")
"""A log of 2^63 leaves has no more levels than these."""
FOREVER = {"cache-control": "public, max-age=31536000, immutable"}
FOR_A_MINUTE = {"cache-control": "public, max-age=60"}
"""What the address does not bind to one log: the one in use is another once the database went back in time."""
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"description": "Hashes of 32 bytes, or entries.", "content": {"application/octet-stream": {}}}
}
_NOTE: dict[int | str, dict[str, Any]] = {
    200: {"description": "A signed note.", "content": {"text/plain": {"schema": {"type": "string"}}}}
}

Origin: TypeAlias = Annotated[
    str | None,
    Query(pattern="^prysm/[0-9a-f]{32}$", description="An older log of this database; default: the one in use."),
]


@router.head("/v1/log/checkpoint", include_in_schema=False)
@router.get(
    "/v1/log/checkpoint", response_class=PlainTextResponse, responses=_NOTE | documented.refusals(404, 422, 503)
)
async def checkpoint(request: Request, origin: Origin = None) -> Response:
    """The newest checkpoint of the log: its size and root, signed (c2sp.org/tlog-checkpoint)."""
    return PlainTextResponse(await _checkpoint(request, origin), headers={"cache-control": "no-cache"})


@router.head("/v1/log/tile/{path:path}", include_in_schema=False)
@router.get(
    "/v1/log/tile/{path:path}", response_class=Response, responses=_BYTES | documented.refusals(404, 422, 503)
)
async def tile(request: Request, path: str, origin: Origin = None) -> Response:
    """Hashes (`LEVEL/x001/234`, `….p/WIDTH`) or entries (`entries/x001/234`) of the log (c2sp.org/tlog-tiles)."""
    kind, _, rest = path.partition("/")
    try:
        idx, width = parse_tile_path(rest)
    except Defect as error:
        raise _no_tile() from error
    log, found = services(request).log, None
    if kind == "entries":
        found = await log.entries(idx, width, origin)
    elif kind in LEVELS:
        found = await log.tile(int(kind), idx, width, origin)
    if found is None:
        raise _no_tile()
    return Response(found, media_type="application/octet-stream", headers=FOREVER if origin else FOR_A_MINUTE)


@router.get("/v1/log/proof/consistency", responses=documented.refusals(404, 422, 503))
async def consistency(
    request: Request,
    old: Annotated[int, Query(alias="from", description="The smaller size: of a checkpoint you remember.")],
    new: Annotated[int, Query(alias="to", description="The larger size, up to that of the newest checkpoint.")],
    origin: Origin = None,
) -> dict[str, Any]:
    """The proof that the log of `to` leaves begins with the log of `from` leaves (RFC 6962, section 2.1.2)."""
    note = await _checkpoint(request, origin)
    named, size, _ = note.split("\n", 2)
    if not 0 <= old <= new <= int(size):
        raise InvalidRequest(
            f"'from' and 'to' are sizes of the log with 0 <= from <= to <= {size}, which its newest checkpoint covers.",
            param="from" if new <= int(size) else "to",
        )
    found = await services(request).log.consistency(old, new, named)
    if found is None:
        raise _no_log()
    return {"origin": named, "from": old, "to": new, "proof": [to_base64(node) for node in found]}


@router.head("/.well-known/prysm-keys.json", include_in_schema=False)
@router.get("/.well-known/prysm-keys.json", responses=documented.refusals(503))
async def keys(request: Request) -> Response:
    """The public keys, each with the leaves of the log between which it is good. Keep a copy: pin it, and compare."""
    return JSONResponse(await keys_document(services(request).log), headers=FOR_A_MINUTE)


async def _checkpoint(request: Request, origin: str | None) -> str:
    note = await services(request).log.checkpoint(origin)
    if note is None:
        raise _no_log()
    return note


def _no_log() -> NotFound:
    return NotFound("There is no such log here: leave 'origin' out for the one in use.", param="origin")


def _no_tile() -> NotFound:
    return NotFound(
        "The log has no such tile. /v1/log/checkpoint tells its size; c2sp.org/tlog-tiles how tiles are addressed."
    )
