from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest
from tests.payers import PAYER
from tests.store.waiting import eventually

from prysm.errors import ProofUnavailable
from prysm.store import lease as module
from prysm.store.committer import GroupCommitter
from prysm.store.lease import Lease

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from prysm.store.connection import Pool

    Sql = Callable[[str], Awaitable[object]]

LEFT = "SELECT extract(epoch FROM lease_until - now())::float FROM instance"


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(database_url, min_size=0, max_size=2) as opened:
        yield opened


async def left(sql: Sql) -> float:
    seconds = await sql(LEFT)
    assert isinstance(seconds, float)
    return seconds


async def test_a_process_counts_as_alive_for_as_long_as_it_says(sql: Sql, pool: Pool) -> None:
    await Lease(pool, uuid4()).renew()
    assert 10 < await left(sql) <= 15
    await Lease(pool, uuid4(), length_s=600).renew()
    assert await sql("SELECT count(*) FROM instance WHERE lease_until > now() + interval '9 minutes'") == 1


async def test_it_is_renewed_for_ever_and_gone_when_closed(
    sql: Sql, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RENEW_S", 0.02)
    lease = Lease(pool, uuid4())
    keeper = asyncio.create_task(lease.keep())
    await eventually(lambda: sql("SELECT count(*) > 0 FROM instance"))
    await sql("DELETE FROM instance")  # as another's pruning would
    await eventually(lambda: sql("SELECT count(*) > 0 FROM instance"))
    keeper.cancel()
    await asyncio.wait([keeper])
    await lease.close()
    assert await sql("SELECT count(*) FROM instance") == 0


async def test_what_the_known_dead_began_is_given_up_with_their_lease(
    sql: Sql, pool: Pool, database_url: str
) -> None:
    lives, dead = [await GroupCommitter.open(database_url) for _ in range(2)]
    for committer in (lives, dead):
        await Lease(pool, committer.instance, length_s=3600).renew()
        await committer.intend(uuid4(), b"{}", PAYER)
    await Lease(pool, lives.instance).end([dead.instance, uuid4()])
    assert await sql("SELECT array_agg(id) FROM instance") == [lives.instance]
    assert await sql("SELECT count(*) FROM intent WHERE instance IS NULL") == 1
    for committer in (lives, dead):
        await committer.close()


async def test_it_is_steady_from_the_first_renewal_to_the_first_gap(sql: Sql, pool: Pool) -> None:
    lease = Lease(pool, uuid4())
    await lease.renew()
    since = lease.steady_since
    await lease.renew()
    assert lease.steady_since == since
    await sql("UPDATE instance SET lease_until = now() + interval '8 seconds'")  # renewed seven seconds ago
    await lease.renew()
    assert since is not None
    assert lease.steady_since is not None
    assert lease.steady_since > since


async def test_a_database_that_does_not_answer_ends_neither_the_process_nor_the_loop(
    sql: Sql, pool: Pool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RENEW_S", 0.02)
    await sql("ALTER TABLE instance RENAME TO elsewhere")
    lease = Lease(pool, uuid4())
    with pytest.raises(ProofUnavailable):
        await lease.renew()
    keeper = asyncio.create_task(lease.keep())
    await asyncio.sleep(0.1)
    assert not keeper.done()
    await sql("ALTER TABLE elsewhere RENAME TO instance")
    await eventually(lambda: lease.steady_since)
    keeper.cancel()
    assert "cannot be renewed" in caplog.text
