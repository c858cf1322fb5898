"""`python -m bench.log`: how fast receipts get into the log, and proofs out of it, on this machine.

Postgres, the feeder, the sequencer and the reader share the machine, the latter three one event loop, as in a gateway.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg

from prysm.proof import leaves
from prysm.proof.merkle import leaf_hash
from prysm.store.embedded import EmbeddedPostgres
from prysm.store.log.begin import open_log
from prysm.store.log.keys import Keychain, read_keys
from prysm.store.log.pin import Pins
from prysm.store.log.reader import LogReader
from prysm.store.log.sequencer import Sequencer
from prysm.store.log.tree import Tree, grow, read_head, read_tree
from prysm.store.migrate import migrate
from prysm.vault import Vault

if TYPE_CHECKING:
    from prysm.store.connection import Connection

PAYLOAD = os.urandom(1_800)
TICK_S, LOOK_S, SETTLE_S = 0.02, 0.25, 10.0
CHUNK = 50_000
PROOFS = 2_000

FEED = """
    WITH new AS (
        INSERT INTO receipt (request_id, payload, proof_hash) SELECT id, $2, $3 FROM unnest($1::uuid[]) AS id
        RETURNING request_id
    )
    INSERT INTO log_queue (request_id, kid, digest) SELECT request_id, $4, $3 FROM new
"""
WAITING = "SELECT count(*) FROM log_queue"


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured; times in milliseconds, the queue in receipts."""

    drained: int
    drained_per_s: float
    fed_per_s: float
    fed_s: float
    queue_early: float
    queue_late: float
    queue_max: int
    emptied_after_ms: float
    leaves: int
    proof_p50_ms: float
    proof_p99_ms: float


def main() -> None:
    """Measure and print."""
    args = _arguments()
    with (
        tempfile.TemporaryDirectory(prefix="prysm-bench-") as folder,
        EmbeddedPostgres.start(Path(folder)) as server,
    ):
        migrate(server.url)
        found = asyncio.run(_measure(server.url, Path(folder), args))
    sys.stdout.write(json.dumps(asdict(found), indent=2) + "\n" if args.json else _table(found))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.log", description=__doc__)
    parser.add_argument("--receipts", type=int, default=50_000, help="in the queue at first (default 50,000)")
    parser.add_argument("--rate", type=int, default=5_000, help="receipts committed a second then (default 5,000)")
    parser.add_argument("--seconds", type=_seconds, default=10.0, help="for how long (default 10)")
    parser.add_argument("--leaves", type=int, default=1_000_000, help="for the proofs (default a million)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def _seconds(text: str) -> float:
    if float(text) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return float(text)


async def _measure(url: str, folder: Path, args: argparse.Namespace) -> Found:
    vault, pins = Vault("an encryption key of the bench"), Pins(folder / "pins")
    keys = await open_log(url, vault, pins)
    sequencer, connection = Sequencer(url, vault, pins, keys), await asyncpg.connect(url)
    try:
        drained = await _drain(sequencer, connection, keys.receipt.kid, args.receipts)
        sequencer.start()
        feed = await _feed(sequencer, connection, keys.receipt.kid, args.rate, args.seconds)
        emptied = await _emptied(connection)
    finally:
        await sequencer.close()
    ids = await _fill(connection, Keychain(vault), args.leaves)
    await connection.close()
    proofs = sorted(await _proofs(url, ids))
    return Found(
        drained=args.receipts,
        drained_per_s=args.receipts / drained,
        fed_per_s=feed.number / feed.seconds,
        fed_s=feed.seconds,
        queue_early=statistics.fmean(feed.waiting[: len(feed.waiting) // 2]),
        queue_late=statistics.fmean(feed.waiting[len(feed.waiting) // 2 :]),
        queue_max=max(feed.waiting),
        emptied_after_ms=emptied * 1e3,
        leaves=args.leaves,
        proof_p50_ms=statistics.median(proofs) * 1e3,
        proof_p99_ms=proofs[len(proofs) * 99 // 100] * 1e3,
    )


async def _drain(sequencer: Sequencer, connection: Connection, kid: str, number: int) -> float:
    """Fill the queue, then time how long the sequencer takes; in seconds."""
    _say(f"a queue of {number:,} receipts is drained")
    rows = ((uuid4(), kid, os.urandom(32)) for _ in range(number))
    await connection.copy_records_to_table("log_queue", records=rows, columns=["request_id", "kid", "digest"])
    start = time.perf_counter()
    await sequencer.drain()
    return time.perf_counter() - start


@dataclass(frozen=True, slots=True)
class _Fed:
    number: int
    seconds: float
    waiting: list[int]


async def _feed(sequencer: Sequencer, connection: Connection, kid: str, rate: int, seconds: float) -> _Fed:
    """Commit receipts at a rate, and look at how many wait."""
    _say(f"{rate:,} receipts a second are committed for {seconds:g} s")
    start = looked = time.perf_counter()
    number, waiting = 0, []
    while (now := time.perf_counter()) - start < seconds:
        due = int((now - start) * rate) - number
        if due:
            await connection.execute(FEED, [uuid4() for _ in range(due)], PAYLOAD, PAYLOAD[:32], kid)
            sequencer.wake()
            number += due
        if now - looked > LOOK_S:
            waiting.append(int(await connection.fetchval(WAITING)))
            looked = now
        await asyncio.sleep(TICK_S)
    return _Fed(number, time.perf_counter() - start, waiting)


async def _emptied(connection: Connection) -> float:
    """How long after the last receipt the queue is empty; in seconds."""
    start = time.perf_counter()
    async with asyncio.timeout(SETTLE_S):
        while await connection.fetchval(WAITING):  # noqa: ASYNC110  the queue is in the database
            await asyncio.sleep(TICK_S / 10)
    return time.perf_counter() - start


async def _fill(connection: Connection, chain: Keychain, size: int) -> list[UUID]:
    """Make the log `size` leaves long, and return receipts from all over it."""
    head = await read_head(connection)
    if head is None:
        raise SystemExit("The log is gone.")
    tree, sample = await read_tree(connection, head), []
    while tree.size < size - 1:
        number = min(CHUNK, size - 1 - tree.size)
        ids, digests = [uuid4() for _ in range(number)], [os.urandom(32) for _ in range(number)]
        await _copy(connection, tree, ids, digests)
        tree.appender.append([leaf_hash(leaves.entry(leaves.RECEIPT, digest)) for digest in digests])
        sample += random.sample(ids, number // 50)
        _say(f"{tree.size:,} of {size:,} leaves")
    signers = chain.signers(await read_keys(connection, tree.log))
    await grow(connection, tree, [], signers)
    await connection.execute("ANALYZE")
    return sample


async def _copy(connection: Connection, tree: Tree, ids: list[UUID], digests: list[bytes]) -> None:
    pairs = list(zip(ids, digests, strict=True))
    rows = ((tree.log, at, leaves.RECEIPT, digest, one) for at, (one, digest) in enumerate(pairs, tree.size))
    await connection.copy_records_to_table(
        "log_leaf", records=rows, columns=["log", "idx", "kind", "digest", "request_id"]
    )
    receipts = ((one, b"{}", digest) for one, digest in pairs)
    await connection.copy_records_to_table(
        "receipt", records=receipts, columns=["request_id", "payload", "proof_hash"]
    )


async def _proofs(url: str, ids: list[UUID]) -> list[float]:
    """Time proofs one after the other; in seconds."""
    _say(f"{PROOFS:,} proofs are read")
    times = []
    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool:
        reader = LogReader(pool)
        await reader.place(ids[0])
        for one in random.choices(ids, k=PROOFS):  # noqa: S311  a sample to look at
            start = time.perf_counter()
            await reader.place(one)
            times.append(time.perf_counter() - start)
    return times


def _say(what: str) -> None:
    sys.stderr.write(f"{what}\n")


def _table(found: Found) -> str:
    rows = [
        (f"a queue of {found.drained:,} drained (receipts/s)", found.drained_per_s),
        (f"committed for {found.fed_s:.0f} s (receipts/s)", found.fed_per_s),
        ("receipts waiting, first half (mean)", found.queue_early),
        ("receipts waiting, second half (mean)", found.queue_late),
        ("receipts waiting (most)", found.queue_max),
        ("queue empty after the last one (ms)", found.emptied_after_ms),
        (f"proof among {found.leaves:,} leaves, p50 (ms)", found.proof_p50_ms),
        (f"proof among {found.leaves:,} leaves, p99 (ms)", found.proof_p99_ms),
    ]
    return "".join(f"{label:<48}{value:>12,.1f}\n" for label, value in rows)


if __name__ == "__main__":
    main()
