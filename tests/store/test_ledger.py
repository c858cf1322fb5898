"""What the two functions do to the books, one case at a time, and that damage to the books is named."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.till import Run, Till, budget, organisation, payer

from prysm.store.audit import Event
from prysm.store.credits import Booking, CreditStore
from prysm.store.ledger import ledger_defects

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

BALANCES = "SELECT name, sum(balance_nano)::bigint AS nano FROM ledger_account WHERE org = $1 GROUP BY name"
WINDOW = "SELECT spent_nano, held_nano, unknown_nano FROM budget_window WHERE budget = $1"


@pytest.fixture
async def till(database_url: str) -> AsyncIterator[Till]:
    opened = await Till.open(database_url)
    yield opened
    assert await ledger_defects(opened.connection) == []
    await opened.connection.close()


async def balances(till: Till, org: UUID) -> dict[str, int]:
    return {row["name"]: row["nano"] for row in await till.connection.fetch(BALANCES, org)}


async def window(till: Till, over: UUID) -> tuple[int, ...]:
    return tuple(await till.connection.fetchrow(WINDOW, over) or ())


def refusals(verdicts: list[dict[str, Any]]) -> list[str | None]:
    return [verdict["refused"]["kind"] if "refused" in verdict else None for verdict in verdicts]


async def test_a_prepaid_run_holds_its_worst_case_and_gives_back_what_it_did_not_use(till: Till) -> None:
    org = await organisation(till.connection, 100)
    run = Run(payer(org, 60, prepaid=True), cost=25)
    assert refusals(await till.admit([run])) == [None]
    assert await balances(till, org) == {"funding": -100, "credits": 40, "held": 60}
    await till.settle([run])
    assert await balances(till, org) == {"funding": -100, "credits": 75, "held": 0, "open": 0, "spent": 25}


async def test_what_goes_beyond_the_hold_is_not_taken_from_credits_that_others_hold(till: Till) -> None:
    org = await organisation(till.connection, 100)
    run = Run(payer(org, 60, prepaid=True), cost=70)
    await till.admit([run])
    await till.settle([run])
    assert await balances(till, org) == {"funding": -100, "credits": 40, "held": 0, "open": -10, "spent": 70}


async def test_credits_are_never_held_twice_within_a_batch(till: Till) -> None:
    org = await organisation(till.connection, 100)
    runs = [Run(payer(org, 40, prepaid=True)) for _ in range(4)]
    assert refusals(await till.admit(runs)) == [None, None, "credits", "credits"]


async def test_a_hard_budget_refuses_and_a_soft_one_warns(till: Till) -> None:
    org = await organisation(till.connection)
    hard, soft = await budget(till.connection, org, 100), await budget(till.connection, org, 50, hard=False)
    runs = [Run(payer(org, 40, budgets=[hard, soft]), cost=30) for _ in range(3)]
    verdicts = await till.admit(runs)
    assert refusals(verdicts) == [None, None, "budget"]
    assert [verdict.get("warned") for verdict in verdicts] == [[], [str(soft)], None]
    assert verdicts[2]["refused"] == {"kind": "budget", "budget": str(hard), "left": 20}
    await till.settle(runs[:2])
    assert await window(till, hard) == await window(till, soft) == (60, 0, 0)


@pytest.mark.parametrize("cut_off", [Run({}, charged=False), Run({}, cost=None)], ids=["a crash", "no price"])
async def test_what_nobody_knows_costs_nobody_credits_and_counts_as_held(till: Till, cut_off: Run) -> None:
    org = await organisation(till.connection, 100)
    over = await budget(till.connection, org, 100)
    run = Run(payer(org, 40, prepaid=True, budgets=[over]), cut_off.cost, cut_off.charged)
    await till.admit([run])
    await till.settle([run])
    assert await balances(till, org) == {"funding": -100, "credits": 100, "held": 0}
    assert await window(till, over) == (0, 0, 40)
    assert await till.connection.fetchval("SELECT cost_nano FROM usage WHERE request_id = $1", run.id) is None


async def test_a_statement_that_is_sent_twice_counts_once(till: Till) -> None:
    org = await organisation(till.connection, 100)
    run = Run(payer(org, 100, prepaid=True), cost=30)
    for again in ([run], [run], [run, run]):
        assert set(refusals(await till.admit(again))) == {None}
    await till.settle([run])
    await till.settle([run])
    assert await balances(till, org) == {"funding": -100, "credits": 70, "held": 0, "open": 0, "spent": 30}


async def test_a_run_is_settled_into_the_window_that_it_was_admitted_in(till: Till) -> None:
    org = await organisation(till.connection)
    over = await budget(till.connection, org, 100, period="day")
    run = Run(payer(org, 40, budgets=[over]), cost=30)
    await till.admit([run])
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    await till.connection.execute("UPDATE budget_window SET starts = $1", yesterday)
    await till.connection.execute(
        "UPDATE intent SET payer = jsonb_set(payer, '{windows,0,starts}', to_jsonb($1::date))", yesterday
    )
    later = Run(payer(org, 100, budgets=[over]), cost=100)
    assert refusals(await till.admit([later])) == [None]
    await till.settle([run, later])
    rows = await till.connection.fetch("SELECT spent_nano, held_nano FROM budget_window ORDER BY starts")
    assert [tuple(row) for row in rows] == [(30, 0), (100, 0)]


async def test_a_budget_that_ended_meanwhile_still_gets_back_what_was_held_in_it(till: Till) -> None:
    org = await organisation(till.connection)
    over = await budget(till.connection, org, 100)
    run = Run(payer(org, 100, budgets=[over]), cost=30)
    await till.admit([run])
    await till.connection.execute("UPDATE budget SET deleted_at = now()")
    assert refusals(await till.admit([Run(payer(org, 500, budgets=[over]))])) == [None]
    await till.settle([run])
    assert await window(till, over) == (30, 0, 0)


Costs = st.tuples(st.integers(0, 60), st.integers(0, 60) | st.none(), st.booleans())


@given(batches=st.lists(st.lists(Costs, min_size=1, max_size=5), max_size=6), limit=st.integers(0, 150))
@settings(max_examples=25)
def test_admission_decides_as_one_till_would_that_takes_one_run_after_another(
    postgres_url: str, batches: list[list[tuple[int, int | None, bool]]], limit: int
) -> None:
    async def checked() -> None:
        till = await Till.open(postgres_url)
        org = await organisation(till.connection, limit + 50)
        over, left, credits_left = await budget(till.connection, org, limit), limit, limit + 50
        for batch in batches:
            runs = [
                Run(payer(org, held, prepaid=True, budgets=[over]), None if cost is None else min(cost, held), told)
                for held, cost, told in batch
            ]
            expected: list[str | None] = []
            admitted = []
            for run in runs:
                held = run.payer["held"]
                why = "budget" if held and held > left else "credits" if held and held > credits_left else None
                expected.append(why)
                if why is None:
                    left, credits_left = left - held, credits_left - held
                    admitted.append(run)
            assert refusals(await till.admit(runs)) == expected
            await till.settle(admitted)
            for run in admitted:
                held, known = run.payer["held"], run.charged and run.cost is not None
                left += held - (run.cost or 0) if known else 0
                credits_left += held - (run.cost or 0) if known else held
        assert (await balances(till, org))["credits"] == credits_left
        assert sum(await window(till, over)) == (limit - left if batches else 0)
        await till.connection.close()

    asyncio.run(checked())


async def test_a_booking_that_is_sent_twice_is_made_once(till: Till, database_url: str) -> None:
    org = await organisation(till.connection)
    pool = await asyncpg.create_pool(database_url, min_size=0)
    store = CreditStore(pool)
    for amount in (50, -20):
        booking = Booking(uuid4(), "adjust", amount)
        event = Event("credits.book", str(org))
        assert await asyncio.gather(*(store.book(event, org, booking) for _ in range(4))) == [True] * 4
    assert await balances(till, org) == {"funding": -30, "credits": 30}
    assert await till.connection.fetchval("SELECT count(*) FROM audit_event") == 2
    await pool.close()


async def test_sums_are_told_in_full(database_url: str) -> None:
    till = await Till.open(database_url)
    org = await organisation(till.connection)
    run = Run(payer(org), cost=300_000)
    await till.admit([run])
    await till.settle([run])
    await till.connection.execute("UPDATE usage SET cost_nano = 100000")
    said = [sentence.partition(": ")[2] for sentence in await ledger_defects(till.connection)]
    await till.connection.close()
    assert said == [
        "it used 100000, and 300000 were settled",
        "its runs used 100000 since ever, and 300000 are spent",
    ]


TAMPERED = [
    ("UPDATE ledger_account SET balance_nano = balance_nano + 1 WHERE name = 'open'", "add up to 1 nano"),
    (
        "UPDATE ledger_account SET balance_nano = balance_nano + 1 WHERE name = 'spent'",
        "it has 31, and its entries",
    ),
    ("DELETE FROM ledger_account WHERE name = 'funding'", "it has 0, and its entries add up to -200"),
    ("UPDATE usage SET cost_nano = 31 WHERE cost_nano = 30", "it used 31, and 30 were settled"),
    ("DELETE FROM usage WHERE cost_nano = 30", "it used 0, and 30 were settled"),
    (
        """UPDATE usage SET parts = '[{"cost": 9}, {"cost": 20}]' WHERE cost_nano = 30""",
        "it used 30, and the models that it called 29",
    ),
    ("DELETE FROM intent", "it has 40, and the runs under way hold 0"),
    ("UPDATE budget_window SET held_nano = 39", "39 are held, and the runs under way hold 40"),
]


@pytest.mark.parametrize(("damage", "said"), TAMPERED)
async def test_damage_to_the_books_is_named(database_url: str, damage: str, said: str) -> None:
    till = await Till.open(database_url)
    org = await organisation(till.connection, 200)
    over = await budget(till.connection, org, 200)
    done, free, open_one = (
        Run(payer(org, 40, prepaid=True, budgets=[over]), cost=30),
        Run(payer(org, 0, prepaid=True)),
        Run(payer(org, 40, prepaid=True, budgets=[over])),
    )
    await till.admit([free])
    await till.settle([free])
    await till.admit([done, open_one])
    await till.settle([done])
    assert await ledger_defects(till.connection) == []
    await till.connection.execute(damage)
    assert said in "\n".join(await ledger_defects(till.connection))
    await till.connection.close()


async def test_a_run_that_an_earlier_release_began_is_ended_without_a_payer(till: Till) -> None:
    run = Run({}, charged=False)
    await till.connection.execute("INSERT INTO intent (request_id, body) VALUES ($1, '')", run.id)
    await till.settle([run])
    assert await till.connection.fetchval("SELECT count(*) FROM intent") == 0


async def test_a_run_that_nothing_limits_is_only_written_down(till: Till) -> None:
    org = await organisation(till.connection)
    run = Run(payer(org), cost=30)
    await till.settle([run])
    assert await balances(till, org) == {"open": -30, "spent": 30}


async def test_tokens_that_were_not_used_go_back_into_the_bucket(till: Till) -> None:
    org = await organisation(till.connection)
    meters = [{"subject": org, "rpm": None, "tpm": 60, "concurrency": 1, "tokens": 40}]
    run = Run(payer(org, meters=meters))
    (verdict,) = await till.admit([run])
    assert [(meter["kind"], meter["limit"], meter["left"]) for meter in verdict["meters"]] == [
        ("runs", 1, 0),
        ("tokens", 60, 20),
    ]
    assert refusals(await till.admit([Run(payer(org, meters=meters))])) == ["runs"]
    await till.settle([run])  # it used 15 of the 40
    levels = {row["kind"]: row["level"] for row in await till.connection.fetch("SELECT kind, level FROM meter")}
    assert levels["runs"] == 0
    assert 45 <= levels["tokens"] <= 46
