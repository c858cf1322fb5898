"""Runs that must hold something before they begin, through the group committer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest
from tests.payers import PAYER, limited
from tests.store.receipts import make

from prysm.core.caller import DEFAULT_ID
from prysm.errors import BudgetExceeded, ProofUnavailable
from prysm.store.committer import GroupCommitter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prysm.proof.sealed import Sealed
    from prysm.store.connection import Connection

BUDGET = UUID(int=77)
WINDOW = "SELECT spent_nano, held_nano, unknown_nano FROM budget_window WHERE budget = $1"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Connection]:
    """A connection beside the committer's, with one hard budget of a thousand."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO budget (id, org, period, limit_nano) VALUES ($1, $2, 'day', 1000)", BUDGET, DEFAULT_ID
    )
    yield connection
    await connection.close()


@pytest.fixture
async def committer(database_url: str, database: Connection) -> AsyncIterator[GroupCommitter]:
    assert database
    opened = await GroupCommitter.open(database_url)
    yield opened
    await opened.close()


async def window(database: Connection) -> tuple[int, int, int]:
    row = await database.fetchrow(WINDOW, BUDGET)
    assert row is not None
    return row["spent_nano"], row["held_nano"], row["unknown_nano"]


def charged(sealed: Sealed, cost: int | None) -> Sealed:
    """The receipt with what its run is charged."""
    used = {
        "id": sealed.request_id,
        "outcome": "ok",
        "model": "m",
        "provider": "p",
        "tokens_in": 1,
        "tokens_out": 2,
    }
    sealed.charge = orjson.dumps(PAYER.whose() | used | {"cost": cost, "estimated": False})
    return sealed


async def test_a_run_holds_its_worst_case_and_pays_what_it_cost(
    committer: GroupCommitter, database: Connection
) -> None:
    sealed = charged(make(), 120)
    await committer.intend(sealed.request_id, b"{}", limited(700, (BUDGET,)))
    assert await window(database) == (0, 700, 0)
    await committer.put(sealed)
    assert await window(database) == (120, 0, 0)


async def test_what_does_not_fit_is_refused_and_leaves_nothing_behind(
    committer: GroupCommitter, database: Connection
) -> None:
    first, second, third = uuid4(), uuid4(), uuid4()
    asked = [committer.intend(i, b"{}", limited(held, (BUDGET,))) for i, held in ((first, 700), (second, 400))]
    assert isinstance((await asyncio.gather(*asked, return_exceptions=True))[1], BudgetExceeded)
    await committer.intend(third, b"{}", limited(300, (BUDGET,)))
    assert {row["request_id"] for row in await database.fetch("SELECT request_id FROM intent")} == {first, third}
    assert await window(database) == (0, 1000, 0)


async def test_the_refusal_says_what_is_left(committer: GroupCommitter) -> None:
    await committer.intend(uuid4(), b"{}", limited(700, (BUDGET,)))
    with pytest.raises(BudgetExceeded, match=r"\$0\.000000") as caught:
        await committer.intend(uuid4(), b"{}", limited(301, (BUDGET,)))
    assert caught.value.left_nano == 300


async def test_what_is_free_is_let_in_though_the_budget_is_used_up(committer: GroupCommitter) -> None:
    await committer.intend(uuid4(), b"{}", limited(1000, (BUDGET,)))
    await committer.intend(uuid4(), b"{}", limited(0, (BUDGET,)))


async def test_a_caller_who_leaves_while_he_waits_leaves_nothing_held(
    committer: GroupCommitter, database: Connection
) -> None:
    for _ in range(20):
        run = uuid4()
        asked = committer.intend(run, b"{}", limited(900, (BUDGET,)))
        await asyncio.sleep(0)
        asked.cancel()
        committer.release(run)
    await committer.intend(uuid4(), b"{}", limited(1000, (BUDGET,)))
    assert await window(database) == (0, 1000, 0)


async def test_a_run_that_ends_without_a_known_cost_keeps_its_hold_as_unknown(
    committer: GroupCommitter, database: Connection
) -> None:
    sealed = make()
    await committer.intend(sealed.request_id, b"{}", limited(700, (BUDGET,)))
    await committer.put(sealed)
    assert await window(database) == (0, 0, 700)
    assert await database.fetchval("SELECT outcome FROM usage WHERE request_id = $1", sealed.request_id) == (
        "interrupted"
    )


async def test_a_receipt_that_is_put_twice_is_charged_once(committer: GroupCommitter, database: Connection) -> None:
    sealed = charged(make(), 120)
    await committer.intend(sealed.request_id, b"{}", limited(700, (BUDGET,)))
    await committer.put(sealed)
    await committer.put(sealed)
    assert await window(database) == (120, 0, 0)
    assert await database.fetchval("SELECT count(*) FROM usage") == 1
    assert await database.fetchval("SELECT sum(amount_nano) FROM ledger_entry") == 120


async def test_when_the_connection_is_lost_nobody_is_let_in_twice(
    committer: GroupCommitter, database: Connection
) -> None:
    runs = [uuid4() for _ in range(30)]
    asked = [committer.intend(run, b"{}", limited(50, (BUDGET,))) for run in runs]
    await asyncio.sleep(0)
    await database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    told = await asyncio.gather(*asked, return_exceptions=True)
    let_in = {run for run, said in zip(runs, told, strict=True) if not isinstance(said, BaseException)}
    assert len(let_in) == 20
    assert {type(said) for said in told if isinstance(said, BaseException)} == {BudgetExceeded}
    assert {row["request_id"] for row in await database.fetch("SELECT request_id FROM intent")} == let_in
    assert await window(database) == (0, 1000, 0)


async def test_without_a_database_a_limited_run_does_not_begin(database_url: str) -> None:
    committer = await GroupCommitter.open(database_url)
    await committer.close()
    with pytest.raises(ProofUnavailable):
        await committer.intend(uuid4(), b"{}", limited(1, (BUDGET,)))
