"""Claims under idempotency keys, against a real database."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg
import pytest

from prysm.core.caller import ROOT
from prysm.errors import ConfigError, ProofUnavailable
from prysm.store import lease as leases
from prysm.store.idempotency import IdempotencyStore
from prysm.store.idempotency_slot import Slot, slot_of
from prysm.store.lease import Lease

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prysm.store.connection import Pool

SECRET = b"s" * 32
DAY = timedelta(days=1)
RUN = """
    INSERT INTO usage (request_id, org, project, strategy, mode, policy, task, outcome, estimated, tags, cost_nano)
    VALUES ($1, $2, $2, 'single', 'balanced', 'balanced', 'chat', 'client_aborted', false, '{}', $3)
"""


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(database_url, min_size=0, max_size=4) as opened:
        yield opened


async def holder(pool: Pool, period: timedelta | None = DAY) -> IdempotencyStore:
    """The store of one more process that is alive."""
    lease = Lease(pool, uuid4())
    await lease.renew()
    return IdempotencyStore(pool, lease, period)


def slot(key: str = "k") -> Slot:
    return slot_of(SECRET, ROOT, key)


async def test_of_many_who_claim_a_key_one_has_it(pool: Pool) -> None:
    stores = [await holder(pool) for _ in range(5)]
    ids = [uuid4() for _ in range(50)]
    won = await asyncio.gather(*(stores[i % 5].claim(slot(), b"asked", each) for i, each in enumerate(ids)))
    assert sum(won) == 1
    found = await stores[0].find(slot())
    assert found is not None
    assert (found.request, found.request_id, found.ended) == (b"asked", ids[won.index(True)], False)
    assert not found.abandoned


async def test_a_claim_that_is_sent_twice_is_one(pool: Pool) -> None:
    store, request_id = await holder(pool), uuid4()
    assert [await store.claim(slot(), b"asked", request_id) for _ in range(2)] == [True, True]


async def test_an_answer_is_found_until_it_expires(pool: Pool) -> None:
    store, request_id = await holder(pool), uuid4()
    await store.claim(slot(), b"asked", request_id)
    await store.end(slot(), request_id, b"answer")
    found = await store.find(slot())
    assert found is not None
    assert (found.answer, found.ended) == (b"answer", True)
    assert await store.claim(slot(), b"asked", uuid4()) is False
    await pool.execute("UPDATE idempotency SET expires_at = now()")
    assert await store.find(slot()) is None
    assert await store.claim(slot(), b"other", uuid4()) is True
    found = await store.find(slot())
    assert found is not None
    assert (found.request, found.answer, found.ended) == (b"other", None, False)


async def test_only_who_has_the_key_ends_or_frees_it(pool: Pool) -> None:
    store, request_id = await holder(pool), uuid4()
    await store.claim(slot(), b"asked", request_id)
    await store.end(slot(), uuid4(), b"answer")
    await store.free(slot(), uuid4())
    found = await store.find(slot())
    assert found is not None
    assert not found.ended
    await store.free(slot(), request_id)
    assert await store.find(slot()) is None


async def test_the_claims_of_a_process_that_is_known_to_be_dead_are_abandoned(pool: Pool) -> None:
    dead, alive = Lease(pool, uuid4()), await holder(pool)
    await dead.renew()
    ended, running, others = slot("ended"), slot("running"), slot("others")
    store = IdempotencyStore(pool, dead, DAY)
    for each in (ended, running):
        await store.claim(each, b"asked", uuid4())
    claimed = await store.find(ended)
    assert claimed is not None
    await store.end(ended, claimed.request_id, b"answer")
    await alive.claim(others, b"asked", uuid4())
    await dead.end([dead.instance])
    found = [await alive.find(each) for each in (ended, running, others)]
    assert [(each.ended, each.abandoned) for each in found if each] == [
        (True, False),
        (False, True),
        (False, False),
    ]


async def test_a_lease_that_ran_out_tells_of_a_death_only_to_who_has_watched_for_as_long(pool: Pool) -> None:
    dead, store = Lease(pool, uuid4()), await holder(pool)
    await IdempotencyStore(pool, dead, DAY).claim(slot(), b"asked", uuid4())
    found = await store.find(slot())
    assert found is not None
    assert not found.abandoned


async def test_the_claims_of_a_process_whose_lease_ran_out_are_abandoned(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE_S", 0.0)  # watched for long enough, that is
    dead, alive, store = await holder(pool), await holder(pool), await holder(pool)
    await dead.claim(slot("dead"), b"asked", uuid4())
    await alive.claim(slot("alive"), b"asked", uuid4())
    await pool.execute(
        "UPDATE instance SET lease_until = now() - interval '1s' WHERE id = (SELECT instance FROM idempotency "
        "ORDER BY created_at LIMIT 1)"
    )
    found = [await store.find(slot(each)) for each in ("dead", "alive")]
    assert [each.abandoned for each in found if each] == [True, False]


async def test_the_claims_of_the_dead_are_pruned_with_what_expired(pool: Pool) -> None:
    store, dead = await holder(pool), IdempotencyStore(pool, Lease(pool, uuid4()), DAY)
    ids = {name: uuid4() for name in ("expired", "kept", "running")}
    for name, request_id in ids.items():
        await store.claim(slot(name), b"asked", request_id)
    await dead.claim(slot("dead"), b"asked", uuid4())
    await store.end(slot("expired"), ids["expired"], b"answer")
    await pool.execute("UPDATE idempotency SET expires_at = now(), created_at = now() - interval '2 days'")
    await pool.execute(
        "UPDATE idempotency SET expires_at = NULL, answer = NULL WHERE request_id <> $1", ids["expired"]
    )
    await store.end(slot("kept"), ids["kept"], b"answer")
    await store.prune()
    left = await pool.fetch("SELECT request_id FROM idempotency")
    assert {row[0] for row in left} == {ids["kept"], ids["running"]}


@pytest.mark.parametrize(("cost", "spent"), [(0, False), (1, True), (None, True)])
async def test_what_a_run_cost_is_known_once_it_is_settled(pool: Pool, cost: int | None, *, spent: bool) -> None:
    store, request_id = await holder(pool), uuid4()
    assert await store.spent(request_id) is False
    await pool.execute("INSERT INTO intent (request_id, body) VALUES ($1, '')", request_id)
    assert await store.spent(request_id) is None
    await pool.execute("DELETE FROM intent")
    await pool.execute(RUN, request_id, ROOT.org, cost)
    assert await store.spent(request_id) is spent


async def test_where_answers_are_not_kept_claims_are_kept_a_day(pool: Pool) -> None:
    store, request_id = await holder(pool, None), uuid4()
    assert not store.keeps
    await store.claim(slot(), b"asked", request_id)
    await store.end(slot(), request_id, None)
    assert await pool.fetchval("SELECT expires_at - now() > interval '23 hours' FROM idempotency")


async def test_a_database_that_is_away_is_told_and_may_be_asked_again(database_url: str) -> None:
    away = await asyncpg.create_pool(database_url.replace("/test_", "/gone_"), min_size=0)
    store = IdempotencyStore(away, Lease(away, uuid4()), DAY)
    for ask in (store.claim(slot(), b"", uuid4()), store.find(slot()), store.prune()):
        with pytest.raises(ProofUnavailable, match="/ready") as told:
            await ask
        assert told.value.spent is False
    await away.close()


def test_a_slot_is_its_callers_and_opens_only_with_both_secrets() -> None:
    other = replace(ROOT, key=uuid4(), name="another")
    request_id, mine = UUID(int=1), slot()
    wrapped = mine.wrap(b"answer", request_id)
    assert mine.unwrap(wrapped, request_id) == b"answer"
    assert b"answer" not in wrapped
    strangers = [slot("K"), slot_of(SECRET, other, "k"), slot_of(b"t" * 32, ROOT, "k")]
    for stranger in strangers:
        with pytest.raises(ConfigError):
            stranger.unwrap(wrapped, request_id)
    for wrong in (wrapped[:-1], b"", wrapped[:-1] + bytes([wrapped[-1] ^ 1])):
        with pytest.raises(ConfigError):
            mine.unwrap(wrong, request_id)
    with pytest.raises(ConfigError):
        mine.unwrap(wrapped, UUID(int=2))
    assert len({each.name for each in (mine, *strangers)}) == 4
    assert len({each.digest("POST", b"/a?", b"b") for each in (mine, *strangers)}) == 4
    assert "_key" not in repr(mine)


def test_a_request_is_its_method_path_query_and_body() -> None:
    requests = [("POST", b"/a?", b"b"), ("PUT", b"/a?", b"b"), ("POST", b"/a?x", b"b"), ("POST", b"/a", b"?b")]
    assert len({slot().digest(*each) for each in requests}) == 4
