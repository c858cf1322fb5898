from __future__ import annotations

import asyncio
import gc
import os
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from tests.payers import PAYER
from tests.store.receipts import KID, make, unsigned
from tests.store.waiting import eventually

from prysm.errors import ProofUnavailable
from prysm.store import committer as module
from prysm.store.committer import GroupCommitter
from prysm.store.connection import connect
from prysm.store.embedded import EmbeddedPostgres
from prysm.store.migrate import migrate
from prysm.store.rows import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from uuid import UUID

    Sql = Callable[[str], Awaitable[object]]

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture
async def committer(database_url: str) -> AsyncIterator[GroupCommitter]:
    opened = await GroupCommitter.open(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def lose(committer: GroupCommitter, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Take the database away from the committer."""
    monkeypatch.setattr(module, "RECOVERY_S", 0.2)
    monkeypatch.setattr(module, "PROBE_S", 0.02)

    def cut() -> None:
        committer._url = NOWHERE
        committer._connection.terminate()

    return cut


async def test_a_run_that_began_has_an_intent_until_it_has_a_receipt(sql: Sql, committer: GroupCommitter) -> None:
    sealed = make()
    await committer.intend(sealed.request_id, b"what is known", PAYER)
    assert await sql("SELECT body FROM intent") == b"what is known"
    assert await sql("SELECT instance FROM intent") == committer.instance
    assert await committer.put(sealed) == "sealed"
    assert await sql("SELECT count(*) FROM intent") == 0


async def test_the_intent_of_a_run_that_ends_before_it_was_sent_is_never_stored(
    sql: Sql, committer: GroupCommitter
) -> None:
    await sql("ALTER TABLE intent ADD CHECK (false)")
    sealed = make()
    intent = committer.intend(sealed.request_id, b"{}", PAYER)
    await committer.put(sealed)
    assert intent.done()
    assert intent.exception() is None


async def test_beginnings_and_endings_share_a_flush(sql: Sql, committer: GroupCommitter) -> None:
    before = await sql("SELECT pg_current_xact_id()::text::bigint")
    await asyncio.gather(
        *(committer.intend(uuid4(), b"{}", PAYER) for _ in range(200)), *(committer.put(make()) for _ in range(200))
    )
    after = await sql("SELECT pg_current_xact_id()::text::bigint")
    assert isinstance(before, int)
    assert isinstance(after, int)
    assert after - before < 8
    assert await sql("SELECT count(*) FROM intent") == 200


async def test_only_the_intent_that_is_refused_fails(sql: Sql, committer: GroupCommitter) -> None:
    await sql("ALTER TABLE intent ADD CHECK (length(body) < 100)")
    intents = [committer.intend(uuid4(), b"x" * (500 if i == 3 else 5), PAYER) for i in range(9)]
    receipts = [committer.put(make()) for _ in range(4)]
    results = await asyncio.gather(*intents, *receipts, return_exceptions=True)
    assert [i for i, result in enumerate(results) if isinstance(result, ProofUnavailable)] == [3]
    assert await sql("SELECT count(*) FROM receipt") == 4


async def test_a_signed_receipt_is_queued_for_the_log_once(sql: Sql, committer: GroupCommitter) -> None:
    sealed = make()
    await asyncio.gather(committer.put(sealed), committer.put(sealed))
    await committer.put(sealed)
    assert await sql("SELECT count(*) FROM log_queue") == 1
    assert await sql("SELECT digest FROM log_queue") == sealed.digest
    assert await sql("SELECT kid FROM log_queue") == KID


async def test_a_receipt_that_is_not_signed_is_stored_and_not_queued(sql: Sql, committer: GroupCommitter) -> None:
    await asyncio.gather(committer.put(unsigned()), committer.put(make()))
    assert await sql("SELECT count(*) FROM receipt") == 2
    assert await sql("SELECT count(*) FROM log_queue") == 1


async def test_a_receipt_that_is_refused_leaves_its_run_to_the_reaper(sql: Sql, committer: GroupCommitter) -> None:
    await sql("ALTER TABLE receipt ADD CHECK (length(payload) < 100)")
    sealed = make(b"x" * 500)
    await committer.intend(sealed.request_id, b"{}", PAYER)
    with pytest.raises(Refused, match="CheckViolation"):
        await committer.put(sealed)
    await eventually(lambda: sql("SELECT instance IS NULL FROM intent"))


async def test_another_receipt_of_the_same_run_ends_it_all_the_same(sql: Sql, committer: GroupCommitter) -> None:
    first = make(b"first")
    await committer.put(first)
    await committer.intend(first.request_id, b"{}", PAYER)
    with pytest.raises(Refused, match="another receipt"):
        await committer.put(make(b"second", request_id=first.request_id))
    assert await sql("SELECT count(*) FROM intent") == 0
    assert await sql("SELECT count(*) FROM log_queue") == 1


async def test_a_database_that_is_away_is_noticed_and_found_again_without_traffic(
    sql: Sql, committer: GroupCommitter, lose: Callable[[], None], database_url: str
) -> None:
    sealed = make()
    await committer.intend(sealed.request_id, b"{}", PAYER)
    lose()
    with pytest.raises(ProofUnavailable):
        await committer.put(sealed)
    assert committer.away
    committer._url = database_url
    await eventually(lambda: sql("SELECT instance IS NULL FROM intent"))
    await eventually(lambda: not committer.away)
    await committer.put(make())


async def test_a_standby_does_not_count_as_the_database_found_again(
    sql: Sql, committer: GroupCommitter, lose: Callable[[], None], database_url: str
) -> None:
    name = database_url.split("?", maxsplit=1)[0].rsplit("/", 1)[1]
    lose()
    with pytest.raises(ProofUnavailable):
        await committer.put(make())
    await sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    committer._url = database_url
    await asyncio.sleep(0.3)
    assert committer.away


async def test_an_intent_that_nobody_waits_for_fails_in_silence(
    committer: GroupCommitter, lose: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    lose()
    intent = committer.intend(uuid4(), b"{}", PAYER)
    await asyncio.wait([intent])
    assert isinstance(intent.exception(), ProofUnavailable)
    del intent
    committer.intend(uuid4(), b"{}", PAYER)
    await eventually(lambda: not committer._queue)
    gc.collect()
    assert not [record for record in caplog.records if record.name == "asyncio"]


async def test_a_full_disk_is_nobodys_row(
    sql: Sql, committer: GroupCommitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROBE_S", 0.1)
    await sql("""
        CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE SQLSTATE '53100'; END $$
    """)
    await sql("CREATE TRIGGER full_disk BEFORE INSERT ON receipt EXECUTE FUNCTION full_disk()")
    results = await asyncio.gather(*(committer.put(make()) for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [ProofUnavailable] * 5
    assert committer.away


async def test_a_cancelled_wait_still_ends_the_run(sql: Sql, committer: GroupCommitter) -> None:
    sealed = make()
    await committer.intend(sealed.request_id, b"{}", PAYER)
    task = asyncio.create_task(committer.put(sealed))
    await asyncio.sleep(0)
    task.cancel()
    await committer.put(make())
    assert await sql("SELECT count(*) FROM receipt") == 2
    assert await sql("SELECT count(*) FROM intent") == 0


async def test_closing_refuses_beginnings(database_url: str) -> None:
    committer = await GroupCommitter.open(database_url)
    await committer.close()
    with pytest.raises(ProofUnavailable, match="stopping"):
        await committer.intend(uuid4(), b"{}", PAYER)


async def test_postgres_that_crashes_under_load_loses_and_doubles_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "RECOVERY_S", 2.0)
    with tempfile.TemporaryDirectory(prefix="prysm-test-") as folder:
        with await asyncio.to_thread(EmbeddedPostgres.start, Path(folder)) as server:
            await asyncio.to_thread(migrate, server.url)
            committer = await GroupCommitter.open(server.url)
            stop = asyncio.Event()
            told: list[UUID] = []

            async def client() -> None:
                while not stop.is_set():
                    sealed = make(uuid4().bytes * 20)
                    try:
                        await committer.intend(sealed.request_id, b"{}", PAYER)
                        await committer.put(sealed)
                        told.append(sealed.request_id)
                    except ProofUnavailable:
                        await asyncio.sleep(0.01)

            clients = asyncio.gather(*(client() for _ in range(16)))
            for _ in range(3):
                await asyncio.sleep(0.5)
                await _crash(server.url)
            stop.set()
            await clients
            await committer.close()
            connection = await connect(server.url)
            stored = await connection.fetch("SELECT request_id FROM receipt ORDER BY request_id")
            queued = await connection.fetch("SELECT request_id FROM log_queue ORDER BY request_id")
            await connection.close()
        assert len(told) > 100
        assert set(told) <= {row["request_id"] for row in stored}
        assert queued == stored


async def _crash(url: str) -> None:
    """Kill one backend: the server ends all the others too, and recovers from its log."""
    connection = await connect(url)
    os.kill(connection.get_server_pid(), signal.SIGKILL)
    connection.terminate()


async def test_intents_are_found_by_their_index_however_small_the_table_was(
    sql: Sql, committer: GroupCommitter
) -> None:
    await sql("ANALYZE intent")
    plan = await committer._connection.fetch(f"EXPLAIN {module.GIVE_UP}", [uuid4()])
    assert "Seq Scan" not in str(plan)
