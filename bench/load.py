"""Sends the same chat completion again and again over kept-alive connections, and times every answer."""

from __future__ import annotations

import asyncio
import math
import statistics
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from bench.servers import KEY

if TYPE_CHECKING:
    from bench.servers import Server

BODY = orjson.dumps(
    {
        "model": "fake",
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": "What is the capital of France? Answer in two sentences, and since when."},
        ],
        "temperature": 0.2,
    }
)


@dataclass(frozen=True, slots=True)
class Load:
    """What came back: milliseconds of every answer, and the seconds that all of them took."""

    times_ms: list[float]
    seconds: float

    @property
    def rps(self) -> float:
        """Answers per second."""
        return len(self.times_ms) / self.seconds

    def percentile(self, percent: int) -> float:
        """Milliseconds within which `percent` of the answers came, 1–99."""
        return statistics.quantiles(self.times_ms, n=100, method="inclusive")[percent - 1]


async def send(server: Server, requests: int, concurrency: int) -> Load:
    """Send at least `requests` requests, the same number on each of `concurrency` connections."""
    times_ms: list[float] = []
    each = math.ceil(requests / concurrency)
    begin = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(_converse(server, each, times_ms))
    return Load(times_ms, time.perf_counter() - begin)


async def _converse(server: Server, count: int, times_ms: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    request = _request(server)
    for _ in range(count):
        begin = time.perf_counter()
        writer.write(request)
        status = await _answer(reader)
        times_ms.append((time.perf_counter() - begin) * 1000)
        if status != b"200":
            sys.exit(f"The {server.name} answered {status.decode()}, so there is nothing to measure.")
    writer.close()
    await writer.wait_closed()


def _request(server: Server) -> bytes:
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\n"
        f"host: 127.0.0.1:{server.port}\r\n"
        f"authorization: Bearer {KEY}\r\n"
        "content-type: application/json\r\n"
        f"content-length: {len(BODY)}\r\n\r\n"
    )
    return head.encode() + BODY


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """Read one answer to its end and return its status; all three servers give a content-length."""
    lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    length = next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))
    await reader.readexactly(length)
    return lines[0].split(b" ")[1]
