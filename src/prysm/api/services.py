"""What the routes work with, wired once by the application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from starlette.requests import ClientDisconnect

from prysm.errors import InvalidRequest, RequestTooLarge, UnsupportedMediaType

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from starlette.requests import Request

    from prysm.api.responses_kept import Shelf
    from prysm.gateway import Gateway
    from prysm.proof.sealed import Sealed
    from prysm.registry.catalog import Catalog
    from prysm.store.feedback import Judged
    from prysm.telemetry import Telemetry


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


@dataclass(frozen=True, slots=True)
class Services:
    """The parts that answer requests."""

    gateway: Gateway
    catalog: Catalog
    receipts: Receipts
    feedback: Feedback
    telemetry: Telemetry
    body_limit: int
    shelf: Shelf | None = None
    """Where responses are kept; None keeps none."""


def services(request: Request) -> Services:
    """The services of the application that serves `request`."""
    found: Services = request.app.state.services
    return found


async def read_body(request: Request) -> bytes:
    """The whole JSON body, at most the configured size; refuses other types and compressed bodies."""
    sent: dict[bytes, bytes] = dict(request.scope["headers"])  # names come in lower case (ASGI)
    if sent.get(b"content-type", b"").partition(b";")[0].strip().lower() != b"application/json":
        raise UnsupportedMediaType("Send the body as JSON with `content-type: application/json`.")
    if sent.get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnsupportedMediaType("Compressed bodies are not accepted; send the JSON as it is.")
    limit = services(request).body_limit
    declared = sent.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    return await _received(request, limit)


async def _received(request: Request, limit: int) -> bytes:
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
            raise _too_large(limit)
    if not size:
        raise InvalidRequest("The body is empty; send a JSON object.")
    return b"".join(parts)


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(
        f"The body is over {limit / 1_000_000:g} MB. Send less, or raise [server] body_limit_mb in prysm.toml."
    )
