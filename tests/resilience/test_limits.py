"""What a provider accepts at once, and who waits for how long."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.resilience.scripted_provider import CALL, DONE, Hands, Scripted, spec

from prysm.errors import ProviderError
from prysm.resilience.lanes import Lanes, Refused, Turn
from prysm.resilience.limits import Limits
from prysm.resilience.slots import PAYS, QUEUE_PER_SLOT, Slots


def limited(script: Scripted, hands: Hands | None = None, **more: Any) -> Limits:
    return Limits(script, spec(**more), (hands or Hands()).clock)


async def wait(slots: Slots, org: UUID) -> Refused | None:
    PAYS.set(org)
    return await slots.wait(1)


async def test_no_more_calls_run_at_once_than_configured() -> None:
    script = Scripted([0.002] * 20)
    limits = limited(script, max_concurrency=3)
    await asyncio.gather(*(limits.complete(CALL) for _ in range(20)))
    assert (script.calls, script.most) == (20, 3)


async def test_those_who_wait_come_in_the_order_in_which_they_came() -> None:
    slots, order = Slots(1), list[int]()

    async def take(name: int) -> None:
        if not slots.take():
            assert await slots.wait(1) is None
        await asyncio.sleep(0)
        order.append(name)
        slots.release()

    await asyncio.gather(*(take(i) for i in range(10)))
    assert order == list(range(10))


async def test_a_call_that_finds_no_slot_in_time_fails_and_the_next_finds_one() -> None:
    hands = Hands()
    limits = limited(Scripted([0.01]), hands, max_concurrency=1, first_byte_timeout_s=5)
    first, second = (asyncio.create_task(limits.complete(CALL)) for _ in range(2))
    await asyncio.sleep(0)
    hands.advance(5)
    with pytest.raises(ProviderError, match="max_concurrency") as caught:
        await second
    error = caught.value
    assert (error.kind, error.sent, error.retry_after_s) == ("rate_limited", False, None)
    assert (await first).text == DONE.text
    assert (await limits.complete(CALL)).text == DONE.text


async def test_a_queue_that_is_full_takes_nobody_in() -> None:
    slots = Slots(1)
    assert slots.take()
    waiting = [asyncio.create_task(slots.wait(10)) for _ in range(QUEUE_PER_SLOT)]
    await asyncio.sleep(0)
    assert await slots.wait(10) == Refused("max_concurrency", None)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    slots.release()
    assert slots.take()


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=30))
def test_slots_are_never_lost_nor_made_whoever_leaves_when(script: list[tuple[int, bool]]) -> None:
    async def scenario() -> None:
        slots = Slots(2)

        async def call(turns: int) -> None:
            if not slots.take():
                assert await slots.wait(10) is None
            try:
                for _ in range(turns):
                    await asyncio.sleep(0)
            finally:
                slots.release()

        tasks = []
        for turns, cancelled in script:
            tasks.append(asyncio.create_task(call(turns)))
            await asyncio.sleep(0)
            if cancelled:
                tasks[len(tasks) // 2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert [slots.take() for _ in range(3)] == [True, True, False]

    asyncio.run(scenario())


async def test_a_slot_is_held_until_the_stream_ends_or_is_closed() -> None:
    limits = limited(Scripted(), max_concurrency=1)
    async with aclosing(limits.stream(CALL)) as pieces:
        await anext(pieces)
        waits = asyncio.create_task(limits.complete(CALL))
        await asyncio.sleep(0)
        assert not waits.done()
    assert (await waits).text == DONE.text


async def test_slots_come_back_after_failures() -> None:
    limits = limited(Scripted(["connect", "malformed"]), max_concurrency=1, first_byte_timeout_s=0.01)
    for _ in range(2):
        with pytest.raises(ProviderError, match="acme failed"):
            await limits.complete(CALL)
    assert await limits.complete(CALL) is DONE


async def test_who_asks_most_waits_longest() -> None:
    slots, order, noisy, quiet = Slots(1), list[str](), uuid4(), uuid4()

    async def take(org: UUID, name: str) -> None:
        PAYS.set(org)
        assert slots.take() or await slots.wait(1) is None
        order.append(name)
        await asyncio.sleep(0)
        slots.release()

    crowd = [asyncio.create_task(take(noisy, "noisy")) for _ in range(10)]
    await asyncio.sleep(0)
    await asyncio.gather(*crowd, take(quiet, "quiet"))
    assert order.index("quiet") <= 3


async def test_when_the_queue_is_full_the_longest_lane_loses_its_last() -> None:
    slots, noisy, quiet = Slots(1), uuid4(), uuid4()
    assert slots.take()
    crowd = [asyncio.create_task(wait(slots, noisy)) for _ in range(QUEUE_PER_SLOT)]
    await asyncio.sleep(0)
    other = asyncio.create_task(wait(slots, quiet))
    await asyncio.sleep(0)
    assert await crowd[-1] == Refused("max_concurrency", None)
    for task in (*crowd[:1], other):
        slots.release()
        assert await task is None
    for task in crowd[1:-1]:
        task.cancel()
    await asyncio.gather(*crowd[1:-1], return_exceptions=True)
    slots.release()
    assert slots.take()


async def test_where_lanes_are_equally_long_the_newcomer_does_not_get_in() -> None:
    lanes, ours, theirs = Lanes(), uuid4(), uuid4()
    turns = [Turn(org, 0, asyncio.get_running_loop().create_future()) for org in (theirs, theirs, ours, ours)]
    for turn in turns[:3]:
        lanes.add(turn)
    assert lanes.last_of_longest(turns[2]) is turns[1]
    lanes.add(turns[3])
    assert lanes.last_of_longest(turns[3]) is turns[3]


async def test_who_was_cancelled_and_has_not_left_yet_is_in_nobodys_way() -> None:
    slots = Slots(1)
    assert slots.take()
    first, *crowd, last = (asyncio.create_task(slots.wait(1)) for _ in range(QUEUE_PER_SLOT))
    await asyncio.sleep(0)
    newcomer = asyncio.create_task(wait(slots, uuid4()))
    last.cancel()
    await asyncio.sleep(0)
    first.cancel()
    for task in (crowd[0], newcomer):
        slots.release()
        assert await task is None
    for task in crowd[1:]:
        task.cancel()
    await asyncio.gather(first, *crowd, last, return_exceptions=True)
