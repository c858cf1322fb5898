"""uvicorn's HTTP/1.1 protocol with fewer system calls: what an answer writes in one turn of the loop leaves at once.

uvicorn writes the head of an answer, its body and its end apart, and uvloop sends each as it comes. A write that wakes
the other side costs as much as planning a request.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from typing import Any


LINGER_S = 60.0
"""A reader who takes nothing of the end of an answer for so long, and at most twice that, is taken to be gone."""


class Protocol(HttpToolsProtocol):
    """One connection of a client."""

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
