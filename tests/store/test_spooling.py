from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest
from tests.payers import PAYER
from tests.store.receipts import make, whole
from tests.store.waiting import eventually

from prysm.errors import ProofUnavailable
from prysm.store import committer as committers
from prysm.store import spooling as module
from prysm.store.committer import GroupCommitter
from prysm.store.embedded import EmbeddedPostgres
from prysm.store.migrate import migrate
from prysm.store.rows import Refused
from prysm.store.spool import ROOM_BYTES, Spool
from prysm.store.spooling import SpoolingSealer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from prysm.proof.sealed import SealState

    Sql = Callable[[str], Awaitable[object]]

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture
async def committer(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GroupCommitter]:
    monkeypatch.setattr(committers, "RECOVERY_S", 0.6)
    monkeypatch.setattr(committers, "PROBE_S", 0.02)
    opened = await GroupCommitter.open(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def sealer(
    committer: GroupCommitter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SpoolingSealer]:
    monkeypatch.setattr(module, "WAIT_S", 0.2)
    made = SpoolingSealer(committer, Spool(tmp_path))
    yield made
    await made.close()


async def lose(committer: GroupCommitter, *, noticed: bool = True) -> None:
    """Take the database away."""
    committer._url = NOWHERE
    committer._connection.terminate()
    if noticed:
        with pytest.raises(ProofUnavailable):
            await committer.intend(uuid4(), b"{}", PAYER)
        assert committer.away


async def back(committer: GroupCommitter, url: str) -> None:
    committer._url = url
    await eventually(lambda: not committer.away)


def spooled(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.receipt"))


async def test_with_a_database_nothing_is_spooled(sql: Sql, sealer: SpoolingSealer, tmp_path: Path) -> None:
    sealed = whole()
    await sealer.intend(sealed.request_id, b"{}", PAYER)
    assert await sql("SELECT count(*) FROM intent") == 1
    assert await sealer.put(sealed) == "sealed"
    assert await sql("SELECT count(*) FROM intent") == 0
    assert spooled(tmp_path) == []


async def test_while_the_database_is_away_runs_begin_and_are_spooled_at_once(
    sql: Sql, committer: GroupCommitter, sealer: SpoolingSealer, tmp_path: Path, database_url: str
) -> None:
    await lose(committer)
    assert not sealer.away
    sealed = whole()
    began = time.monotonic()
    assert sealer.intend(sealed.request_id, b"{}", PAYER).done()
    assert await sealer.put(sealed) == "spooled"
    assert time.monotonic() - began < module.WAIT_S
    assert spooled(tmp_path) == [str(sealed.request_id)]
    await back(committer, database_url)
    await sealer.drain()
    assert spooled(tmp_path) == []
    assert await sql("SELECT digest FROM log_queue") == sealed.digest


async def test_an_outage_that_nobody_noticed_yet_costs_an_answer_a_bounded_wait(
    sql: Sql, committer: GroupCommitter, sealer: SpoolingSealer, tmp_path: Path, database_url: str
) -> None:
    await lose(committer, noticed=False)
    sealed = whole()
    intent = sealer.intend(uuid4(), b"{}", PAYER)
    assert await sealer.put(sealed) == "spooled"
    await intent
    committer._url = database_url  # the committer's own try succeeds as well
    await eventually(lambda: sql("SELECT count(*) = 1 FROM receipt"))
    await sealer.drain()
    assert spooled(tmp_path) == []
    assert await sql("SELECT count(*) FROM log_queue") == 1


async def test_the_intent_of_a_spooled_run_is_not_given_up(
    sql: Sql, committer: GroupCommitter, sealer: SpoolingSealer, database_url: str
) -> None:
    sealed = whole()
    await sealer.intend(sealed.request_id, b"{}", PAYER)
    await lose(committer, noticed=False)
    assert await sealer.put(sealed) == "spooled"
    await eventually(lambda: committer.away)
    await back(committer, database_url)
    await committer.put(whole())
    assert await sql("SELECT instance IS NULL FROM intent") is False
    await sealer.drain()
    assert await sql("SELECT count(*) FROM intent") == 0


async def test_a_cancelled_wait_still_ends_in_a_file(
    committer: GroupCommitter, sealer: SpoolingSealer, tmp_path: Path
) -> None:
    await lose(committer, noticed=False)
    task = asyncio.create_task(sealer.put(whole()))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    await eventually(lambda: len(spooled(tmp_path)) == 1)


async def test_a_receipt_that_the_database_refuses_is_not_spooled(
    sql: Sql, sealer: SpoolingSealer, tmp_path: Path
) -> None:
    await sql("ALTER TABLE receipt ADD CHECK (length(payload) < 100)")
    with pytest.raises(Refused):
        await sealer.put(make(b"x" * 500))
    assert spooled(tmp_path) == []


async def test_a_full_spool_is_as_good_as_none(
    sql: Sql, committer: GroupCommitter, tmp_path: Path, database_url: str
) -> None:
    sealer = SpoolingSealer(committer, Spool(tmp_path, limit_bytes=ROOM_BYTES // 2))
    sealed = make(b"x" * ROOM_BYTES)
    await sealer.intend(sealed.request_id, b"{}", PAYER)
    await lose(committer)
    assert sealer.away
    with pytest.raises(ProofUnavailable, match="full"):
        await sealer.put(sealed)
    await back(committer, database_url)
    assert await sql("SELECT instance IS NULL FROM intent")


async def test_draining_goes_on_by_itself(
    sql: Sql,
    committer: GroupCommitter,
    sealer: SpoolingSealer,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "DRAIN_S", 0.02)
    draining = asyncio.create_task(sealer.keep_draining())
    await lose(committer)
    await asyncio.gather(*(sealer.put(whole()) for _ in range(20)))
    await back(committer, database_url)
    await eventually(lambda: sql("SELECT count(*) = 20 FROM log_queue"))
    draining.cancel()


async def test_what_stays_in_its_file_is_told(sealer: SpoolingSealer, tmp_path: Path) -> None:
    await sealer.drain()
    (tmp_path / "unreadable.receipt").touch()
    (tmp_path / "unreadable.bad").mkdir()
    with pytest.raises(ProofUnavailable):
        await sealer.drain()


async def test_postgres_stopped_under_load_withholds_nothing_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committers, "RECOVERY_S", 0.5)
    monkeypatch.setattr(module, "WAIT_S", 0.3)
    with tempfile.TemporaryDirectory(prefix="prysm-test-") as folder:
        server = await asyncio.to_thread(EmbeddedPostgres.start, Path(folder))
        await asyncio.to_thread(migrate, server.url)
        committer = await GroupCommitter.open(server.url)
        sealer = SpoolingSealer(committer, Spool(tmp_path))
        stopped = asyncio.Event()

        async def client() -> list[SealState]:
            states: list[SealState] = []
            while not stopped.is_set() or len(states) < 5:
                sealed = whole()
                await sealer.intend(sealed.request_id, b"{}", PAYER)
                states.append(await sealer.put(sealed))
            return states

        clients = asyncio.gather(*(client() for _ in range(8)))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(server.stop)
        await eventually(lambda: committer.away)
        stopped.set()
        states = [state for states in await clients for state in states]
        assert set(states) == {"sealed", "spooled"}
        with await asyncio.to_thread(EmbeddedPostgres.start, Path(folder)) as server:
            committer._url = server.url
            await eventually(lambda: not committer.away)
            await sealer.drain()
            await committer.close()
            await sealer.close()
            connection = await asyncpg.connect(server.url)
            assert await connection.fetchval("SELECT count(*) FROM receipt") == len(states)
            assert await connection.fetchval("SELECT count(*) FROM log_queue") == len(states)
            assert await connection.fetchval("SELECT count(*) FROM intent") == 0
            await connection.close()
        assert spooled(tmp_path) == []
