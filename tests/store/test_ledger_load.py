"""Several gateways at once, over few organisations, budgets and meters: the books agree at every moment."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.store.till import Run, Till, budget, organisation, payer, shuffled

from prysm.store.ledger import ledger_defects

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

GATEWAYS, BATCHES = 6, 14
COST = 1000
"""The most that a run holds."""
HELD_WITHIN = """
    SELECT count(*) FROM budget JOIN budget_window ON budget = id
    WHERE hard AND spent_nano + held_nano + unknown_nano > limit_nano
"""
NOTHING_LEFT = {"held": 0, "windows": 0, "runs": 0, "negative": 0, "sum": 0, "beyond": 0}


@dataclass
class Scene:
    """Who may pay, and the runs that are under way."""

    tills: list[Till]
    chance: random.Random
    orgs: list[UUID] = field(default_factory=list)
    prepaid: set[UUID] = field(default_factory=set)
    budgets: dict[UUID, list[UUID]] = field(default_factory=dict)
    keys: list[UUID] = field(default_factory=lambda: [uuid4(), uuid4()])
    live: list[Run] = field(default_factory=list)
    left: int = 5
    """So many are never ended: their gateway was killed."""
    admitted: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    async def fill(self) -> None:
        """One organisation with few credits, one with many, and one that pays later; budgets over each."""
        connection = self.tills[0].connection
        for n in range(3):
            org = await organisation(connection, [4 * COST, 100 * COST, None][n])
            self.orgs.append(org)
            self.prepaid |= {org} if n < 2 else set()
            limits = [("total", 8, True), ("day", 5, n == 2), ("month", 2, False)]
            self.budgets[org] = [
                await budget(connection, org, most * COST, hard=hard, period=period)
                for period, most, hard in limits
            ]

    def run(self) -> Run:
        """Any run."""
        chance, org = self.chance, self.chance.choice(self.orgs)
        held = chance.choice([0, chance.randint(1, COST)])
        meters = [
            {"subject": chance.choice(self.keys), "rpm": 4000, "tpm": None, "concurrency": 12, "tokens": 0},
            {"subject": org, "rpm": None, "tpm": 900, "concurrency": 40, "tokens": 20},
        ]
        return Run(
            payer(
                org,
                held,
                prepaid=org in self.prepaid,
                budgets=chance.sample(self.budgets[org], chance.randint(0, 3)),
                meters=chance.sample(meters, chance.randint(0, 2)),
            ),
            cost=chance.choice([None, chance.randint(0, held), held]),
            charged=chance.random() < 0.8,
        )

    async def work(self, till: Till, again: Till) -> None:
        """One gateway. `again` is the connection on which it sends anew what it had no answer to."""
        for _ in range(BATCHES):
            runs = [self.run() for _ in range(self.chance.randint(1, 20))]
            first, *_ = await asyncio.gather(*(one.admit(runs) for one in self._senders(till, again)))
            if self.chance.random() < 0.2:
                first = await till.admit(runs)
            self._count(runs, first)
            if self.chance.random() < 0.8:
                await self.end(self.chance.randint(0, 25), self._senders(till, again))

    async def end(self, most: int, tills: list[Till]) -> None:
        """Settle some, in any order, over every one of the tills."""
        ending = shuffled(self.chance, self.live[self.left :])[:most]
        self.live = [run for run in self.live if run not in ending]
        await asyncio.gather(*(till.settle(ending) for till in tills))

    def _senders(self, till: Till, again: Till) -> list[Till]:
        return [till, again] if self.chance.random() < 0.3 else [till]

    def _count(self, runs: list[Run], verdicts: list[dict[str, Any]]) -> None:
        for run, verdict in zip(runs, verdicts, strict=True):
            if "refused" in verdict:
                kind = verdict["refused"]["kind"]
                self.refused[kind] = self.refused.get(kind, 0) + 1
            else:
                self.admitted += 1
                self.live.append(run)


@pytest.fixture
async def tills(database_url: str) -> AsyncIterator[list[Till]]:
    """Two connections for every gateway: one that it works on, and one that it opens when an answer was lost."""
    opened = [await Till.open(database_url) for _ in range(GATEWAYS)]
    opened += [Till(await asyncpg.connect(database_url), till.gateway) for till in opened]
    yield opened
    for till in opened:
        await till.connection.close()


async def _watch(url: str, done: asyncio.Event) -> int:
    """Look at the books again and again while everybody is at work."""
    looks, connection = 0, await asyncpg.connect(url)
    while not done.is_set():
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            assert await ledger_defects(connection) == []
            assert await connection.fetchval(HELD_WITHIN) == 0
        looks += 1
    await connection.close()
    return looks


@pytest.mark.parametrize("seed", range(3))
async def test_the_books_agree_at_every_moment_of_hundreds_of_runs(
    tills: list[Till], database_url: str, seed: int
) -> None:
    scene = Scene(tills, random.Random(seed))  # noqa: S311 -- a test that can be repeated
    await scene.fill()
    done = asyncio.Event()
    watching = asyncio.create_task(_watch(database_url, done))
    await asyncio.gather(*(scene.work(*pair) for pair in zip(tills[:GATEWAYS], tills[GATEWAYS:], strict=True)))
    done.set()
    assert await watching > 3
    assert scene.admitted > 50
    assert scene.refused.keys() == {"budget", "credits", "runs", "tokens"}
    assert await _rest(tills[0]) != NOTHING_LEFT

    await _reaped(tills[0])
    assert await ledger_defects(tills[0].connection) == []
    assert await _rest(tills[0]) == NOTHING_LEFT


async def _reaped(till: Till) -> None:
    """Seal what was left behind, as any gateway does."""
    for row in await till.connection.fetch("SELECT request_id FROM intent"):
        await till.settle([Run({}, charged=False, id=row["request_id"])])


async def _rest(till: Till) -> dict[str, int]:
    """What is to be nothing in the end."""
    return dict(
        await till.connection.fetchrow(f"""
            SELECT sum(balance_nano) FILTER (WHERE name = 'held')::int AS held,
                (SELECT sum(held_nano)::int FROM budget_window) AS windows,
                (SELECT sum(level)::int FROM meter WHERE kind = 'runs') AS runs,
                count(*) FILTER (WHERE name NOT IN ('funding', 'open') AND balance_nano < 0)::int AS negative,
                sum(balance_nano)::int AS sum, ({HELD_WITHIN})::int AS beyond
            FROM ledger_account
        """)  # noqa: S608 -- a constant of ours
        or {}
    )
