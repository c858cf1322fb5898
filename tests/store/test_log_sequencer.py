"""Receipts go from the queue into the log: each once, in no fork, whatever happens to sequencer and database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest
from tests.store.log_scene import Scene, audit, scene

from prysm.errors import PrysmError
from prysm.proof.leaves import RECEIPT
from prysm.proof.signing import SigningKey
from prysm.store.log import lock, sequencer
from prysm.store.log.leaf import Leaf
from prysm.store.log.sequencer import Sequencer
from prysm.store.log.tick import BATCH, advance
from prysm.store.log.tree import DamagedLog, grow, read_head, read_tree

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from prysm.store.connection import Connection
    from prysm.store.log.keys import Keychain
    from prysm.store.log.tree import Head, Tree

KILL_OTHERS = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
LEFT = "SELECT count(*) FROM log_queue"


@pytest.fixture
async def log(database_url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequencer, "GATHER_S", 0.01)
    monkeypatch.setattr(sequencer, "POLL_S", 0.05)


async def emptied(log: Scene) -> None:
    async with asyncio.timeout(60):
        while await log.value(LEFT):  # noqa: ASYNC110  the queue is in the database
            await asyncio.sleep(0.02)


async def test_every_receipt_of_the_queue_gets_one_leaf_in_order(log: Scene) -> None:
    gateway = await log.start()
    ids = await log.put(BATCH + 5, gateway.keys.receipt.kid)
    await gateway.sequencer.drain()
    rows = await log.connection.fetch("SELECT request_id FROM log_leaf WHERE kind = 1 ORDER BY idx")
    assert [row["request_id"] for row in rows] == ids
    assert await audit(log.connection) == BATCH + 5
    assert await log.value(LEFT) == 0


async def test_an_empty_queue_makes_no_checkpoint(log: Scene) -> None:
    gateway = await log.start()
    await gateway.sequencer.drain()
    assert await log.value("SELECT count(*) FROM checkpoint") == 1


async def test_a_receipt_that_has_a_leaf_gets_no_second_one(log: Scene) -> None:
    gateway = await log.start()
    twice = [uuid4()]
    await log.put(1, gateway.keys.receipt.kid, twice * 2)
    await gateway.sequencer.drain()
    await log.put(1, gateway.keys.receipt.kid, twice)
    await gateway.sequencer.drain()
    assert await log.value(LEFT) == 0
    assert await audit(log.connection) == 1


@pytest.mark.usefixtures("brisk")
async def test_a_sequencer_that_runs_is_woken_and_finds_what_others_left(log: Scene) -> None:
    gateway = await log.start()
    gateway.sequencer.start()
    await log.put(3, gateway.keys.receipt.kid)
    gateway.sequencer.wake()
    await emptied(log)
    await log.put(3, gateway.keys.receipt.kid)
    await emptied(log)
    assert await audit(log.connection) == 6


@pytest.mark.usefixtures("brisk")
async def test_two_sequencers_compete_and_make_one_log(log: Scene) -> None:
    gateways = [await log.start("one"), await log.start("two")]
    for gateway in gateways:
        gateway.sequencer.start()
    for _ in range(20):
        await log.put(97, gateways[0].keys.receipt.kid)
        for gateway in gateways:
            gateway.sequencer.wake()
        await asyncio.sleep(0.01)
    await emptied(log)
    assert await audit(log.connection) == 20 * 97


async def test_a_sequencer_that_pauses_past_its_lock_cannot_commit(
    log: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "TRY", lock.TRY.replace(lock.PAUSE_LIMIT, "200ms"))
    paused, other = await log.start(), await log.start()
    await log.put(10, paused.keys.receipt.kid)
    locked, resume = asyncio.Event(), asyncio.Event()

    async def slow(connection: Connection, chain: Keychain, tree: Tree) -> tuple[Head | None, bool]:
        locked.set()
        await resume.wait()
        return await advance(connection, chain, tree)

    monkeypatch.setattr(sequencer, "advance", slow)
    step = asyncio.create_task(paused.sequencer.drain())
    await locked.wait()
    monkeypatch.setattr(sequencer, "advance", advance)
    async with asyncio.timeout(20):
        while await log.value(LEFT):
            await other.sequencer.drain()
    resume.set()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await step
    await paused.sequencer.drain()
    assert await audit(log.connection) == 10


async def test_without_the_lock_the_keys_of_the_tables_refuse_a_fork(log: Scene) -> None:
    gateway = await log.start()
    behind = await asyncpg.connect(log.url)
    head = await read_head(behind)
    assert head is not None
    tree = await read_tree(behind, head)
    await log.put(1, gateway.keys.receipt.kid)
    await gateway.sequencer.drain()
    with pytest.raises(asyncpg.UniqueViolationError):
        async with behind.transaction():
            await grow(behind, tree, [Leaf(RECEIPT, bytes(32), uuid4())], [SigningKey.generate()])
    await behind.close()
    assert await audit(log.connection) == 1


@pytest.mark.usefixtures("brisk")
async def test_a_refused_fork_is_read_again_and_the_receipts_are_logged(
    log: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await log.start()
    await log.put(1, gateway.keys.receipt.kid)
    refusals = iter([asyncpg.UniqueViolationError("there already")])

    async def refused(connection: Connection, chain: Keychain, tree: Tree) -> tuple[Head | None, bool]:
        for refusal in refusals:
            tree.appender.append([bytes(32)])
            raise refusal
        return await advance(connection, chain, tree)

    monkeypatch.setattr(sequencer, "advance", refused)
    gateway.sequencer.start()
    await emptied(log)
    assert next(refusals, None) is None
    assert await audit(log.connection) == 1


@pytest.mark.usefixtures("brisk")
async def test_connections_that_are_killed_cost_no_receipt(log: Scene) -> None:
    gateway = await log.start()
    gateway.sequencer.start()
    for _ in range(10):
        await log.put(400, gateway.keys.receipt.kid)
        gateway.sequencer.wake()
        await asyncio.sleep(0.03)
        await log.value(KILL_OTHERS)
    await emptied(log)
    assert await audit(log.connection) == 4000


async def test_tiles_that_contradict_the_checkpoint_stop_the_sequencer_and_nothing_is_signed(log: Scene) -> None:
    first = await log.start()
    await log.put(5, first.keys.receipt.kid)
    await log.connection.execute("UPDATE log_tile SET hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1)")
    with pytest.raises(DamagedLog, match="prysm fsck"):
        await first.sequencer.drain()
    assert await log.value("SELECT count(*) FROM checkpoint") == 1
    assert await log.value(LEFT) == 5


@pytest.mark.usefixtures("brisk")
async def test_a_sequencer_outlives_errors_and_logs_no_word_of_the_database(
    log: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = await log.start()
    failures: list[Exception] = [asyncpg.PostgresError("secret"), PrysmError("our own words"), OSError("secret")]
    real = Sequencer.drain

    async def failing(self: Sequencer) -> None:
        if failures:
            raise failures.pop(0)
        await real(self)

    monkeypatch.setattr(Sequencer, "drain", failing)
    gateway.sequencer.start()
    await log.put(1, gateway.keys.receipt.kid)
    await emptied(log)
    assert "secret" not in caplog.text
    assert "our own words" in caplog.text


async def test_work_on_a_large_batch_lets_others_have_their_turn(log: Scene) -> None:
    gateway = await log.start()
    await log.put(BATCH, gateway.keys.receipt.kid)
    longest = turns = 0.0
    loop = asyncio.get_running_loop()
    work = asyncio.create_task(gateway.sequencer.drain())
    while not work.done():
        began = loop.time()
        await asyncio.sleep(0)
        longest, turns = max(longest, loop.time() - began), turns + 1
    await work
    assert turns > BATCH / 256
    assert longest < 0.5  # generous: the machine may be busy; the bench measures it
