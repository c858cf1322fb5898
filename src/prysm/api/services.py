"""What the routes work with, wired once by the application."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from starlette.requests import ClientDisconnect

from prysm.errors import InvalidRequest, RequestTooLarge, UnsupportedMediaType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from starlette.requests import Request

    from prysm.api.responses_kept import Shelf
    from prysm.gateway import Gateway
    from prysm.proof.sealed import Sealed
    from prysm.registry.catalog import Catalog
    from prysm.store.feedback import Judged
    from prysm.telemetry import Telemetry


MOST_WAITING = 64

KeysDocument: TypeAlias = "dict[str, list[Mapping[str, Any]]]"
"""`/.well-known/prysm-keys.json`."""


class Receipts(Protocol):
    """Reads receipts back."""

    async def get(self, request_id: UUID) -> Sealed | None:
        """The receipt with its stages, or None."""
        ...

    async def ping(self) -> bool:
        """Whether the database answers, within a bounded time."""
        ...


class Feedback(Protocol):
    """Keeps what callers said of their answers."""

    async def put(self, request_id: UUID, score: float) -> bool | None:
        """Whether it replaced an earlier judgement; None when there is no such run."""
        ...

    async def outcomes(self, limit: int, after: int | None = None) -> Sequence[Judged]:
        """The newest judgements, older than `after`."""
        ...


class Place(Protocol):
    """Where a receipt stands in the log. Pending, it has only an `origin`; deleted, only an `index` besides."""

    @property
    def state(self) -> Literal["included", "pending", "deleted"]:
        """Deleted: the receipt is gone, and its leaf is left if it had one."""
        ...

    @property
    def origin(self) -> str:
        """The name of the log."""
        ...

    @property
    def index(self) -> int | None:
        """The number of its leaf, from 0."""
        ...

    @property
    def size(self) -> int | None:
        """How many leaves the checkpoint covers."""
        ...

    @property
    def inclusion(self) -> tuple[bytes, ...] | None:
        """The path from its leaf to the root of the checkpoint (RFC 6962, section 2.1.1)."""
        ...

    @property
    def note(self) -> str | None:
        """The checkpoint, signed."""
        ...


class Leaf(Protocol):
    """What the log holds at an index."""

    @property
    def hash(self) -> bytes:
        """The leaf hash, 32 bytes."""
        ...


class Log(Protocol):
    """Reads the log. `origin` names an older log than the one in use; what is not there is None."""

    async def place(self, request_id: UUID) -> Place | None:
        """Where a receipt stands; None for a run without one, and for receipts from before there was a log."""
        ...

    async def checkpoint(self, origin: str | None = None) -> str | None:
        """The newest checkpoint, signed."""
        ...

    async def consistency(self, old: int, new: int, origin: str | None = None) -> tuple[bytes, ...] | None:
        """That the first `new` leaves begin with the first `old`; None beyond the newest checkpoint."""
        ...

    async def tile(self, level: int, idx: int, width: int = 256, origin: str | None = None) -> bytes | None:
        """So many hashes of a tile, 32 bytes each (c2sp.org/tlog-tiles)."""
        ...

    async def entries(self, idx: int, width: int = 256, origin: str | None = None) -> bytes | None:
        """The entries under a tile of level 0, each after its length in two bytes."""
        ...

    async def leaf(self, index: int, origin: str | None = None) -> Leaf | None:
        """What stands at an index."""
        ...

    async def keys(self) -> Sequence[Mapping[str, Any]]:
        """Every key that the log announced, public halves only, one item for each key and log."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """The parts that answer requests."""

    gateway: Gateway
    catalog: Catalog
    receipts: Receipts
    feedback: Feedback
    log: Log
    telemetry: Telemetry
    body_limit: int
    shelf: Shelf | None = None
    """Where responses are kept; None keeps none."""
    spools: bool = False
    """Whether answers are given while the database is away, their receipts kept in files."""
    waiting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_WAITING))
    """Room for those who wait for the log: each asks the database ten times a second."""
    judging: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """Room for one receipt of a stranger's at a time: whoever sends it needs no key, and it costs CPU."""


def services(request: Request) -> Services:
    """The services of the application that serves `request`."""
    found: Services = request.app.state.services
    return found


async def keys_document(log: Log) -> KeysDocument:
    """Every public key of the gateway, as it publishes them."""
    return {"keys": list(await log.keys())}


async def read_body(request: Request, most: int | None = None) -> bytes:
    """The whole JSON body, at most the configured size and `most` bytes; refuses other types and compressed bodies."""
    sent: dict[bytes, bytes] = dict(request.scope["headers"])  # names come in lower case (ASGI)
    if sent.get(b"content-type", b"").partition(b";")[0].strip().lower() != b"application/json":
        raise UnsupportedMediaType("Send the body as JSON with `content-type: application/json`.")
    if sent.get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnsupportedMediaType("Compressed bodies are not accepted; send the JSON as it is.")
    configured = services(request).body_limit
    limit = configured if most is None else min(most, configured)
    declared = sent.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit, configured)
    return await _received(request, limit, configured)


async def _received(request: Request, limit: int, configured: int) -> bytes:
    """What the caller sends, chunk by chunk; raises `ClientDisconnect` when it hangs up meanwhile."""
    parts, size, more = [], 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
        if size > limit:
            raise _too_large(limit, configured)
    if not size:
        raise InvalidRequest("The body is empty; send a JSON object.")
    return b"".join(parts)


def _too_large(limit: int, configured: int) -> RequestTooLarge:
    more = (
        ", or raise [server] body_limit_mb in prysm.toml" if limit == configured else ": this route takes no more"
    )
    return RequestTooLarge(f"The body is over {limit / 1_000_000:g} MB. Send less{more}.")
