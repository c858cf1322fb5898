"""Kept answers in a real database: whose they are, how long they live, and that they stay few."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg
import pytest

from prysm.core.caller import DEFAULT_ID
from prysm.errors import ProofUnavailable
from prysm.store import cache as module
from prysm.store.cache import CacheStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prysm.store.connection import Pool

KEY, OTHER = bytes(32), bytes(31) + b"\x01"


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(database_url, min_size=0, max_size=4) as pool:
        yield pool


async def organisation(pool: Pool) -> UUID:
    made = uuid4()
    await pool.execute("INSERT INTO organisation (id, name) VALUES ($1, $2)", made, str(made))
    return made


async def aged(pool: Pool, seconds: int) -> None:
    """Let everything be so much older."""
    await pool.execute(
        "UPDATE cached_answer SET made_at = made_at - make_interval(secs => $1),"
        " expires_at = expires_at - make_interval(secs => $1)",
        seconds,
    )


async def test_what_was_put_is_got_by_its_organisation_and_key_only(pool: Pool) -> None:
    store, org = CacheStore(pool), await organisation(pool)
    await store.put(DEFAULT_ID, KEY, uuid4(), b"answer", 60)
    assert await store.get(DEFAULT_ID, KEY, 60) == (b"answer", 0)
    assert await store.get(org, KEY, 60) is None
    assert await store.get(DEFAULT_ID, OTHER, 60) is None


async def test_the_newest_answer_is_got_and_an_older_one_again_only_if_it_is_kept_for_longer(pool: Pool) -> None:
    store = CacheStore(pool)
    await store.put(DEFAULT_ID, KEY, uuid4(), b"long", 100)
    await aged(pool, 10)
    await store.put(DEFAULT_ID, KEY, uuid4(), b"short", 2)
    assert await store.get(DEFAULT_ID, KEY, 100) == (b"short", 0)
    await aged(pool, 2)
    assert await store.get(DEFAULT_ID, KEY, 100) == (b"long", 12)
    await store.put(DEFAULT_ID, KEY, uuid4(), b"longer", 3600)
    assert await pool.fetchval("SELECT array_agg(body) FROM cached_answer") == [b"longer"]


async def test_an_answer_is_got_until_it_expires_or_is_older_than_is_wanted(pool: Pool) -> None:
    store = CacheStore(pool)
    await store.put(DEFAULT_ID, KEY, uuid4(), b"answer", 60)
    await aged(pool, 30)
    assert await store.get(DEFAULT_ID, KEY, 60) == (b"answer", 30)
    assert await store.get(DEFAULT_ID, KEY, 20) is None
    await aged(pool, 30)
    assert await store.get(DEFAULT_ID, KEY, 3600) is None


async def test_pruning_takes_what_has_expired_and_the_oldest_of_too_many(pool: Pool) -> None:
    store, org = CacheStore(pool), await organisation(pool)
    for i in range(6):
        await aged(pool, 10)
        await store.put(DEFAULT_ID, bytes([i]) * 32, uuid4(), b"x", 55 if i == 0 else 3600)
    await store.put(org, KEY, uuid4(), b"x", 3600)
    await store.prune(100, 100)
    assert await pool.fetchval("SELECT count(*) FROM cached_answer") == 7
    await aged(pool, 10)
    await store.prune(3, 100)
    left = await pool.fetch("SELECT org, get_byte(key, 0) AS i FROM cached_answer ORDER BY 2")
    assert [row["i"] for row in left if row["org"] == DEFAULT_ID] == [3, 4, 5]
    assert len(left) == 4


async def test_pruning_keeps_the_newest_that_fit(pool: Pool) -> None:
    store = CacheStore(pool)
    for i in range(5):
        await aged(pool, 10)
        await store.put(DEFAULT_ID, bytes([i]) * 32, uuid4(), bytes(3000), 3600)
    await store.prune(100, 9000)
    assert await pool.fetchval("SELECT array_agg(get_byte(key, 0) ORDER BY 1) FROM cached_answer") == [2, 3, 4]


async def test_of_none_that_are_to_be_kept_none_stay(pool: Pool) -> None:
    store = CacheStore(pool)
    await store.put(DEFAULT_ID, KEY, uuid4(), b"x", 3600)
    await store.prune(0, 100)
    assert await pool.fetchval("SELECT count(*) FROM cached_answer") == 0


async def test_many_put_and_prune_at_once(pool: Pool) -> None:
    store = CacheStore(pool)
    puts = [store.put(DEFAULT_ID, bytes([i % 7]) * 32, uuid4(), b"x", 3600) for i in range(60)]
    await asyncio.gather(*puts, *(store.prune(3, 100) for _ in range(6)))
    await store.prune(3, 100)
    assert await pool.fetchval("SELECT count(*) FROM cached_answer") == 3


async def test_a_database_that_does_not_answer_is_given_up_at_once(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.05)
    store = CacheStore(pool)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE cached_answer")
        for call in (store.get(DEFAULT_ID, KEY, 60), store.put(DEFAULT_ID, KEY, uuid4(), b"x", 60)):
            with pytest.raises(ProofUnavailable):
                await call
