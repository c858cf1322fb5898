"""One request to the fault server and the way back: bytes, pauses, and ways to hang up."""

from __future__ import annotations

import json
import re
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prysm.faults.formats import GOOD, OWN_WORDS, Said, Script, WireName, error_body, script

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Mapping

SSE = "text/event-stream"
JSON = "application/json"
GEMINI_PATH = re.compile(r"/models/(?P<model>[^/:]+):(?P<method>\w+)")
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER of no time at all: closing sends RST, and what was not sent is lost."""
REASONS = {200: "OK", 204: "No Content", 302: "Found", 307: "Temporary Redirect", 429: "Too Many Requests"}


class HungUp(Exception):
    """The play is over and so is the connection."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came: `model` and `streamed` are read from wherever its wire format has them."""

    form: WireName
    model: str
    streamed: bool
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


async def read_request(reader: asyncio.StreamReader) -> Asked:
    """Read one request; raise `asyncio.IncompleteReadError` at the end, `ValueError` for what is none."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    target = lines[0].split(" ")[1]
    if match := GEMINI_PATH.search(target):
        return Asked("gemini", match["model"], match["method"].startswith("stream"), target, headers, body)
    asked = json.loads(body or b"{}")
    form: WireName = "anthropic" if target.endswith("/messages") else "openai"
    return Asked(form, str(asked.get("model")), bool(asked.get("stream")), target, headers, body)


class Exchange:
    """What a fault plays with. `nth` is how often this fault was asked for before, in this form, from 0."""

    def __init__(self, asked: Asked, nth: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked = asked
        self.nth = nth
        self.sent = 0
        self._reader = reader
        self._writer = writer

    def script(self, said: Said = GOOD) -> Script:
        """An answer in the format of the request."""
        return script(self.asked.form, said)

    def error(self) -> bytes:
        """An error's body that repeats all it was told, key and prompt too, as careless servers do."""
        headers = self.asked.headers
        keys = [headers[name] for name in ("authorization", "x-api-key", "x-goog-api-key") if name in headers]
        words = " ".join([OWN_WORDS, *keys, self.asked.body.decode(errors="replace")])
        return error_body(self.asked.form, words)

    async def send(self, data: bytes) -> None:
        """Write, and wait while the other side does not read."""
        self._writer.write(data)
        await self._writer.drain()
        self.sent += len(data)

    async def head(self, status: int = 200, media: str | None = None, **headers: object) -> None:
        """Write a head of the type the request wants; `retry_after="3"` becomes `retry-after: 3`."""
        wanted = media if media is not None else SSE if self.asked.streamed else JSON
        given = {"content-type": wanted} if wanted else {}
        lines = given | {name.replace("_", "-"): str(value) for name, value in headers.items()}
        first = f"HTTP/1.1 {status} {REASONS.get(status, 'Error')}"
        await self.send("\r\n".join([first, *(f"{k}: {v}" for k, v in lines.items()), "", ""]).encode())

    async def reply(self, body: bytes, status: int = 200, media: str | None = None, **headers: object) -> None:
        """Write a whole response of known length."""
        await self.head(status, media, content_length=len(body), **headers)
        await self.send(body)

    async def chunks(self, parts: Iterable[bytes], *, end: bool = True) -> None:
        """Write the chunks of a body whose head says `transfer-encoding: chunked`."""
        for part in parts:
            await self.send(b"%x\r\n%s\r\n" % (len(part), part))
        if end:
            await self.send(b"0\r\n\r\n")

    async def answer(self, body: Script) -> None:
        """Write a good answer the plain way."""
        if self.asked.streamed:
            await self.head(transfer_encoding="chunked")
            await self.chunks(body.events)
        else:
            await self.reply(body.whole)

    async def hang(self) -> None:
        """Say nothing until the other side goes away."""
        while await self._reader.read(1 << 16):
            pass
        raise HungUp

    def close(self) -> None:
        """Hang up in good order."""
        raise HungUp

    def reset(self) -> None:
        """Hang up with a TCP reset."""
        held: socket.socket = self._writer.get_extra_info("socket")
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._writer.transport.abort()
        raise HungUp
