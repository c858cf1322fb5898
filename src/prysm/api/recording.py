"""An answer taken down as it leaves, so that it can be given again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Message, Scope, Send

REPLAYED = (b"idempotent-replayed", b"true")


@dataclass(frozen=True, slots=True)
class Recorded:
    """An answer, without the headers that the edge puts on each. `path` is that of its route."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes = field(repr=False)
    path: str

    def dumped(self) -> bytes:
        """What `loaded` reads: a line of JSON, then the body."""
        named = [[str(name, "latin-1"), str(value, "latin-1")] for name, value in self.headers]
        return orjson.dumps([self.status, self.path, named]) + b"\n" + self.body

    @classmethod
    def loaded(cls, dumped: bytes) -> Recorded:
        """What was dumped."""
        line, _, body = dumped.partition(b"\n")
        status, path, named = orjson.loads(line)
        return cls(
            status, tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in named), body, path
        )

    def header(self, name: bytes) -> bytes | None:
        """A header by its lower-case name."""
        return next((value for known, value in self.headers if known.lower() == name), None)

    async def replay(self, scope: Scope, send: Send) -> None:
        """Give it again, and say so."""
        scope["route"] = self  # whose path it is counted under
        headers = [*self.headers, REPLAYED]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class Recorder:
    """Passes an answer on while it takes it down; the last of it leaves once `ended` has returned.

    `started`: some of it has left. `over`: the end came; what is sent from then on is passed on as it is.
    """

    __slots__ = ("_ended", "_head", "_headers", "_parts", "_scope", "_send", "_status", "over", "started")

    def __init__(self, scope: Scope, send: Send, ended: Callable[[Recorded], Awaitable[None]]) -> None:
        self.started = self.over = False
        self._scope = scope
        self._send = send
        self._ended = ended
        self._head: Message | None = None
        self._status = 0
        self._headers: tuple[tuple[bytes, bytes], ...] = ()
        self._parts: list[bytes] = []

    async def send(self, message: Message) -> None:
        """Take down and pass on. The head waits for the first of the body: until then, there can be another."""
        if message["type"] == "http.response.start":
            self._head, self._status = message, message["status"]
            self._headers = tuple((bytes(name), bytes(value)) for name, value in message.get("headers", ()))
            return
        if not self.over:
            self._parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                self.over = True
                await self._ended(self._recorded())
        if self._head is not None:
            head, self._head, self.started = self._head, None, True
            await self._send(head)
        await self._send(message)

    def _recorded(self) -> Recorded:
        path: str = getattr(self._scope.get("route"), "path", "unmatched")
        return Recorded(self._status, self._headers, b"".join(self._parts), path)
