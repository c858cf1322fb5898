"""uvicorn's HTTP/1.1 protocol with fewer system calls: what an answer writes in one turn of the loop leaves at once.

uvicorn writes the head of an answer, its body and its end apart, and uvloop sends each as it comes. A write that wakes
the other side costs as much as planning a request. And who wants to know whether the caller hung up needs no task that
waits for it: the connection calls.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from prysm.api.cycle import Cycle

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


LINGER_S = 60.0
"""A reader who takes nothing of the end of an answer for so long, and at most twice that, is taken to be gone."""


CONNECTION = "prysm.connection"
"""Where a request's scope has its connection, where this protocol serves it."""
SAID = "prysm.headers"
"""Where a scope may have its headers by name, if none came twice: one look at them is enough for all who ask."""


class Protocol(HttpToolsProtocol):
    """One connection of a client."""

    _hung_up: Callable[[], object] | None = None
    _lost = False

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.scope[CONNECTION] = self  # type: ignore[literal-required] # a key of ours
        cycle.__class__ = Cycle  # uvicorn makes it, and does not ask of what class
        super()._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone, whoever ended it."""
        super().connection_lost(exc)
        self._lost = True
        self._tell()

    def call_when_lost(self, call: Callable[[], object] | None) -> None:
        """Whom to tell, at once or in the next turn, when the caller hangs up before the answer; None for nobody."""
        self._hung_up = call
        if call is not None and self._lost:
            self.loop.call_soon(self._tell)

    def _tell(self) -> None:
        if self._hung_up is not None:
            self._hung_up()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Write by turns from now on."""
        super().connection_made(cast("asyncio.Transport", ByTurns(transport)))


class ByTurns:
    """A transport that writes once a turn of the loop, in order; a reader who is slow is felt in the next turn."""

    __slots__ = ("_loop", "_transport", "_waiting")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._waiting: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write before this turn is over."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def close(self) -> None:
        """Write what waits, then close: once the reader has taken it, or takes nothing of it any more."""
        self._flush()
        self._transport.close()
        self._linger(None)

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._transport.is_closing()

    def _flush(self) -> None:
        if self._waiting:
            whole, self._waiting = b"".join(self._waiting), []
            if not self._transport.is_closing():
                self._transport.write(whole)

    def _linger(self, before: int | None) -> None:
        """Look whether the reader still takes something: `before` bytes were left the last time."""
        left = self._transport.get_write_buffer_size()
        if left and left == before:
            self._transport.abort()
        elif left:
            self._loop.call_later(LINGER_S, self._linger, left)
