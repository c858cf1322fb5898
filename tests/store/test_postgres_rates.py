"""Requests that make no run, and the database that counts them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import asyncpg
import pytest
from tests.store.counting import limits

from prysm.errors import Overloaded
from prysm.store import postgres_rates
from prysm.store.isolation import SEALER, open_pool
from prysm.store.postgres_rates import PostgresRates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prysm.store.connection import Pool

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    opened = await open_pool(database_url, 3, SEALER)
    yield opened
    await opened.close()


async def test_where_requests_are_not_limited_the_database_is_not_touched() -> None:
    async with asyncpg.create_pool(NOWHERE, min_size=0) as nowhere:
        rates = PostgresRates(nowhere)
        assert await rates.request(()) == ()
        assert await rates.request((limits(tpm=10, concurrency=1),)) == ()


async def test_a_limited_request_that_cannot_be_counted_is_not_let_in() -> None:
    async with asyncpg.create_pool(NOWHERE, min_size=0) as nowhere:
        rates, which = PostgresRates(nowhere), (limits(rpm=1),)
        said = await asyncio.gather(*(rates.request(which) for _ in range(3)), return_exceptions=True)
    assert {type(one) for one in said} == {Overloaded}


class Watched:
    """A pool that counts what it is asked; one that hangs never answers."""

    def __init__(self, pool: Pool, *, hangs: bool = False) -> None:
        self.statements = 0
        self.hangs = hangs
        self._pool = pool

    async def fetchval(self, *asked: Any) -> Any:
        """Ask the pool."""
        self.statements += 1
        if self.hangs:
            await asyncio.Event().wait()
        return await self._pool.fetchval(*asked)


async def test_many_at_once_are_counted_in_few_statements_over_one_connection(pool: Pool) -> None:
    watched = Watched(pool)
    rates, which = PostgresRates(cast("Pool", watched)), (limits(rpm=200),)
    told = await asyncio.gather(*(rates.request(which) for _ in range(200)))
    assert 0 <= min(meter.left for (meter,) in told) <= 5  # the bucket fills meanwhile
    assert watched.statements == 200 / postgres_rates.AT_ONCE
    assert pool.get_size() == 1


async def test_nobody_waits_for_longer_however_many_are_before_them(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_rates, "TIMEOUT_S", 0.05)
    watched = Watched(pool, hangs=True)
    rates, which = PostgresRates(cast("Pool", watched)), (limits(rpm=200),)
    said = await asyncio.gather(*(rates.request(which) for _ in range(200)), return_exceptions=True)
    assert {type(one) for one in said} == {Overloaded}
    assert watched.statements == 1  # the time of those behind it was over with its own
    assert len({id(one) for one in said}) == len(said)
    monkeypatch.undo()
    watched.hangs = False
    assert await rates.request(which)


async def test_who_leaves_while_he_waits_takes_nobody_with_him(pool: Pool) -> None:
    rates, which = PostgresRates(pool), (limits(rpm=10),)
    gone, stays = (asyncio.create_task(rates.request(which)) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    assert [meter.left for meter in await stays] == [8]


async def test_who_would_wait_behind_too_many_is_told_to_come_back(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_rates, "MOST", 5)
    rates, which = PostgresRates(pool), (limits(rpm=100),)
    said = await asyncio.gather(*(rates.request(which) for _ in range(8)), return_exceptions=True)
    assert [isinstance(one, Overloaded) for one in said] == [False] * 5 + [True] * 3


async def test_it_leaves_no_trace_but_the_meter(pool: Pool, database_url: str) -> None:
    await PostgresRates(pool).request((limits(rpm=10),))
    connection = await asyncpg.connect(database_url)
    for table in ("intent", "usage", "receipt", "ledger_entry"):
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 - constants
    assert await connection.fetchval("SELECT string_agg(kind, ' ') FROM meter") == "requests"
    await connection.close()
