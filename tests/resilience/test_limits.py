"""What a provider accepts: calls at once, requests a minute, tokens a minute."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.resilience.scripted_provider import CALL, DONE, Hands, Scripted, spec

from prysm.errors import ProviderError
from prysm.resilience.limits import Bucket, Limits
from prysm.resilience.slots import PAYS, QUEUE_PER_SLOT, Slots


def limited(script: Scripted, hands: Hands | None = None, **more: Any) -> Limits:
    return Limits(script, spec(**more), (hands or Hands()).clock)


async def test_no_more_calls_run_at_once_than_configured() -> None:
    script = Scripted([0.002] * 20)
    limits = limited(script, max_concurrency=3)
    await asyncio.gather(*(limits.complete(CALL) for _ in range(20)))
    assert (script.calls, script.most) == (20, 3)


async def test_those_who_wait_come_in_the_order_in_which_they_came() -> None:
    slots, order = Slots(1), list[int]()

    async def take(name: int) -> None:
        if not slots.take():
            assert await slots.wait(1)
        await asyncio.sleep(0)
        order.append(name)
        slots.release()

    await asyncio.gather(*(take(i) for i in range(10)))
    assert order == list(range(10))


async def test_a_call_that_finds_no_slot_in_time_fails_and_the_next_finds_one() -> None:
    script = Scripted([0.04])
    limits = limited(script, max_concurrency=1, first_byte_timeout_s=0.01)
    first = asyncio.create_task(limits.complete(CALL))
    await asyncio.sleep(0)
    with pytest.raises(ProviderError, match="max_concurrency") as caught:
        await limits.complete(CALL)
    assert (caught.value.kind, caught.value.sent, (await first).text) == ("rate_limited", False, DONE.text)
    assert (await limits.complete(CALL)).text == DONE.text


async def test_a_queue_that_is_full_takes_nobody_in() -> None:
    slots = Slots(1)
    assert slots.take()
    waiting = [asyncio.create_task(slots.wait(10)) for _ in range(QUEUE_PER_SLOT)]
    await asyncio.sleep(0)
    assert await slots.wait(10) is False
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
                await slots.wait(10)
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
    script = Scripted()
    limits = limited(script, max_concurrency=1, first_byte_timeout_s=0.01)
    async with aclosing(limits.stream(CALL)) as pieces:
        await anext(pieces)
        with pytest.raises(ProviderError):
            await limits.complete(CALL)
    assert (await limits.complete(CALL)).text == DONE.text


async def test_slots_come_back_after_failures() -> None:
    limits = limited(Scripted(["connect", "malformed"]), max_concurrency=1, first_byte_timeout_s=0.01)
    for _ in range(2):
        with pytest.raises(ProviderError, match="acme failed"):
            await limits.complete(CALL)
    assert await limits.complete(CALL) is DONE


async def test_requests_beyond_the_rate_wait_until_a_minute_has_room_for_them() -> None:
    hands = Hands()
    limits = limited(Scripted(), hands, rpm=60)
    for _ in range(63):
        await limits.complete(CALL)
    assert hands.slept == pytest.approx([1, 1, 1])


async def test_a_turn_that_is_too_far_off_is_refused_at_once_with_its_time_and_takes_nothing() -> None:
    hands = Hands()
    limits = limited(Scripted(), hands, rpm=1, first_byte_timeout_s=30)
    await limits.complete(CALL)
    for call in (CALL, replace(CALL, until=hands.time + 5)):
        with pytest.raises(ProviderError, match="rpm") as caught:
            await limits.complete(call)
        assert caught.value.retry_after_s == pytest.approx(60)
    assert hands.slept == []
    hands.advance(31)
    await limits.complete(CALL)
    assert hands.slept == pytest.approx([29])


async def test_tokens_are_taken_by_estimate_and_settled_by_what_was_used() -> None:
    hands = Hands()
    limits = limited(Scripted(), hands, tpm=600)
    large = replace(CALL, sampling=replace(CALL.sampling, max_tokens=500))
    for _ in range(15):
        await limits.complete(large)
    assert hands.slept == []
    async with aclosing(limits.stream(large)) as pieces:
        assert [piece async for piece in pieces][-1] is DONE


@given(st.lists(st.tuples(st.floats(0.1, 50), st.floats(0, 10)), min_size=1, max_size=50))
def test_over_any_time_no_more_passes_than_the_rate_and_one_minutes_worth(
    steps: list[tuple[float, float]],
) -> None:
    hands = Hands()
    bucket, began, passed = Bucket(60, hands.clock), hands.time, 0.0
    for amount, pause in steps:
        hands.advance(bucket.take(amount))
        passed += amount
        assert passed <= 60 + (hands.time - began) + 1e-6
        hands.advance(pause)


async def test_who_asks_most_waits_longest() -> None:
    slots, order, noisy, quiet = Slots(1), list[str](), uuid4(), uuid4()

    async def take(org: UUID, name: str) -> None:
        PAYS.set(org)
        assert slots.take() or await slots.wait(1)
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

    async def wait(org: UUID) -> bool:
        PAYS.set(org)
        return await slots.wait(1)

    crowd = [asyncio.create_task(wait(noisy)) for _ in range(QUEUE_PER_SLOT)]
    await asyncio.sleep(0)
    other = asyncio.create_task(wait(quiet))
    await asyncio.sleep(0)
    assert await crowd[-1] is False
    for task in (*crowd[:1], other):
        slots.release()
        assert await task is True
    for task in crowd[1:-1]:
        task.cancel()
    await asyncio.gather(*crowd[1:-1], return_exceptions=True)
    slots.release()
    assert slots.take()
