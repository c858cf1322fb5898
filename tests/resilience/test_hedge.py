"""Hedging: two calls, one answer, and an honest account of both."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.resilience.scripted_provider import CALL, DONE, Late, Scripted, Seen

from prysm.core.chat import Completion
from prysm.core.model import Price
from prysm.errors import ProviderError
from prysm.resilience.hedge import Hedge
from prysm.resilience.retry_budget import RetryBudget
from prysm.strategies.stages import Pending

if TYPE_CHECKING:
    from tests.resilience.scripted_provider import Act

BOTH_WAYS = pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])


class World:
    """A hedge of 10 ms around a script."""

    def __init__(self, *acts: Act) -> None:
        self.script, self.seen, self.budget = Scripted(list(acts)), Seen(), RetryBudget()
        self.hedge = Hedge(self.script, 0.01, self.budget, self.seen)

    async def ask(self, *, streamed: bool = False, room: bool = True) -> Completion:
        """The answer, whole or as the end of a stream."""
        call = replace(CALL, again=lambda: room)
        if not streamed:
            return await self.hedge.complete(call)
        async with aclosing(self.hedge.stream(call)) as pieces:
            last = [piece async for piece in pieces][-1]
        assert isinstance(last, Completion)
        return last


@BOTH_WAYS
async def test_a_quick_answer_is_not_hedged(*, streamed: bool) -> None:
    world = World()
    assert (await world.ask(streamed=streamed), world.script.calls, world.seen.hedges) == (DONE, 1, 0)


@BOTH_WAYS
async def test_the_faster_of_two_wins_and_the_slower_is_cancelled_and_listed(*, streamed: bool) -> None:
    world = World(5.0, None)
    answer = await world.ask(streamed=streamed)
    assert [(attempt.status, attempt.code) for attempt in answer.attempts] == [
        ("cancelled", "hedged"),
        ("ok", None),
    ]
    assert (world.script.calls, world.script.open, world.seen.hedges) == (2, 0, 1)


@BOTH_WAYS
async def test_the_first_call_may_still_win(*, streamed: bool) -> None:
    world = World(0.03, 5.0)
    answer = await world.ask(streamed=streamed)
    assert (answer.text, world.script.calls, world.script.open) == (DONE.text, 2, 0)


async def test_a_failure_of_one_leaves_the_other_running() -> None:
    world = World(0.03, "unavailable")
    answer = await world.ask()
    assert [attempt.code for attempt in answer.attempts] == ["unavailable", None]


async def test_a_failure_before_the_second_call_is_the_failure() -> None:
    world = World("unavailable")
    with pytest.raises(ProviderError) as caught:
        await world.ask()
    assert (caught.value.attempts, world.script.calls) == ((), 1)


async def test_a_stream_that_breaks_in_the_middle_lists_both_calls() -> None:
    world = World(5.0, Late("truncated"))
    with pytest.raises(ProviderError) as caught:
        await world.ask(streamed=True)
    assert [attempt.code for attempt in caught.value.attempts] == ["hedged", "truncated"]


async def test_the_budget_and_a_ceiling_forbid_the_second_call() -> None:
    world = World(0.03)
    await world.ask(room=False)
    while world.budget.withdraw():
        pass
    world.script.acts = [0.03]
    await world.ask()
    assert (world.script.calls, world.seen.hedges) == (2, 0)


async def test_a_caller_who_leaves_takes_both_calls_along() -> None:
    world = World(5.0, 5.0)
    work = asyncio.create_task(world.ask())
    await asyncio.sleep(0.03)
    assert world.script.open == 2
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert world.script.open == 0


async def test_the_call_that_lost_is_charged_for_its_prompt_as_an_estimate() -> None:
    answer = await World(5.0, None).ask()
    call = replace(CALL, model=replace(CALL.model, price=Price(1_000_000, 1_000_000)))
    stage = Pending(call, "answer", 0, (), 0).succeeded(0, 50, answer)
    assert stage.usage is not None
    assert (stage.usage.prompt_tokens, stage.usage.estimated) == (3 + call.estimated_prompt_tokens, True)
    assert stage.cost_nano == 3 + 2 + call.estimated_prompt_tokens
    assert stage.attempts == answer.attempts
