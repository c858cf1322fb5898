"""`python -m bench`: what the gateway costs per request, measured from outside on this machine.

A tiny provider, a bare Starlette handler that forwards to it, and `prysm serve` run side by side; the same chat
completion goes to the last two in turns. CPU per request is the figure to compare on a busy machine; latency and
throughput hold within one run only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import measure, servers

REQUESTS, MEMORY_REQUESTS = 5_000, 200_000
FEWEST = 100


def main() -> None:
    """Measure and print; everything that was started is stopped, also on Ctrl-C."""
    args = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.stdout.write(_memory(args) if args.memory else _compare(args))
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
        bare = running.enter_context(servers.bare_handler(folder, provider))
        gateway = running.enter_context(servers.gateway(folder, provider))
        found = asyncio.run(
            measure.compare(
                gateway,
                bare,
                requests=args.requests or REQUESTS,
                rounds=args.rounds,
                concurrency=args.concurrency,
            )
        )
    return _json(asdict(found)) if args.json else _table(found, args.concurrency)


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


def _json(found: dict[str, Any]) -> str:
    return json.dumps(found, indent=2) + "\n"


def _table(found: measure.Comparison, concurrency: int) -> str:
    names = {
        "cpu_us": "CPU, Postgres apart (µs/request)",
        "postgres_cpu_us": "CPU of Postgres (µs/request)",
        "p50_alone_ms": "p50, 1 connection (ms)",
        "p99_alone_ms": "p99, 1 connection (ms)",
        "p50_ms": f"p50, {concurrency} connections (ms)",
        "p99_ms": f"p99, {concurrency} connections (ms)",
        "rps": f"requests/s, {concurrency} connections",
    }
    gateway, bare = asdict(found.gateway), asdict(found.bare)
    rows = [f"{label:<36}{gateway[key]:>12.1f}{bare[key]:>14.1f}" for key, label in names.items()]
    head = f"{'':<36}{'gateway':>12}{'bare handler':>14}"
    spread = f"{found.lowest:.2f} to {found.highest:.2f} over the rounds"
    return "\n".join([head, *rows, f"ratio of CPU, Postgres apart: {found.ratio:.2f} ({spread})\n"])


if __name__ == "__main__":
    main()
