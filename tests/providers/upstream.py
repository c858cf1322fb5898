"""A scripted model server over loopback: it answers with exactly the bytes a test tells it to."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Act(Enum):
    """What a server can do besides sending bytes."""

    CLOSE = "close the connection in good order"
    RESET = "drop the connection with a TCP reset"
    HANG = "say nothing until the client goes away"


Step: TypeAlias = bytes | float | Act | threading.Event
"""Bytes to send, seconds to wait, an act, or what a test will set when it goes on."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came over the wire; header names in lower case."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)


@dataclass(slots=True)
class Upstream:
    """Plays `steps` for every request, keeps the connection open after them, and remembers what it saw."""

    url: str = ""
    steps: tuple[Step, ...] = ()
    turns: list[tuple[Step, ...]] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    poured: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def plays(self, *steps: Step) -> None:
        """Script the answer to every request from now on."""
        self.steps, self.turns, self.poured = steps, [], 0

    def plays_in_turn(self, *turns: tuple[Step, ...]) -> None:
        """Script the answers to the next requests, one each."""
        self.turns = list(turns)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until either side closes it."""
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                self.seen.append(await _read(reader))
                if not await self._play(reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.set()
        self._writers.discard(writer)
        writer.close()

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        for step in self.turns.pop(0) if self.turns else self.steps:
            match step:
                case bytes():
                    writer.write(step)
                    await writer.drain()
                    self.poured += len(step)
                case float() | int():
                    await asyncio.sleep(step)
                case threading.Event():
                    await asyncio.to_thread(step.wait, 5)
                case Act.CLOSE:
                    return False
                case Act.RESET:
                    writer.transport.abort()
                    return False
                case Act.HANG:
                    await reader.read()
                    self.left.set()
                    return False
        return True

    def drop_all(self) -> None:
        """Cut every open connection."""
        for writer in self._writers:
            writer.transport.abort()


U = TypeVar("U", bound=Upstream)


@asynccontextmanager
async def running() -> AsyncIterator[Upstream]:
    """Serve on a free port of the loopback interface."""
    async with serving(Upstream()) as upstream:
        yield upstream


@asynccontextmanager
async def serving(upstream: U) -> AsyncIterator[U]:
    """Serve this one on a free port of the loopback interface."""
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield upstream
    finally:
        server.close()
        upstream.drop_all()
        await server.wait_closed()
        await asyncio.sleep(0)


def head(status: str = "200 OK", content_type: str = "application/json", **headers: str) -> bytes:
    """Write a response head; `retry_after="3"` becomes `retry-after: 3`."""
    lines = {"content-type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return "\r\n".join([f"HTTP/1.1 {status}", *(f"{k}: {v}" for k, v in lines.items()), "", ""]).encode()


def answer(body: bytes, status: str = "200 OK", content_type: str = "application/json", **headers: str) -> bytes:
    """Write a whole response of known length."""
    return head(status, content_type, content_length=str(len(body)), **headers) + body


def chunked(*parts: bytes) -> bytes:
    """Write the body of a response whose head says `transfer-encoding: chunked`."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def sse(*events: bytes) -> bytes:
    """Write a whole event stream, chunked, one chunk per event."""
    return head(content_type="text/event-stream", transfer_encoding="chunked") + chunked(*events)


async def _read(reader: asyncio.StreamReader) -> Seen:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(lines[0].split(" ")[1], headers, body)
