"""Many slow streams at once: what each costs in memory while it is open, and whether every chunk arrives."""

from __future__ import annotations

import asyncio
import resource
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from bench.load import END_OF_HEAD, Ask, rest, send
from bench.processes import used
from bench.upstream import WORDS

if TYPE_CHECKING:
    from bench.servers import Server

STREAMS = 1_000
FILES_EACH = 3
WARM_UP = 20
BEGIN_S = 3.0
"""Over which the streams are opened."""
LOOK_S = 0.2
DATA = b"data: "


@dataclass(frozen=True, slots=True)
class Held:
    """`bytes_each`: growth of the gateway's resident memory, Postgres apart, per open stream, at its highest.

    `broken`: streams that did not bring every chunk, in order, and the end.
    """

    streams: int
    bytes_each: float
    broken: int


def allow(streams: int) -> None:
    """Let this process, and those it starts, open as many files as that takes; exits when the system does not."""
    wanted, (_, most) = FILES_EACH * streams + 1_000, resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < wanted:
        sys.exit(f"{streams} streams take {wanted} open files; the hard limit is {most}: raise it with ulimit -n.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


async def hold(gateway: Server, streams: int) -> Held:
    """Open them over some seconds, read each to its end, and look at the gateway's memory meanwhile."""
    await send(gateway, WARM_UP, WARM_UP, Ask("drip", stream=True))
    sizes = [used(gateway.pid).rss]
    looking = asyncio.create_task(_look(gateway, sizes))
    whole = await asyncio.gather(*(_arrives(gateway, BEGIN_S * i / streams) for i in range(streams)))
    looking.cancel()
    return Held(streams, (max(sizes) - sizes[0]) / streams, whole.count(False))


async def _look(gateway: Server, sizes: list[int]) -> None:
    while True:
        await asyncio.sleep(LOOK_S)
        sizes.append(used(gateway.pid).rss)


async def _arrives(gateway: Server, begin_s: float) -> bool:
    """Whether one streamed answer comes as it was sent."""
    await asyncio.sleep(begin_s)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(Ask("slow", stream=True).request(gateway))
    try:
        body = await rest(reader, await reader.readuntil(END_OF_HEAD))
    except asyncio.IncompleteReadError:
        return False
    finally:
        writer.close()
    events = [line.removeprefix(DATA) for line in body.split(b"\n") if line.startswith(DATA)]
    choices = [choice for event in events[:-1] for choice in orjson.loads(event).get("choices", ())]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    return text == "".join(WORDS) and events[-1] == b"[DONE]"
