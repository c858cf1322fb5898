from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from prysm.errors import Overloaded
from prysm.store.database import Database
from prysm.store.lease import Lease
from prysm.store.turns import MOST, Turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prysm.store.connection import Connection


@pytest.fixture
async def holder(database_url: str) -> AsyncIterator[Connection]:
    """Locks the tables that strangers read, until it is closed."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("BEGIN; LOCK receipt, log, log_key")
    yield connection
    await connection.close()


async def test_who_would_wait_behind_too_many_is_told_when_to_come_back(database_url: str) -> None:
    async with asyncpg.create_pool(database_url, min_size=0, max_size=1) as pool:
        turns = Turns(pool, most=2)
        async with turns.acquire() as connection:
            waiting = asyncio.create_task(turns.acquire().__aenter__())
            await asyncio.sleep(0)
            with pytest.raises(Overloaded) as crowded:
                async with turns.acquire():
                    pass
            assert crowded.value.retry_after_s == 1.0
            assert not crowded.value.spent
            waiting.cancel()
            await asyncio.wait([waiting])
            assert await connection.fetchval("SELECT 1") == 1
        async with turns.acquire() as connection:
            assert await connection.fetchval("SELECT 1") == 1


async def test_readers_in_any_number_hold_up_neither_the_lease_nor_whoever_has_a_key(
    database_url: str, holder: Connection
) -> None:
    database = await Database.open(database_url)
    readers = [asyncio.create_task(database.receipts.get(uuid4())) for _ in range(MOST)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await database.log.checkpoint()
    assert await database.receipts.ping()
    await Lease(database.sealing, uuid4()).renew()
    await database.responses.prune(everything=False)
    await holder.execute("ROLLBACK")
    assert await asyncio.gather(*readers) == [None] * MOST
    await database.close()
