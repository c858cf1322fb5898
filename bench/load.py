"""Sends the same chat completion again and again over kept-alive connections, and times every answer."""

from __future__ import annotations

import asyncio
import math
import statistics
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import orjson

from bench.servers import KEY

if TYPE_CHECKING:
    from bench.servers import Server

BODY = {
    "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "What is the capital of France? Answer in two sentences, and since when."},
    ],
    "temperature": 0.2,
}
END_OF_HEAD, END_OF_CHUNKS = b"\r\n\r\n", b"\r\n0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked for. The model `drip` streams its chunks one by one, `fake` all at once."""

    model: str = "fake"
    stream: bool = False

    def request(self, server: Server) -> bytes:
        """The bytes of one request."""
        more = {"stream": True, "stream_options": {"include_usage": True}} if self.stream else {}
        body = orjson.dumps({"model": self.model} | BODY | more)
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\n"
            f"host: 127.0.0.1:{server.port}\r\n"
            f"authorization: Bearer {KEY}\r\n"
            "content-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@dataclass(frozen=True, slots=True)
class Load:
    """What came back: milliseconds to the end and to the first byte of every answer, and the seconds of them all."""

    times_ms: list[float]
    firsts_ms: list[float]
    seconds: float

    @property
    def rps(self) -> float:
        """Answers per second."""
        return len(self.times_ms) / self.seconds

    def percentile(self, percent: int) -> float:
        """Milliseconds within which `percent` of the answers came, 1–99."""
        return statistics.quantiles(self.times_ms, n=100, method="inclusive")[percent - 1]


async def send(server: Server, requests: int, concurrency: int, ask: Ask) -> Load:
    """Send at least `requests` requests, the same number on each of `concurrency` connections."""
    load = Load([], [], 0.0)
    each = math.ceil(requests / concurrency)
    begin = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(_converse(server, each, ask.request(server), load))
    return replace(load, seconds=time.perf_counter() - begin)


async def _converse(server: Server, count: int, request: bytes, load: Load) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for _ in range(count):
        begin = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(END_OF_HEAD)
        load.firsts_ms.append((time.perf_counter() - begin) * 1000)
        await rest(reader, head)
        load.times_ms.append((time.perf_counter() - begin) * 1000)
        if (status := head.split(b" ", 2)[1]) != b"200":
            sys.exit(f"The {server.name} answered {status.decode()}, so there is nothing to measure.")
    writer.close()
    await writer.wait_closed()


async def rest(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """Read what follows the head: of known length, or in chunks up to the last, which are left framed."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return await reader.readexactly(int(line.partition(b":")[2]))
    return await reader.readuntil(END_OF_CHUNKS)
