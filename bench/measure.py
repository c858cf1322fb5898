"""The measurements: CPU and latency of the gateway against the bare handler, and the gateway's memory over time."""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from bench.load import Ask, send
from bench.processes import used

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.servers import Server

MICRO = 1_000_000
WARM_UP_SHARE = 10
"""One part in ten of the requests goes ahead unmeasured, and one in ten over a single connection."""
BLOCKS = 100


@dataclass(frozen=True, slots=True)
class Cost:
    """One server in one round, or the medians over the rounds. `cpu_us` and `postgres_cpu_us` are per request.

    `first_alone_ms`: the median time to the first byte over one connection.
    """

    cpu_us: float
    postgres_cpu_us: float
    first_alone_ms: float
    p50_alone_ms: float
    p99_alone_ms: float
    p50_ms: float
    p99_ms: float
    rps: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians over the rounds. `ratio`: CPU of the gateway, Postgres apart, over that of the bare handler."""

    gateway: Cost
    bare: Cost
    ratio: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident bytes of the gateway without Postgres, and the bytes that a further request adds to them."""

    requests: int
    start: int
    end: int
    slope: float


async def compare(
    gateway: Server, bare: Server, ask: Ask, *, requests: int, rounds: int, concurrency: int
) -> Comparison:
    """Load both in turns, so that whatever else the machine does meets both."""
    costs: dict[Server, list[Cost]] = {gateway: [], bare: []}
    for server in costs:
        await send(server, requests // WARM_UP_SHARE, concurrency, ask)
    for turn in range(rounds):
        for server, measured in costs.items():
            measured.append(await _cost(server, ask, requests, concurrency))
            progress(f"round {turn + 1} of {rounds}: {server.name} {measured[-1].cpu_us:.0f} µs of CPU a request")
    ratios = [ours.cpu_us / theirs.cpu_us for ours, theirs in zip(*costs.values(), strict=True)]
    return Comparison(
        gateway=_median(costs[gateway]),
        bare=_median(costs[bare]),
        ratio=statistics.median(ratios),
        lowest=min(ratios),
        highest=max(ratios),
    )


async def memory(gateway: Server, *, requests: int, concurrency: int) -> Memory:
    """Send `requests` in blocks and fit a line through the resident bytes after each, the warm-up left out."""
    sent: list[int] = []
    resident: list[int] = []
    for block in range(BLOCKS):
        done = await send(gateway, requests // BLOCKS, concurrency, Ask())
        sent.append(len(done.times_ms) + (sent[-1] if sent else 0))
        resident.append(used(gateway.pid).rss)
        progress(f"block {block + 1} of {BLOCKS}: {resident[-1] / 1e6:.1f} MB after {sent[-1]} requests")
    warm = BLOCKS // WARM_UP_SHARE
    slope = statistics.linear_regression(sent[warm:], resident[warm:]).slope
    return Memory(requests=sent[-1], start=resident[warm], end=resident[-1], slope=slope)


def progress(line: str) -> None:
    """Say on stderr how far we are."""
    sys.stderr.write(line + "\n")


async def _cost(server: Server, ask: Ask, requests: int, concurrency: int) -> Cost:
    alone = await send(server, requests // WARM_UP_SHARE, 1, ask)
    before = used(server.pid)
    crowd = await send(server, requests, concurrency, ask)
    after = used(server.pid)
    count = len(crowd.times_ms)
    return Cost(
        cpu_us=(after.cpu_s - before.cpu_s) / count * MICRO,
        postgres_cpu_us=(after.postgres_cpu_s - before.postgres_cpu_s) / count * MICRO,
        first_alone_ms=statistics.median(alone.firsts_ms),
        p50_alone_ms=alone.percentile(50),
        p99_alone_ms=alone.percentile(99),
        p50_ms=crowd.percentile(50),
        p99_ms=crowd.percentile(99),
        rps=crowd.rps,
    )


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(*(statistics.median(getattr(cost, field.name) for cost in costs) for field in fields(Cost)))
