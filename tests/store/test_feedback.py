"""What callers said, against a real database."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest

from prysm.errors import Forbidden, ProofUnavailable
from prysm.registry.learnt import Tally
from prysm.store import feedback as module
from prysm.store.database import Database
from prysm.store.feedback import FeedbackStore, Judge
from prysm.store.isolation import EVERYBODY, act_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    act_for(EVERYBODY)
    opened = await Database.open(database_url)
    async with asyncpg.create_pool(database_url, min_size=0) as owner:
        yield replace(opened, pool=owner)  # what a gateway reads judgements with writes no receipt
    await opened.close()


async def receipt(database: Database, **over: Any) -> UUID:
    """Store the record of a run."""
    request_id = uuid4()
    record = {
        "answer": {"model": "a"},
        "task": "math",
        "strategy": {"name": "single"},
        "method": "m/single/math",
        "confidence": "0.700",
        "agreement": None,
        "simulated": False,
    }
    await store(database, request_id, orjson.dumps(record | over))
    return request_id


async def store(database: Database, request_id: UUID, payload: bytes) -> None:
    """Store a record as it is."""
    insert = "INSERT INTO receipt (request_id, payload, proof_hash) VALUES ($1, $2, 'h')"
    await database.pool.execute(insert, request_id, payload)


USED = """
    INSERT INTO usage (request_id, org, project, strategy, mode, policy, task, outcome, estimated, tags)
    VALUES ($1, $2, $2, 'single', 'balanced', 'balanced', 'chat', 'ok', false, '{}')
"""


async def test_a_run_of_another_organisation_is_one_that_is_not_there(database: Database) -> None:
    mine, theirs, own, foreign = uuid4(), uuid4(), await receipt(database), await receipt(database)
    await database.pool.execute(USED, own, mine)
    await database.pool.execute(USED, foreign, theirs)
    assert await database.feedback.put(own, 1, Judge(mine)) is False
    assert await database.feedback.put(foreign, 1, Judge(mine)) is None
    await database.feedback.put(foreign, 1)
    assert [one.request_id for one in await database.feedback.outcomes(10, None, Judge(mine))] == [own]
    assert len(await database.feedback.outcomes(10)) == 2


async def test_a_judgement_is_kept_with_what_its_receipt_says(database: Database) -> None:
    request_id = await receipt(database)
    assert await database.feedback.put(request_id, 0.25) is False
    found = await database.feedback.outcomes(10)
    assert [(one.request_id, one.score, one.model, one.task, one.strategy) for one in found] == [
        (request_id, 0.25, "a", "math", "single")
    ]
    assert (found[0].method, found[0].confidence, found[0].agreement) == ("m/single/math", 0.7, None)


async def test_a_second_judgement_replaces_the_first(database: Database) -> None:
    request_id = await receipt(database)
    said = [await database.feedback.put(request_id, score) for score in (1, 0, 0.3333)]
    assert said == [False, True, True]
    assert [one.score for one in await database.feedback.outcomes(10)] == [0.333]


async def test_many_judgements_of_one_run_at_once_leave_one(database: Database) -> None:
    request_id = await receipt(database)
    await asyncio.gather(*(database.feedback.put(request_id, i / 10) for i in range(10)))
    assert len(await database.feedback.outcomes(100)) == 1


async def test_who_gave_a_judgement_that_an_earlier_release_kept_nobody_knows_so_that_an_admin_replaces_it(
    database: Database,
) -> None:
    request_id, org, key = await receipt(database), uuid4(), uuid4()
    await database.pool.execute(USED, request_id, org)
    await database.pool.execute("INSERT INTO feedback (request_id, score) VALUES ($1, 1)", request_id)
    with pytest.raises(Forbidden, match="an admin's"):
        await database.feedback.put(request_id, 0, Judge(org, key, over_all=False))
    assert await database.feedback.put(request_id, 0, Judge(org, key)) is True
    assert await database.feedback.put(request_id, 1, Judge(org, key, over_all=False)) is True


async def test_of_many_keys_that_judge_a_run_at_once_one_is_heard(database: Database) -> None:
    request_id, org = await receipt(database), uuid4()
    await database.pool.execute(USED, request_id, org)
    judges = [Judge(org, uuid4(), over_all=False) for _ in range(10)]
    said = await asyncio.gather(
        *(database.feedback.put(request_id, i / 10, by) for i, by in enumerate(judges)), return_exceptions=True
    )
    kept = [i for i, outcome in enumerate(said) if not isinstance(outcome, Forbidden)]
    assert len(kept) == 1
    assert [one.score for one in await database.feedback.outcomes(10)] == [kept[0] / 10]


async def test_a_run_nobody_knows_cannot_be_judged(database: Database) -> None:
    assert await database.feedback.put(uuid4(), 1) is None
    assert await database.feedback.outcomes(10) == []


async def test_judgements_are_paged_newest_first(database: Database) -> None:
    ids = [await receipt(database) for _ in range(5)]
    for request_id in ids:
        await database.feedback.put(request_id, 1)
    first = await database.feedback.outcomes(3)
    rest = await database.feedback.outcomes(3, after=first[-1].id)
    assert [one.request_id for one in (*first, *rest)] == ids[::-1]


async def test_only_a_models_own_answers_teach_of_it(database: Database) -> None:
    runs: dict[str, tuple[dict[str, Any], float]] = {
        "own": ({}, 1.0),
        "own too": ({}, 0.5),
        "another task": ({"task": "code"}, 0.0),
        "another model": ({"answer": {"model": "b"}}, 1.0),
        "let through": ({"strategy": {"name": "cascade"}}, 1.0),
        "written from several": ({"strategy": {"name": "ensemble_moa"}}, 1.0),
        "failed": ({"answer": None}, 0.0),
        "another format": ({"strategy": "single"}, 0.0),
    }
    for over, score in runs.values():
        await database.feedback.put(await receipt(database, **over), score)
    assert await database.feedback.quality() == {
        ("a", "math"): Tally(0.75, 2),
        ("a", "code"): Tally(0.0, 1),
        ("b", "math"): Tally(1.0, 1),
    }


async def test_a_record_that_cannot_be_read_is_passed_over(database: Database) -> None:
    request_id = uuid4()
    await store(database, request_id, b"\xff{")
    await database.feedback.put(request_id, 1)
    assert await database.feedback.quality() == {}
    assert [one.model for one in await database.feedback.outcomes(10)] == [None]


async def test_every_page_counts_and_what_is_older_than_the_window_does_not(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    monkeypatch.setattr(module, "WINDOW", 4)
    for score in (0, 1, 1, 1, 1):
        await database.feedback.put(await receipt(database), score)
    assert await database.feedback.quality() == {("a", "math"): Tally(1.0, 4)}


async def test_a_database_that_is_away_is_told_and_may_be_asked_again(database_url: str) -> None:
    pool = await asyncpg.create_pool(database_url.replace("/test_", "/gone_"), min_size=0)
    store = FeedbackStore(pool)
    for ask in (store.put(uuid4(), 1), store.outcomes(1), store.quality()):
        with pytest.raises(ProofUnavailable, match="/ready") as away:
            await ask
        assert away.value.spent is False
    await pool.close()
