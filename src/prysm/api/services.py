"""What the routes work with, wired once by the application."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from starlette.requests import ClientDisconnect

from prysm.api.incoming import incoming
from prysm.api.one_write import SAID
from prysm.api.unkept import forbids_keeping
from prysm.errors import InvalidRequest, RequestTooLarge, UnsupportedMediaType

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence
    from uuid import UUID

    from starlette.requests import Request
    from starlette.types import Message

    from prysm.accounts.directory import Directory
    from prysm.accounts.provider_keys import OwnKeys
    from prysm.api.replays import Replays
    from prysm.api.responses_kept import Shelf
    from prysm.core.caller import Caller, Limits
    from prysm.core.payer import Meter
    from prysm.gateway import Gateway
    from prysm.proof.sealed import Sealed
    from prysm.registry.catalog import Catalog
    from prysm.store.budgets import BudgetStore
    from prysm.store.credits import CreditStore
    from prysm.store.feedback import Judge, Judged
    from prysm.store.keys import KeyStore
    from prysm.store.provider_keys import ProviderKeyStore
    from prysm.store.tenants import TenantStore
    from prysm.store.usage import UsageStore
    from prysm.telemetry import Telemetry


JSON = b"application/json"
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

    async def put(self, request_id: UUID, score: float, by: Judge) -> bool | None:
        """Whether it replaced an earlier judgement; None when there is no such run. Raises Forbidden."""
        ...

    async def outcomes(self, limit: int, after: int | None, by: Judge) -> Sequence[Judged]:
        """The newest judgements that `by` may see, older than `after`."""
        ...


class RecordedEvent(Protocol):
    """An action of an administrator, as it was sealed."""

    @property
    def body(self) -> bytes:
        """Its statement."""
        ...

    @property
    def origin(self) -> str | None:
        """The log that holds it; None while it waits."""
        ...

    @property
    def index(self) -> int | None:
        """The number of its leaf."""
        ...


class Audit(Protocol):
    """Reads what administrators did. `org`: only what its own may read; None is all."""

    async def event(self, wanted: UUID, org: UUID | None = None) -> RecordedEvent | None:
        """One event."""
        ...

    async def events(
        self, limit: int, org: UUID | None = None, after: UUID | None = None
    ) -> Sequence[RecordedEvent]:
        """The newest, older than `after`."""
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

    async def event_place(self, event: UUID) -> Place | None:
        """Where an action of an administrator stands."""
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


class Rates(Protocol):
    """Counts what makes no run."""

    async def request(self, limits: tuple[Limits, ...]) -> tuple[Meter, ...]:
        """Take one request; what is left of each limit. Raises RateLimited."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """The parts that answer requests."""

    gateway: Gateway
    catalog: Catalog
    receipts: Receipts
    feedback: Feedback
    log: Log
    audit: Audit
    directory: Directory
    keys: KeyStore
    tenants: TenantStore
    usage: UsageStore
    budgets: BudgetStore
    credits: CreditStore
    provider_keys: ProviderKeyStore
    own: OwnKeys
    telemetry: Telemetry
    body_limit: int
    replays: Replays
    rates: Rates
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
    found: Services = request.scope["app"].state.services
    return found


def caller(request: Request) -> Caller:
    """Who asks, as the edge found out."""
    found: Caller = request.scope["state"]["caller"]
    return found


async def keys_document(log: Log) -> KeysDocument:
    """Every public key of the gateway, as it publishes them."""
    return {"keys": list(await log.keys())}


def read_body(request: Request, most: int | None = None) -> Awaitable[bytes]:
    """The whole JSON body, at most the configured size and `most` bytes; refuses other types and compressed bodies."""
    scope = request.scope
    sent: dict[bytes, bytes] = scope.get(SAID) or dict(scope["headers"])  # names come in lower case (ASGI)
    kind = sent.get(b"content-type", b"")
    if kind != JSON and kind.partition(b";")[0].strip().lower() != JSON:
        raise UnsupportedMediaType("Send the body as JSON with `content-type: application/json`.")
    if sent.get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnsupportedMediaType("Compressed bodies are not accepted; send the JSON as it is.")
    return _body(request, sent.get(b"content-length", b""), most, may_be_empty=False)


async def raw_body(request: Request, most: int | None = None) -> bytes:
    """What the caller sends, within the same limits; raises `ClientDisconnect` when it hangs up meanwhile."""
    declared = next((value for name, value in request.scope["headers"] if name == b"content-length"), b"")
    return await _body(request, declared, most, may_be_empty=True)


async def _body(request: Request, declared: bytes, most: int | None, *, may_be_empty: bool) -> bytes:
    configured = services(request).body_limit
    limit = configured if most is None else min(most, configured)
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit, configured)
    message = await request.receive()
    body = _part(message)
    if len(body) > limit:
        raise _too_large(limit, configured)
    if message.get("more_body", False):  # most come at once
        body = await _with_the_rest(request, body, limit, configured)
    if not body and not may_be_empty:
        raise InvalidRequest("The body is empty; send a JSON object.")
    state = request.scope["state"]
    if state.get("client_request_id") is not None and forbids_keeping(body):
        state["client_request_id"] = None  # it is text of the caller's, and not to be logged
    return body


async def _with_the_rest(request: Request, part: bytes, limit: int, configured: int) -> bytes:
    more = True
    keyless = "caller" not in request.scope["state"]
    parts, size = [part], 0
    try:
        while True:
            incoming.take(len(part), keyless=keyless)
            size += len(part)
            if not more:
                return b"".join(parts)
            message = await request.receive()
            part, more = _part(message), message.get("more_body", False)
            if size + len(part) > limit:
                raise _too_large(limit, configured)
            parts.append(part)
    finally:
        incoming.give_back(size, keyless=keyless)


def _part(message: Message) -> bytes:
    """What came of a body."""
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    part: bytes = message.get("body", b"")
    return part


def _too_large(limit: int, configured: int) -> RequestTooLarge:
    more = (
        ", or raise [server] body_limit_mb in prysm.toml" if limit == configured else ": this route takes no more"
    )
    return RequestTooLarge(f"The body is over {limit / 1_000_000:g} MB. Send less{more}.")
