"""Whatever comes and goes: turns are shared fairly, the rates are kept, and nobody is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import permutations
from typing import TypeAlias
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from tests.resilience.scripted_provider import Hands

from prysm.resilience.rates import Rates
from prysm.resilience.slots import PAYS, Slots

ORGS = tuple(UUID(int=number) for number in range(3))
SIZE, RPM, TPM = 3, 30, 600

Arrivals: TypeAlias = list[tuple[UUID, int, float]]
"""Of calls that come together: who pays, tokens, patience in seconds."""
Step: TypeAlias = tuple[Arrivals, int | None, tuple[int, int] | None, float]
"""Who comes, who of those that wait is cancelled, who of those under way ends with what left over, time that passes."""

STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from(ORGS), st.integers(0, 900), st.floats(0, 200)), max_size=20),
        st.none() | st.integers(0, 99),
        st.none() | st.tuples(st.integers(0, 99), st.integers(0, 900)),
        st.sampled_from((0.0, 2.0)) | st.floats(0, 60),
    ),
    max_size=25,
)


class Ledger:
    """A minute's worth, kept apart from `Bucket`; what is not there cannot be spent."""

    def __init__(self, size: float) -> None:
        self.size = self.level = size

    def add(self, amount: float) -> None:
        """Fill up; no more than a minute's worth fits in."""
        self.level = min(self.size, self.level + amount)

    def has(self, amount: float) -> bool:
        """Whether so much may be taken, give or take what fractions lose."""
        return self.level >= min(amount, self.size) - 1e-3


class Crowd:
    """Calls as they come, wait, run and end."""

    def __init__(self) -> None:
        self.hands = Hands()
        self.slots = Slots(SIZE, Rates(RPM, TPM, self.hands.clock), self.hands.clock)
        self.requests, self.tokens = Ledger(RPM), Ledger(TPM)
        self.events: list[tuple[str, UUID]] = []  # a call "waits", then has its "turn" or has "left"
        self.order: dict[UUID, list[int]] = {org: [] for org in ORGS}
        self.tasks: list[asyncio.Task[str]] = []
        self.waiting: dict[int, int] = {}
        self.under_way: dict[int, int] = {}

    async def call(self, number: int, org: UUID, tokens: int, patience: float) -> str:
        """One call, until it is under way or refused."""
        PAYS.set(org)
        if not self.slots.take(tokens):
            self.events.append(("waits", org))
            self.waiting[number] = tokens
            outcome = "left"
            try:
                outcome = "turn" if await self.slots.wait(patience, tokens) is None else "left"
            finally:
                del self.waiting[number]
                self.events.append((outcome, org))
            if outcome == "left":
                return "refused"
        self.goes(number, org, tokens)
        return "went"

    def goes(self, number: int, org: UUID, tokens: int) -> None:
        """It is let go, and has to be within all limits."""
        assert self.requests.has(1), "more requests than the rate"
        assert self.tokens.has(tokens), "more tokens than the rate"
        self.requests.level -= 1
        self.tokens.level -= tokens
        self.order[org].append(number)
        self.under_way[number] = tokens
        assert len(self.under_way) <= SIZE

    async def step(self, step: Step) -> None:
        """What happens, one thing after the other."""
        arrivals, cancelled, ended, pause = step
        for arrival in arrivals:
            self.tasks.append(asyncio.create_task(self.call(len(self.tasks), *arrival)))
            await self.settle()
        if cancelled is not None and self.waiting:
            self.tasks[[*self.waiting][cancelled % len(self.waiting)]].cancel()
            await self.settle()
        if ended is not None and self.under_way:
            await self.end([*self.under_way][ended[0] % len(self.under_way)], ended[1])
        self.requests.add(pause * RPM / 60)
        self.tokens.add(pause * TPM / 60)
        self.hands.advance(pause)
        await self.settle()

    async def end(self, number: int, left_over: int) -> None:
        """It has answered."""
        unused = min(left_over, self.under_way.pop(number))
        self.tokens.add(unused)
        self.slots.release(unused)
        await self.settle()

    async def settle(self) -> None:
        """Let everyone come as far as they get; nobody waits who could go."""
        for _ in range(3):
            await asyncio.sleep(0)
        room = len(self.under_way) < SIZE and self.requests.has(1.01)
        assert not (room and self.waiting and self.tokens.has(max(self.waiting.values()) + 1e-2)), (
            "waits for nothing"
        )

    async def finish(self) -> None:
        """All that are under way end, and all that wait have their turn or lose their patience."""
        while self.waiting or self.under_way:
            await self.step(([], None, (0, 0), 10.0))


def furthest_ahead(events: list[tuple[str, UUID]], one: UUID, other: UUID) -> int:
    """How many turns more than `one` the `other` has had at most, over any window in which `one` always waits."""
    waiting = ahead = most = 0
    for event, org in events:
        if org == one:
            waiting += 1 if event == "waits" else -1
            ahead = max(0, ahead - (event == "turn")) if waiting else 0
        elif org == other and event == "turn" and waiting:
            ahead += 1
            most = max(most, ahead)
    return most


@given(STEPS)
def test_no_organisation_that_waits_is_two_turns_behind_and_nobody_is_lost(steps: list[Step]) -> None:
    async def scenario() -> None:
        crowd = Crowd()
        for step in steps:
            await crowd.step(step)
        await crowd.finish()
        ends = Counter("cancelled" if task.cancelled() else task.result() for task in crowd.tasks)
        assert ends["went"] == sum(len(order) for order in crowd.order.values())
        assert all(order == sorted(set(order)) for order in crowd.order.values()), "out of order, or served twice"
        assert all(furthest_ahead(crowd.events, *pair) <= 1 for pair in permutations(ORGS, 2))
        crowd.hands.advance(600)
        assert [crowd.slots.take(TPM // SIZE) for _ in range(SIZE + 1)] == [True] * SIZE + [False]

    asyncio.run(scenario())
