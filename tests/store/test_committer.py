from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.payers import PAYER
from tests.store.receipts import SealPath, make

from prysm.errors import ConfigError, ProofUnavailable
from prysm.store import committer as module
from prysm.store.committer import GroupCommitter
from prysm.store.embedded import EmbeddedPostgres
from prysm.store.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Sql = Callable[[str], Awaitable[object]]

KILL_OTHERS = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[SealPath]:
    opened = await SealPath.open(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give recovery the time it needs on a busy machine."""
    monkeypatch.setattr(module, "RECOVERY_S", 30.0)


async def test_what_was_put_is_what_is_read(database: SealPath) -> None:
    sealed = make(b'{"a":1}', tuple(bytes([i]) for i in range(12)))
    await database.committer.put(sealed)
    assert await database.receipts.get(sealed.request_id) == sealed


async def test_an_unknown_id_is_none(database: SealPath) -> None:
    assert await database.receipts.get(uuid4()) is None


@given(rows=st.lists(st.tuples(st.binary(), st.lists(st.binary(), max_size=4)), min_size=1, max_size=8))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_survive_the_round_trip(postgres_url: str, rows: list[tuple[bytes, list[bytes]]]) -> None:
    async def round_trip() -> None:
        database = await SealPath.open(postgres_url)
        receipts = [make(payload, tuple(stages)) for payload, stages in rows]
        await asyncio.gather(*map(database.committer.put, receipts))
        assert [await database.receipts.get(receipt.request_id) for receipt in receipts] == receipts
        await database.close()

    asyncio.run(round_trip())


async def test_in_a_crowd_a_batch_takes_along_who_comes_a_moment_later_and_who_is_alone_waits_for_nobody(
    sql: Sql, database: SealPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = database.committer.put
    monkeypatch.setattr(module, "GATHER_S", 0.5)
    await asyncio.gather(*(put(make()) for _ in range(module.CROWD + 1)))
    first, second = make(), make()
    early = asyncio.create_task(put(first))
    await asyncio.sleep(0.05)
    await asyncio.gather(early, put(second))
    ids = f"'{first.request_id}', '{second.request_id}'"
    assert await sql(f"SELECT count(DISTINCT xmin::text) FROM receipt WHERE request_id IN ({ids})") == 1  # noqa: S608
    monkeypatch.setattr(module, "GATHER_S", 3600)
    async with asyncio.timeout(30):
        await put(make())


async def test_a_thousand_waiters_share_a_few_flushes(sql: Sql, database: SealPath) -> None:
    receipts = [make() for _ in range(1000)]
    before = await sql("SELECT pg_current_xact_id()::text::bigint")
    await asyncio.gather(*map(database.committer.put, receipts))
    after = await sql("SELECT pg_current_xact_id()::text::bigint")
    assert await sql("SELECT count(*) FROM stage") == 2000
    assert isinstance(before, int)
    assert isinstance(after, int)
    assert after - before < 20


async def test_only_the_bad_row_of_a_batch_fails(sql: Sql, database: SealPath) -> None:
    await sql("ALTER TABLE receipt ADD CHECK (length(payload) < 100)")
    rows = [make(b"x" * (500 if i == 7 else 5)) for i in range(50)]
    results = await asyncio.gather(*map(database.committer.put, rows), return_exceptions=True)
    assert [i for i, result in enumerate(results) if result != "sealed"] == [7]
    assert isinstance(results[7], ProofUnavailable)
    assert await sql("SELECT count(*) FROM receipt") == 49


async def test_a_bad_stage_takes_its_receipt_with_it(sql: Sql, database: SealPath) -> None:
    await sql("ALTER TABLE stage ADD CHECK (length(body) < 100)")
    sealed = make(stages=(b"fine", b"x" * 500))
    with pytest.raises(ProofUnavailable, match="CheckViolation"):
        await database.committer.put(sealed)
    assert await database.receipts.get(sealed.request_id) is None


async def test_storing_the_same_receipt_twice_is_fine(database: SealPath) -> None:
    sealed = make()
    await asyncio.gather(database.committer.put(sealed), database.committer.put(sealed))
    await database.committer.put(sealed)
    assert await database.receipts.get(sealed.request_id) == sealed


async def test_another_receipt_under_a_used_id_is_refused_and_changes_nothing(database: SealPath) -> None:
    first = make(b"first", (b"1",))
    second = make(b"second", (b"x", b"y", b"z"), first.request_id)
    results = await asyncio.gather(*map(database.committer.put, (first, second)), return_exceptions=True)
    assert results[0] == "sealed"
    assert isinstance(results[1], ProofUnavailable)
    assert await database.receipts.get(first.request_id) == first


async def test_a_cancelled_waiter_neither_stops_nor_spoils_the_batch(database: SealPath) -> None:
    receipts = [make() for _ in range(20)]
    tasks = [asyncio.create_task(database.committer.put(receipt)) for receipt in receipts]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[1::2] == ["sealed"] * 10
    await database.committer.put(make())
    assert [await database.receipts.get(receipt.request_id) for receipt in receipts] == receipts


@pytest.mark.usefixtures("patience")
async def test_a_cut_connection_is_not_noticed_by_the_waiters(sql: Sql, database: SealPath) -> None:
    await sql(KILL_OTHERS)
    receipts = [make() for _ in range(50)]
    await asyncio.gather(*map(database.committer.put, receipts))
    assert await sql("SELECT count(*) FROM receipt") == 50


@pytest.mark.usefixtures("patience")
async def test_connections_cut_again_and_again_lose_and_double_nothing(sql: Sql, database: SealPath) -> None:
    async def write() -> None:
        for _ in range(40):
            await database.committer.put(make())

    writers = asyncio.gather(*(write() for _ in range(8)))
    for _ in range(8):
        await sql(KILL_OTHERS)
        await asyncio.sleep(0.02)
    await writers
    assert await sql("SELECT count(*) FROM receipt") == 320
    assert await sql("SELECT count(*) FROM stage") == 640
    assert await sql("SELECT count(*) FROM log_queue") == 320


async def test_a_statement_that_hangs_is_given_up_in_bounded_time(
    database: SealPath, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLUSH_TIMEOUT_S", 0.2)
    monkeypatch.setattr(module, "RECOVERY_S", 0.3)
    blocker = await asyncpg.connect(database_url)
    async with blocker.transaction():
        await blocker.execute("LOCK TABLE receipt IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(ProofUnavailable):
            await asyncio.wait_for(database.committer.put(make()), 5)
    await blocker.close()
    await database.committer.put(make())


async def test_a_standby_is_left_for_the_primary(database: SealPath) -> None:
    await database.committer._connection.execute("SET default_transaction_read_only = on")
    await database.committer.put(make())


async def test_relaxed_commits_are_made_durable(sql: Sql, database_url: str) -> None:
    name = database_url.split("?", maxsplit=1)[0].rsplit("/", 1)[1]
    await sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
    committer = await GroupCommitter.open(database_url)
    assert await committer._connection.fetchval("SHOW synchronous_commit") == "on"
    await committer.close()


async def test_closing_stores_what_is_queued_and_refuses_more(sql: Sql, database_url: str) -> None:
    committer = await GroupCommitter.open(database_url)
    waiting = [asyncio.create_task(committer.put(make())) for _ in range(10)]
    await asyncio.sleep(0)
    await committer.close()
    await asyncio.gather(*waiting)
    assert await sql("SELECT count(*) FROM receipt") == 10
    with pytest.raises(ProofUnavailable, match="stopping"):
        await committer.put(make())


async def test_the_queue_is_bounded(database: SealPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CAPACITY", 5)
    results = await asyncio.gather(*(database.committer.put(make()) for _ in range(9)), return_exceptions=True)
    assert [result == "sealed" for result in results] == [True] * 5 + [False] * 4
    await database.committer.put(make())


async def test_a_database_without_our_tables_is_refused_at_the_start(sql: Sql, database_url: str) -> None:
    await sql("DROP TABLE feedback, stage, receipt")
    with pytest.raises(ConfigError, match="not migrated"):
        await SealPath.open(database_url)


async def test_a_stopped_server_fails_everyone_soon_and_then_recovers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "RECOVERY_S", 0.5)
    with tempfile.TemporaryDirectory(prefix="prysm-test-") as folder:
        server = await asyncio.to_thread(EmbeddedPostgres.start, Path(folder))
        await asyncio.to_thread(migrate, server.url)
        database = await SealPath.open(server.url)
        kept = make()
        await database.committer.put(kept)
        await asyncio.to_thread(server.stop)
        began = time.monotonic()
        results = await asyncio.gather(*(database.committer.put(make()) for _ in range(20)), return_exceptions=True)
        assert all(isinstance(result, ProofUnavailable) for result in results)
        assert time.monotonic() - began < 5
        assert not await database.receipts.ping()
        with pytest.raises(ProofUnavailable):
            await database.receipts.get(kept.request_id)
        with await asyncio.to_thread(EmbeddedPostgres.start, Path(folder)):
            await database.committer.put(make())
            assert await database.receipts.ping()
            assert await database.receipts.get(kept.request_id) == kept
            await database.close()


@pytest.mark.usefixtures("patience")
async def test_killing_postgres_loses_no_receipt_that_was_acknowledged() -> None:
    with tempfile.TemporaryDirectory(prefix="prysm-test-") as folder:
        server = await asyncio.to_thread(EmbeddedPostgres.start, Path(folder))
        with server:
            await asyncio.to_thread(migrate, server.url)
            database = await SealPath.open(server.url)
            acknowledged: list[UUID] = []

            async def write() -> None:
                for _ in range(60):
                    sealed = make(os.urandom(200))
                    await database.committer.intend(sealed.request_id, b"{}", PAYER)
                    await database.committer.put(sealed)
                    acknowledged.append(sealed.request_id)

            writers = asyncio.gather(*(write() for _ in range(8)))
            await asyncio.sleep(0.05)
            os.kill(server.pid, 9)
            await writers
            assert len(acknowledged) == 480
            owner = await asyncpg.connect(server.url)
            queued = await owner.fetch("SELECT request_id FROM log_queue")
            assert sorted(row["request_id"] for row in queued) == sorted(acknowledged)
            assert await owner.fetchval("SELECT count(*) FROM intent") == 0
            await owner.close()
            for request_id in acknowledged:
                assert await database.receipts.get(request_id) is not None
            await database.close()
            await asyncio.to_thread(server.stop)
