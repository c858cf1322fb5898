"""Turns are shared fairly, the queue is bounded, and no place is ever lost."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.accounts.queue import FairQueue
from prysm.errors import DeadlineExceeded, Overloaded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

A, B, C = (UUID(int=n) for n in range(3))


@asynccontextmanager
async def turn(queue: FairQueue, org: UUID) -> AsyncIterator[None]:
    """A place for the block, as a run has it."""
    if not queue.take():
        await queue.wait(org)
    try:
        yield
    finally:
        queue.leave()


class Desk:
    """A queue, and who was served in which order; each holds its place until it is told."""

    def __init__(self, max_runs: int, max_waiting: int) -> None:
        self.queue = FairQueue(max_runs, max_waiting)
        self.served: list[UUID] = []
        self.runs: list[tuple[UUID, asyncio.Task[None]]] = []
        self.at_work: list[asyncio.Event] = []

    async def come(self, orgs: Sequence[UUID]) -> None:
        """One after the other."""
        for org in orgs:
            self.runs.append((org, asyncio.create_task(self._run(org))))
            await asyncio.sleep(0)

    async def finish(self, count: int = 1) -> None:
        """The first of those at work."""
        for _ in range(count):
            self.at_work.pop(0).set()
            for _ in range(3):
                await asyncio.sleep(0)

    async def all_end(self) -> None:
        """Everybody is served, or was refused."""
        while self.at_work:
            await self.finish()
        assert all(task.done() for _, task in self.runs)
        assert (self.queue.running, self.queue.waiting) == (0, 0)

    @property
    def refused(self) -> Counter[UUID]:
        """Of whom, so many."""
        return Counter(org for org, task in self.runs if task.done() and isinstance(task.exception(), Overloaded))

    async def _run(self, org: UUID) -> None:
        async with turn(self.queue, org):
            self.served.append(org)
            self.at_work.append(done := asyncio.Event())
            await done.wait()


async def test_organisations_take_turns_however_many_each_sends() -> None:
    desk = Desk(1, 100)
    await desk.come([A] * 6 + [B] * 2 + [C])
    await desk.all_end()
    assert desk.served == [A, A, B, C, A, B, A, A, A]


async def test_within_one_organisation_who_came_first_is_served_first() -> None:
    queue, served = FairQueue(1, 10), []

    async def run(number: int) -> None:
        async with turn(queue, A):
            served.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*map(run, range(8)))
    assert served == list(range(8))


async def test_no_more_run_than_may_and_none_waits_while_a_place_is_free() -> None:
    desk = Desk(3, 10)
    await desk.come([A] * 5)
    assert (len(desk.at_work), desk.queue.running, desk.queue.waiting) == (3, 3, 2)
    await desk.finish()
    assert (len(desk.at_work), desk.queue.running, desk.queue.waiting) == (3, 3, 1)
    await desk.all_end()


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back() -> None:
    desk = Desk(1, 2)
    await desk.come([A] * 3)
    with pytest.raises(Overloaded, match="full") as caught:
        async with turn(desk.queue, A):
            pass
    assert caught.value.retry_after_s == 1
    await desk.all_end()


async def test_whoever_waits_with_most_loses_first_so_that_one_cannot_push_out_the_others() -> None:
    desk = Desk(1, 10)
    await desk.come([A] * 30)
    assert desk.refused == {A: 19}
    await desk.come([B, B, C] + [A] * 20)
    assert desk.refused == {A: 19 + 3 + 20}
    await desk.all_end()
    assert Counter(desk.served) == {A: 8, B: 2, C: 1}


async def test_two_who_both_want_all_get_half_of_the_queue_each() -> None:
    desk = Desk(1, 10)
    await desk.come([C] + [A] * 30 + [B] * 30)
    await desk.all_end()
    assert Counter(desk.served) == {A: 5, B: 5, C: 1}


async def test_nobody_is_refused_for_a_newcomer_who_would_then_wait_with_as_many() -> None:
    desk = Desk(1, 9)
    await desk.come([C] + [A] * 5 + [B] * 4)
    await desk.come([B])
    assert desk.refused == {B: 1}
    await desk.all_end()


async def test_of_those_who_wait_with_most_the_last_to_come_is_refused() -> None:
    desk = Desk(1, 3)
    await desk.come([A] * 4 + [B])
    await asyncio.sleep(0)
    assert [task.done() for _, task in desk.runs] == [False, False, False, True, False]
    await desk.all_end()


async def test_a_queue_of_no_length_refuses_what_cannot_run_now() -> None:
    desk = Desk(2, 0)
    await desk.come([A, B, C, A])
    assert desk.refused == {C: 1, A: 1}
    await desk.all_end()


async def test_a_turn_that_comes_to_somebody_who_hung_up_goes_to_the_next() -> None:
    desk = Desk(1, 10)
    await desk.come([A, B, C])
    desk.at_work.pop().set()
    await asyncio.sleep(0)  # the place is B's now, who has not been told yet
    assert desk.served == [A]
    desk.runs[1][1].cancel("gone")
    await asyncio.gather(desk.runs[1][1], return_exceptions=True)
    await asyncio.sleep(0)
    assert desk.served == [A, C]
    await desk.finish()
    assert (desk.queue.running, desk.queue.waiting) == (0, 0)


async def test_why_a_run_was_cancelled_is_told_to_it() -> None:
    desk = Desk(1, 10)
    await desk.come([A, B])
    desk.runs[1][1].cancel("gone")
    with pytest.raises(asyncio.CancelledError, match="gone"):
        await desk.runs[1][1]
    assert desk.queue.waiting == 0
    await desk.finish()


@given(st.integers(1, 4), st.integers(0, 6), st.integers(0, 2**32))
def test_whatever_comes_ends_fails_or_hangs_up_no_place_is_lost(runs: int, waiting: int, seed: int) -> None:
    asyncio.run(_storm(FairQueue(runs, waiting), random.Random(seed)))  # noqa: S311 - a test that can be repeated


async def _storm(queue: FairQueue, chance: random.Random) -> None:
    working, most = 0, 0

    async def run(org: UUID) -> None:
        nonlocal working, most
        async with turn(queue, org):
            working += 1
            most = max(most, working)
            try:
                for _ in range(chance.randint(0, 3)):
                    await asyncio.sleep(0)
                if chance.random() < 0.2:
                    raise ValueError
            finally:
                working -= 1

    tasks: list[asyncio.Task[None]] = []
    for _ in range(60):
        tasks += [asyncio.create_task(run(chance.choice([A, A, A, B, C]))) for _ in range(chance.randint(0, 3))]
        for task in chance.sample(tasks, min(len(tasks), chance.randint(0, 2))):
            task.cancel()
        if chance.random() < 0.8:
            await asyncio.sleep(0)
        assert queue.running <= queue.max_runs
        assert queue.waiting <= queue.max_waiting
        assert queue.waiting == 0 or queue.running == queue.max_runs
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        assert ended is None or isinstance(ended, (asyncio.CancelledError, Overloaded, ValueError))
    assert most <= queue.max_runs
    assert (queue.running, queue.waiting, queue._lanes) == (0, 0, {})


@given(st.lists(st.sampled_from([A, B, C]), min_size=1, max_size=40))
def test_between_two_turns_of_one_everybody_who_waits_has_a_turn(orgs: list[UUID]) -> None:
    served = asyncio.run(_served(orgs))
    for org in set(orgs):
        turns = [at for at, one in enumerate(served) if one == org]
        for before, after in pairwise(turns):
            between = Counter(served[before + 1 : after])
            assert all(count == 1 for count in between.values())


async def _served(orgs: list[UUID]) -> list[UUID]:
    desk = Desk(1, len(orgs))
    await desk.come([UUID(int=9), *orgs])
    await desk.all_end()
    return desk.served[1:]


async def test_who_has_a_deadline_waits_no_longer_and_leaves_no_trace() -> None:
    queue = FairQueue(1, 10)
    assert queue.take()
    with pytest.raises(DeadlineExceeded) as caught:
        await queue.wait(A, 0.01)
    assert (caught.value.spent, queue.waiting, queue.running) == (False, 0, 1)
    queue.leave()
    assert queue.take()
