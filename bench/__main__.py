"""`python -m bench`: what the gateway costs per request, measured from outside on this machine.

A tiny provider, a bare Starlette handler that forwards to it, and `prysm serve` run side by side; the same chat
completion goes to the last two in turns, with `--stream` as a stream: once all chunks at once, once each by itself.
CPU per request is the figure to compare on a busy machine; latency and throughput hold within one run only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import measure, servers, streams
from bench.load import Ask
from bench.upstream import PARTS

REQUESTS, MEMORY_REQUESTS, STREAM_REQUESTS, DRIPPED_REQUESTS = 5_000, 200_000, 1_500, 150
FEWEST = 100


def main() -> None:
    """Measure and print; everything that was started is stopped, also on Ctrl-C."""
    args = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.stdout.write(_streams(args) if args.streams else _memory(args) if args.memory else _compare(args))
    except KeyboardInterrupt:
        sys.exit(130)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--requests", type=_count, help=f"per round: {REQUESTS:,}; with --memory {MEMORY_REQUESTS:,}"
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of both servers (default 5)")
    parser.add_argument("--concurrency", type=int, default=32, help="connections (default 32)")
    parser.add_argument("--memory", action="store_true", help="whether the gateway's memory grows with requests")
    parser.add_argument(
        "--sealing", action="store_true", help="what receipts cost: the gateway with and without them"
    )
    parser.add_argument("--stream", action="store_true", help=f"streamed answers of {len(PARTS)} chunks")
    parser.add_argument(
        "--streams",
        type=_count,
        nargs="?",
        const=streams.STREAMS,
        help=f"the gateway's memory while so many slow streams are open (default {streams.STREAMS:,})",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def _count(text: str) -> int:
    if int(text) < FEWEST:
        raise argparse.ArgumentTypeError(f"at least {FEWEST}")
    return int(text)


def _compare(args: argparse.Namespace) -> str:
    with ExitStack() as running:
        folder = _folder(running)
        provider = running.enter_context(servers.upstream(folder))
        bare = running.enter_context(_yardstick(args, folder, provider))
        gateway = running.enter_context(servers.gateway(folder, provider))
        found = [_compared(args, gateway, bare, ask, requests) for ask, requests in _asks(args)]
    if args.json:
        return _json(asdict(found[0]) if len(found) == 1 else [asdict(each) for each in found])
    tables = "".join(_table(each, args.concurrency, bare.name) for each in found)
    return tables + (_sealing(found[0]) if args.sealing else _per_chunk(found[1]) if args.stream else "")


def _yardstick(
    args: argparse.Namespace, folder: Path, provider: servers.Server
) -> AbstractContextManager[servers.Server]:
    """What the gateway is compared with."""
    if args.sealing:
        return servers.gateway(folder, provider, sealed=False)
    return servers.bare_handler(folder, provider)


def _asks(args: argparse.Namespace) -> list[tuple[Ask, int]]:
    """What to ask for, and how often in a round."""
    if not args.stream:
        return [(Ask(), args.requests or REQUESTS)]
    dripped = min(args.requests or DRIPPED_REQUESTS, DRIPPED_REQUESTS)
    return [
        (Ask(stream=True), args.requests or STREAM_REQUESTS),
        (Ask("drip", stream=True), dripped),
    ]


def _compared(
    args: argparse.Namespace, gateway: servers.Server, bare: servers.Server, ask: Ask, requests: int
) -> measure.Comparison:
    return asyncio.run(
        measure.compare(gateway, bare, ask, requests=requests, rounds=args.rounds, concurrency=args.concurrency)
    )


def _per_chunk(dripped: measure.Comparison) -> str:
    ours, bare = dripped.gateway.cpu_us / len(PARTS), dripped.bare.cpu_us / len(PARTS)
    return f"CPU per chunk where each comes alone: {ours:.0f} µs, the bare handler's {bare:.0f} µs\n"


def _sealing(found: measure.Comparison) -> str:
    return f"sealing: {found.gateway.cpu_us - found.bare.cpu_us:.0f} µs of CPU a request, Postgres apart\n"


def _streams(args: argparse.Namespace) -> str:
    streams.allow(args.streams)
    with ExitStack() as running:
        folder = _folder(running)
        gateway = running.enter_context(servers.gateway(folder, running.enter_context(servers.upstream(folder))))
        found = asyncio.run(streams.hold(gateway, args.streams))
    if args.json:
        return _json(asdict(found))
    return f"{found.streams:,} slow streams: {found.bytes_each / 1000:.1f} kB each, {found.broken} broken\n"


def _memory(args: argparse.Namespace) -> str:
    with ExitStack() as running:
        folder = _folder(running)
        gateway = running.enter_context(servers.gateway(folder, running.enter_context(servers.upstream(folder))))
        requests = args.requests or MEMORY_REQUESTS
        found = asyncio.run(measure.memory(gateway, requests=requests, concurrency=args.concurrency))
    if args.json:
        return _json(asdict(found))
    return (
        f"resident memory after {found.requests:,} requests: {found.end / 1e6:.1f} MB; "
        f"when warm: {found.start / 1e6:.1f} MB\n"
        f"slope: {found.slope:.2f} bytes per request\n"
    )


def _folder(running: ExitStack) -> Path:
    return Path(running.enter_context(tempfile.TemporaryDirectory(prefix="prysm-bench-")))


def _json(found: dict[str, Any] | list[dict[str, Any]]) -> str:
    return json.dumps(found, indent=2) + "\n"


def _table(found: measure.Comparison, concurrency: int, yardstick: str) -> str:
    names = {
        "cpu_us": "CPU, Postgres apart (µs/request)",
        "postgres_cpu_us": "CPU of Postgres (µs/request)",
        "first_alone_ms": "first byte, 1 connection (ms)",
        "p50_alone_ms": "p50, 1 connection (ms)",
        "p99_alone_ms": "p99, 1 connection (ms)",
        "p50_ms": f"p50, {concurrency} connections (ms)",
        "p99_ms": f"p99, {concurrency} connections (ms)",
        "rps": f"requests/s, {concurrency} connections",
    }
    gateway, bare = asdict(found.gateway), asdict(found.bare)
    rows = [f"{label:<36}{gateway[key]:>12.1f}{bare[key]:>18.1f}" for key, label in names.items()]
    head = f"{'':<36}{'gateway':>12}{yardstick:>18}"
    spread = f"{found.lowest:.2f} to {found.highest:.2f} over the rounds"
    return "\n".join([head, *rows, f"ratio of CPU, Postgres apart: {found.ratio:.2f} ({spread})\n"])


if __name__ == "__main__":
    main()
