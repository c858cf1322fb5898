"""A run as server-sent events: what every surface's stream has in common, and what one surface adds as a `Writer`."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import orjson

from prysm.api import cached
from prysm.api.ratelimit_headers import told
from prysm.core.events import Delta, Planned, StageFinished, ignore
from prysm.core.payer import FREELY
from prysm.gateway import CLIENT_GONE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping
    from uuid import UUID

    from starlette.types import Send

    from prysm.core.cache import Lookup
    from prysm.core.chat import Piece
    from prysm.core.events import Event, StageStarted
    from prysm.core.plan import ChatRequest, Plan
    from prysm.errors import PrysmError
    from prysm.gateway import Answer

HEARTBEAT_S = 5.0
STUCK_S = 60.0
"""A caller who takes nothing for so long, and at most twice that, is taken to be gone."""


class Writer(ABC):
    """How one surface writes a streamed answer: bytes for each thing that happens, empty for what it does not show.

    What ends the stream well carries the receipt, and is asked for only once that is durable.
    """

    heartbeat: ClassVar[bytes] = b": working\n\n"

    model = ""
    """Who answers: as planned until the first piece, which may come from a fallback."""

    @abstractmethod
    def planned(self, plan: Plan) -> bytes:
        """Before the first call."""

    @abstractmethod
    def progress(self, event: StageStarted | StageFinished) -> bytes:
        """A step began or ended."""

    @abstractmethod
    def piece(self, piece: Piece, choice: int) -> bytes:
        """The next piece of the answer."""

    @abstractmethod
    def ending(self, answer: Answer) -> bytes:
        """The end, with the receipt."""

    @abstractmethod
    def failure(self, error: PrysmError) -> bytes:
        """A run that failed after its first byte: what came before is not an answer."""


class EventStream:
    """Sends one streamed answer. The response starts with the first thing there is to say.

    A run of one model starts with its first piece, so a failure before it is an ordinary error answer; a run of
    several starts at once with a heartbeat.
    """

    def __init__(self, send: Send, request_id: UUID, request: ChatRequest, writer: Writer) -> None:
        self.started = False
        self._send = send
        self._request_id = request_id
        self._request = request
        self._writer = writer
        self._heartbeat: asyncio.Task[None] | None = None
        self._work = asyncio.current_task()
        self._stuck: asyncio.TimerHandle | None = None
        self._begun = self._written = 0
        self._admitted = FREELY
        self._cache: Lookup | None = None

    def emit(self, event: Event) -> Awaitable[None]:
        """Show one event."""
        if isinstance(event, Delta):
            writer = self._writer
            writer.model = event.model
            return self._write(writer.piece(event.piece, event.choice))
        if isinstance(event, Planned):
            self._admitted, self._cache = event.admitted, event.cache
            return self._planned(event.plan)
        return self._write(self._writer.progress(event)) if self._request.orchestrated else ignore(event)

    async def finish(self, answer: Answer) -> None:
        """The end, with the receipt."""
        await self._write(self._writer.ending(answer), last=True)

    async def fail(self, error: PrysmError) -> None:
        """An error event in place of the end."""
        await self._write(self._writer.failure(error), last=True)

    async def close(self) -> None:
        """Stop the heartbeat and the watch over the caller."""
        if self._stuck is not None:
            self._stuck.cancel()
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._heartbeat

    async def _planned(self, plan: Plan) -> None:
        self._writer.model = (plan.aggregator or plan.models[-1]).id
        opening = self._writer.planned(plan)
        if self._request.orchestrated:
            self._heartbeat = asyncio.create_task(self._beat())
            await self._write(self._writer.heartbeat + opening)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await self._write(self._writer.heartbeat)

    async def _write(self, data: bytes, *, last: bool = False) -> None:
        if not data:
            return
        if not self.started:
            self.started = True
            self._look_again()
            await self._send({"type": "http.response.start", "status": 200, "headers": self._headers()})
        self._begun += 1
        await self._send({"type": "http.response.body", "body": data, "more_body": not last})
        self._written += 1

    def _look_again(self) -> None:
        self._stuck = asyncio.get_running_loop().call_later(STUCK_S, self._look, self._written)

    def _look(self, written: int) -> None:
        """Hang up on a caller who reads nothing: while a write waits for him, nothing else bounds the run."""
        if self._begun != self._written == written and self._work is not None:
            self._work.cancel(CLIENT_GONE)
        else:
            self._look_again()

    def _headers(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
            (b"x-prysm-proof-url", f"/v1/proof/{self._request_id}".encode()),
            *told(self._admitted),
            *cached.headers(self._cache),
        ]


def data(value: Mapping[str, Any]) -> bytes:
    """One event without a name."""
    return b"data: " + orjson.dumps(value) + b"\n\n"


def event(name: str, value: Mapping[str, Any]) -> bytes:
    """One named event."""
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(value) + b"\n\n"
