"""Asking several at once: siblings survive, stragglers end, nothing outlives its caller."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

import pytest

from prysm.errors import ProviderError
from prysm.strategies.fan_out import MIN_GRACE_S, fan_out, quorum_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def after(seconds: float, value: str) -> str:
    await asyncio.sleep(seconds)
    return value


async def fails() -> str:
    await asyncio.sleep(0)
    raise ProviderError("unavailable", "down")


async def breaks() -> str:
    await asyncio.sleep(0)
    raise ZeroDivisionError


class Straggler:
    """A call that never ends by itself; `ended` says that it was cancelled and got to clean up."""

    ended = False

    async def __call__(self) -> str:
        """Wait for what never comes."""
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.ended = True
        return ""


def others() -> set[asyncio.Task[object]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


async def test_answers_come_in_the_order_of_the_calls_not_of_their_ends() -> None:
    assert await fan_out([after(0.02, "a"), after(0, "b"), after(0.01, "c")], 3) == ["a", "b", "c"]


async def test_calls_run_at_once() -> None:
    began = time.perf_counter()
    await fan_out([after(0.1, "") for _ in range(20)], 20)
    assert time.perf_counter() - began < 0.5


async def test_one_failure_leaves_its_siblings_alone() -> None:
    assert await fan_out([fails(), after(0.01, "b"), fails()], 3) == ["b"]


async def test_when_all_fail_there_is_nothing() -> None:
    assert await fan_out([fails(), fails()], 2) == []


async def test_a_straggler_is_given_grace_after_the_quorum_and_then_ended() -> None:
    straggler = Straggler()
    began = time.perf_counter()
    assert await fan_out([after(0, "a"), straggler(), after(0, "c")], 2) == ["a", "c"]
    assert MIN_GRACE_S <= time.perf_counter() - began < MIN_GRACE_S + 1
    assert straggler.ended
    assert not others()


async def test_a_slow_answer_within_the_grace_is_kept() -> None:
    assert await fan_out([after(0, "a"), after(0, "b"), after(0.05, "c")], 2) == ["a", "b", "c"]


async def test_of_a_pair_the_second_is_given_up_a_while_after_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prysm.strategies.fan_out.MIN_PATIENCE_S", 0.2)
    straggler = Straggler()
    began = time.perf_counter()
    assert await fan_out([after(0, "a"), straggler()], 2) == ["a"]
    assert 0.2 <= time.perf_counter() - began < 1
    assert straggler.ended
    assert await fan_out([after(0.1, "a"), after(0.35, "b")], 2) == ["a", "b"]  # four times as long as the first


async def test_a_failure_starts_no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prysm.strategies.fan_out.MIN_PATIENCE_S", 0.01)
    assert await fan_out([fails(), after(0.1, "b")], 2) == ["b"]


async def test_a_patient_caller_waits_for_its_quorum_however_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prysm.strategies.fan_out.MIN_PATIENCE_S", 0.01)
    assert await fan_out([after(0, "a"), after(0.1, "b")], 2, patience=math.inf) == ["a", "b"]


async def test_when_its_share_of_the_time_is_over_it_goes_on_with_what_there_is() -> None:
    began = time.perf_counter()
    assert await fan_out([after(0, "a"), Straggler()(), Straggler()()], 2, within=0.1) == ["a"]
    assert 0.1 <= time.perf_counter() - began < 0.6
    assert not others()


async def test_with_nothing_to_go_on_with_it_waits_for_the_first_beyond_its_share() -> None:
    assert await fan_out([after(0.15, "a"), Straggler()()], 2, within=0.05) == ["a"]


async def test_grace_grows_with_the_time_the_quorum_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prysm.strategies.fan_out.MIN_GRACE_S", 0.01)
    calls = [after(0.4, "a"), after(0.4, "b"), after(0.48, "c"), Straggler()()]
    assert await fan_out(calls, 2) == ["a", "b", "c"]


async def test_cancelling_the_caller_ends_every_call() -> None:
    stragglers = [Straggler() for _ in range(3)]
    work = asyncio.create_task(fan_out([straggler() for straggler in stragglers], 3))
    await asyncio.sleep(0.01)
    work.cancel("client gone")
    with pytest.raises(asyncio.CancelledError, match="client gone"):
        await work
    assert [straggler.ended for straggler in stragglers] == [True] * 3
    assert not others()


async def test_cancelling_before_the_calls_began_is_no_different() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await fan_out([Straggler()() for _ in range(3)], 3)
    assert not others()


async def test_a_bug_surfaces_and_leaves_no_task_behind() -> None:
    straggler = Straggler()
    with pytest.raises(ZeroDivisionError):
        await fan_out([after(0, "a"), breaks(), straggler()], 3)
    assert straggler.ended
    assert not others()


@pytest.mark.parametrize("failing", [fails, breaks])
async def test_no_failure_is_reported_as_forgotten(failing: Callable[[], Awaitable[str]]) -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    calls = [after(0, "a"), after(0.01, "late"), _soon(failing), Straggler()()]
    work = asyncio.create_task(fan_out(calls, 1))
    await asyncio.sleep(0.05)
    work.cancel()
    await asyncio.wait([work])
    del work
    assert complaints == []


async def _soon(failing: Callable[[], Awaitable[str]]) -> str:
    await asyncio.sleep(0.02)
    return await failing()


@pytest.mark.parametrize(("n", "quorum"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (6, 4), (8, 6)])
def test_a_quorum_is_two_thirds_and_at_least_two(n: int, quorum: int) -> None:
    assert quorum_of(n) == quorum
