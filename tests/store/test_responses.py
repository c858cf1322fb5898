"""Responses that are kept, against a real database."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg
import pytest

from prysm.core.caller import DEFAULT_ID
from prysm.errors import ProofUnavailable
from prysm.store.database import Database
from prysm.store.isolation import act_for
from prysm.store.responses import KeptResponse, ResponseStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

HOUR = timedelta(hours=1)
NOW = timedelta()
MOST = 1000


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[ResponseStore]:
    act_for(DEFAULT_ID)
    opened = await Database.open(database_url)
    yield opened.responses
    await opened.close()


async def keep(
    store: ResponseStore, previous: UUID | None = None, owner: str = "a", period: timedelta = HOUR
) -> KeptResponse:
    """Keep a response of twenty bytes."""
    kept = KeptResponse(uuid4(), owner, previous, b"\0" * 10, b"{" * 10)
    await store.put(kept, DEFAULT_ID, period)
    return kept


async def test_a_response_comes_back_as_it_was_kept_to_its_owner_alone(store: ResponseStore) -> None:
    kept = await keep(store)
    assert await store.get(kept.id, "a") == kept
    assert await store.get(kept.id, "b") is None
    assert await store.conversation(kept.id, "b", MOST) == []
    assert await store.delete(kept.id, "b") is False
    assert await store.delete(kept.id, "a") is True
    assert await store.get(kept.id, "a") is None


async def test_a_conversation_is_told_oldest_first(store: ResponseStore) -> None:
    first = await keep(store)
    second = await keep(store, first.id)
    third = await keep(store, second.id)
    await keep(store, first.id)
    assert await store.conversation(third.id, "a", MOST) == [first, second, third]
    assert await store.conversation(second.id, "a", MOST) == [first, second]


async def test_a_conversation_ends_at_a_gap_at_anothers_response_and_over_the_limit(store: ResponseStore) -> None:
    other, first = await keep(store, owner="b"), await keep(store, uuid4())
    assert await store.conversation(first.id, "a", MOST) == [first]
    after_other = await keep(store, other.id)
    assert await store.conversation(after_other.id, "a", MOST) == [after_other]
    second = await keep(store, (await keep(store, first.id)).id)
    assert len(await store.conversation(second.id, "a", 39)) == 2


async def test_what_has_expired_is_not_read_and_then_deleted(
    store: ResponseStore, sql: Callable[[str], Awaitable[object]]
) -> None:
    gone, kept = await keep(store, period=NOW), await keep(store)
    assert await store.get(gone.id, "a") is None
    assert await store.conversation(gone.id, "a", MOST) == []
    await store.prune()
    assert await sql("SELECT string_agg(id::text, ' ') FROM response") == str(kept.id)
    await store.prune(everything=True)
    assert await sql("SELECT count(*) FROM response") == 0


async def test_no_text_is_in_the_repr(store: ResponseStore) -> None:
    kept = KeptResponse(uuid4(), "a", None, b"canary", b"canary")
    assert "canary" not in f"{kept} {kept!r} {store}"


async def test_a_database_that_is_away_is_told_and_may_be_asked_again(database_url: str) -> None:
    pool = await asyncpg.create_pool(database_url.replace("/test_", "/gone_"), min_size=0)
    with pytest.raises(ProofUnavailable, match="/ready") as away:
        await ResponseStore(pool).get(uuid4(), "a")
    assert away.value.spent is False
    await pool.close()
