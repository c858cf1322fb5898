"""What a provider accepts a minute: who waits, for how long, and what comes back."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.resilience.paced_provider import Held, Paced, refusal, sized
from tests.resilience.scripted_provider import CALL, DONE, Hands, Scripted, spec

from prysm.resilience.limits import Limits
from prysm.resilience.rates import Bucket, Rates
from prysm.resilience.slots import QUEUE_PER_SLOT, Slots


async def test_while_there_is_enough_a_call_goes_without_a_task_switch() -> None:
    limits = Limits(Scripted(), spec(rpm=60, tpm=1000), Hands().clock)
    with pytest.raises(StopIteration) as ended:
        limits.complete(CALL).send(None)
    assert ended.value.value is DONE


async def test_requests_beyond_the_rate_go_one_by_one_as_a_minute_has_room_for_them() -> None:
    paced = Paced(rpm=60)
    await paced.calls(63)
    assert [await paced.passes(step) for step in (0, 0.9, 0.1, 1, 1, 10)] == [60, 60, 61, 62, 63, 63]


async def test_a_turn_that_is_too_far_off_is_refused_at_once_with_its_time_and_takes_nothing() -> None:
    paced = Paced(rpm=1, first_byte_timeout_s=30)
    await paced.calls(1)
    late = replace(CALL, until=paced.hands.time + 5)
    for task in await paced.calls(1) + await paced.calls(1, late):
        assert refusal(task).retry_after_s == pytest.approx(60)
    await paced.passes(31)
    (waits,) = await paced.calls(1)
    assert [await paced.passes(step) for step in (28, 1)] == [1, 2]
    assert waits.result() is DONE


async def test_who_could_not_go_in_time_takes_nobodys_place_in_a_full_queue() -> None:
    paced = Paced(rpm=1, max_concurrency=1, first_byte_timeout_s=1000)
    await paced.calls(1)
    crowd = await paced.calls(QUEUE_PER_SLOT, org=uuid4())
    await paced.calls(1, replace(CALL, until=paced.hands.time + 5), uuid4())
    assert sum(task.done() for task in crowd) == 0
    await paced.calls(1, org=uuid4())
    assert [task.done() for task in crowd] == [False] * (QUEUE_PER_SLOT - 1) + [True]


async def test_a_turn_that_comes_in_the_last_moment_of_patience_comes_in_time() -> None:
    paced = Paced(rpm=60, first_byte_timeout_s=3)
    *_, last = await paced.calls(63)
    assert [await paced.passes(1) for _ in range(3)] == [61, 62, 63]
    assert last.result() is DONE


async def test_an_organisations_own_flood_is_refused_and_another_is_not() -> None:
    paced, noisy, quiet = Paced(rpm=60, max_concurrency=99, first_byte_timeout_s=30), uuid4(), uuid4()
    flood = await paced.calls(1000, org=noisy)
    refused = [task for task in flood if task.done() and task.exception()]
    assert (paced.script.calls, len(refused)) == (60, 1000 - 60 - 30)
    assert refusal(refused[-1]).retry_after_s == pytest.approx(31)
    (single,) = await paced.calls(1, org=quiet)
    await paced.passes(1)
    assert not single.done()
    await paced.passes(1)
    assert single.result() is DONE


async def test_a_thousand_calls_of_one_organisation_leave_another_its_turn_in_the_second_round() -> None:
    paced, noisy, quiet = Paced(rpm=600, tpm=60_000, first_byte_timeout_s=1000), uuid4(), uuid4()
    flood = await paced.calls(1600, sized(100), noisy)
    assert (paced.script.calls, any(task.done() for task in flood[600:])) == (600, False)
    (single,) = await paced.calls(1, sized(100), quiet)
    while not single.done():
        await paced.passes(0.1)
    assert sum(task.done() for task in flood[600:]) == 1
    while not flood[-1].done():
        await paced.passes(0.1)
    assert all(task.result() is DONE for task in flood)


async def test_who_waits_in_vain_is_told_when_there_would_have_been_room() -> None:
    paced = Paced(Held(), tpm=600, first_byte_timeout_s=30)
    await paced.calls(1, sized(600))
    first, second = await paced.calls(2, sized(400))
    assert [first.done(), second.done()] == [False, False], "the call under way may leave tokens over"
    await paced.passes(30)
    assert refusal(first).retry_after_s == pytest.approx(10)
    assert refusal(second).retry_after_s == pytest.approx(10), "the first had left by then"


async def test_tokens_that_nobody_can_give_back_are_known_to_be_missing() -> None:
    paced = Paced(Scripted(["unavailable"]), tpm=600, first_byte_timeout_s=30)
    await paced.calls(1, sized(1800))
    (task,) = await paced.calls(1, sized(60))
    assert refusal(task).retry_after_s == pytest.approx(126)


async def test_what_a_call_leaves_over_lets_go_who_waits() -> None:
    held = Held()
    paced = Paced(held, tpm=600)
    tasks = await paced.calls(3, sized(600))
    assert held.calls == 1
    held.answers.set()
    await asyncio.gather(*tasks[:1])
    assert await paced.passes(0.5) == 2
    await paced.passes(0.5)
    assert [task.result() for task in tasks] == [DONE] * 3


async def test_tokens_are_settled_by_what_was_used() -> None:
    paced = Paced(tpm=600)
    for _ in range(15):
        assert await paced.limits.complete(sized(500)) is DONE
    async with aclosing(paced.limits.stream(sized(500))) as pieces:
        assert [piece async for piece in pieces][-1] is DONE
    assert await paced.limits.complete(sized(500)) is DONE


async def test_a_call_larger_than_a_minutes_worth_goes_when_the_bucket_is_full_and_nobody_passes_it() -> None:
    paced, large, small = Paced(Scripted(["unavailable"] * 9), tpm=600, first_byte_timeout_s=500), uuid4(), uuid4()
    await paced.calls(1, sized(300))
    await paced.calls(1, sized(1800), large)
    await paced.calls(2, sized(10), small)
    assert [await paced.passes(step) for step in (29, 1)] == [1, 2]
    assert [await paced.passes(step) for step in (120, 1, 1)] == [2, 3, 4]


async def test_whoever_leaves_the_queue_takes_nothing_along() -> None:
    paced = Paced(Held(), rpm=60, tpm=600)
    await paced.calls(1, sized(500))
    large, small = (await paced.calls(1, sized(600)))[0], (await paced.calls(1, sized(100)))[0]
    assert paced.script.calls == 1
    large.cancel()
    assert await paced.passes(0) == 2
    assert not small.done()


async def test_who_is_cancelled_in_the_moment_of_its_turn_gives_everything_back() -> None:
    hands = Hands()
    slots = Slots(2, Rates(1, 600, hands.clock), hands.clock)
    assert slots.take(600)
    waits = asyncio.create_task(slots.wait(100, 600))
    await asyncio.sleep(0)
    hands.advance(60)
    waits.cancel()
    await asyncio.gather(waits, return_exceptions=True)
    assert waits.cancelled()
    assert slots.take(600)


@given(st.lists(st.tuples(st.floats(0.1, 200), st.floats(0, 10)), min_size=1, max_size=50))
def test_over_any_time_no_more_passes_than_the_rate_and_one_minutes_worth(
    steps: list[tuple[float, float]],
) -> None:
    hands = Hands()
    bucket, began, passed = Bucket(60, hands.clock), hands.time, 0.0
    for amount, idle in steps:
        hands.advance(bucket.pause(amount))
        assert bucket.pause(amount) == 0
        assert passed + min(amount, 60) <= 60 + (hands.time - began) + 1e-5
        bucket.take(amount)
        passed += amount
        hands.advance(idle)
