"""Retries: which failures, how often, how long, and what is told of them."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.resilience.scripted_provider import CALL, DONE, Hands, Late, Scripted, Seen, failure, spec

from prysm.core.chat import Completion
from prysm.errors import ProviderError
from prysm.resilience.retry import BACKOFF_S, Retry
from prysm.resilience.retry_budget import RetryBudget

if TYPE_CHECKING:
    from prysm.core.chat import ModelCall, Piece
    from prysm.core.ports import Provider
    from prysm.errors import FailureKind

BOTH_WAYS = pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])


class World:
    """Retries around a script, on a clock of their own."""

    def __init__(self, script: Scripted, retries: int = 2) -> None:
        self.script, self.hands, self.seen = script, Hands(), Seen()
        budget = RetryBudget(self.hands.clock)
        self.provider: Provider = Retry(script, spec(retries=retries), budget, self.seen, self.hands.clock)

    async def ask(self, call: ModelCall = CALL, *, streamed: bool = False) -> Completion:
        """The answer, whole or as the end of a stream."""
        if not streamed:
            return await self.provider.complete(call)
        last = (await self.pieces(call))[-1]
        assert isinstance(last, Completion)
        return last

    async def pieces(self, call: ModelCall = CALL) -> list[Piece | Completion]:
        """All that a stream brings."""
        async with aclosing(self.provider.stream(call)) as pieces:
            return [piece async for piece in pieces]

    async def fails(self, call: ModelCall = CALL, *, streamed: bool = False) -> ProviderError:
        """The failure."""
        with pytest.raises(ProviderError) as caught:
            await self.ask(call, streamed=streamed)
        return caught.value


def codes(told: Completion | ProviderError) -> list[str | None]:
    return [attempt.code for attempt in told.attempts]


@BOTH_WAYS
@pytest.mark.parametrize("kind", ["connect", "unavailable", "rate_limited", "timeout", "truncated", "malformed"])
async def test_a_failure_that_may_pass_is_tried_again_and_listed(kind: FailureKind, *, streamed: bool) -> None:
    world = World(Scripted([kind, kind]))
    answer = await world.ask(streamed=streamed)
    assert (answer.text, codes(answer)) == (DONE.text, [kind, kind, None])
    assert (world.seen.retries, world.script.open) == ([kind, kind], 0)


@BOTH_WAYS
@pytest.mark.parametrize("kind", ["rejected", "auth", "context_length", "content_filter", "too_large", "no_answer"])
async def test_a_failure_that_would_come_again_is_not_tried_again(kind: FailureKind, *, streamed: bool) -> None:
    world = World(Scripted([kind]))
    error = await world.fails(streamed=streamed)
    assert (error.kind, world.script.calls, error.attempts) == (kind, 1, ())


@BOTH_WAYS
async def test_an_answer_at_the_first_try_is_passed_on_as_it_is(*, streamed: bool) -> None:
    world = World(Scripted())
    assert await world.ask(streamed=streamed) is DONE


@BOTH_WAYS
async def test_after_as_many_retries_as_configured_the_last_failure_stands(*, streamed: bool) -> None:
    world = World(Scripted(["connect", "unavailable", "timeout", "malformed"]))
    error = await world.fails(streamed=streamed)
    assert (error.kind, codes(error)) == ("timeout", ["connect", "unavailable", "timeout"])
    assert error.__cause__ is None


async def test_without_retries_the_first_failure_stands() -> None:
    world = World(Scripted(["connect"]), retries=0)
    assert (await world.fails()).attempts == ()
    assert world.script.calls == 1


async def test_pauses_are_drawn_between_nothing_and_a_bound_that_doubles() -> None:
    pauses: list[list[float]] = []
    for _ in range(50):
        world = World(Scripted(["connect", "connect"]))
        await world.ask()
        pauses.append(world.hands.slept)
    first, second = zip(*pauses, strict=True)
    assert 0 <= min(first) < BACKOFF_S / 2 < max(first) <= BACKOFF_S
    assert BACKOFF_S < max(second) <= 2 * BACKOFF_S


async def test_a_wait_that_the_provider_asks_for_is_kept_and_a_little_more() -> None:
    world = World(Scripted([failure("rate_limited", 429, wait=3)]))
    await world.ask()
    assert 3 <= world.hands.slept[0] <= 3 + BACKOFF_S


@pytest.mark.parametrize(("wait", "until"), [(3600.0, None), (11.0, None), (5.0, 1004.0)])
async def test_a_wait_that_is_too_long_is_passed_on_at_once(wait: float, until: float | None) -> None:
    world = World(Scripted([failure("rate_limited", 429, wait=wait)]))
    error = await world.fails(replace(CALL, until=until))
    assert (error.retry_after_s, world.hands.slept, world.script.calls) == (wait, [], 1)


async def test_no_try_begins_when_the_time_of_the_whole_call_is_over() -> None:
    world = World(Scripted(["timeout"]))
    slow = world.script.complete

    async def complete(call: ModelCall) -> Completion:
        world.hands.advance(60)
        return await slow(call)

    world.script.complete = complete  # type: ignore[method-assign,assignment]  # slow
    await world.fails()
    assert world.script.calls == 1


async def test_a_later_try_has_only_the_time_that_is_left() -> None:
    script = Scripted(["connect", 5.0])
    provider = Retry(script, spec(timeout_s=0.35), RetryBudget(), Seen())
    with pytest.raises(ProviderError) as caught:
        await provider.complete(CALL)
    assert (caught.value.kind, codes(caught.value), script.open) == ("timeout", ["connect", "timeout"], 0)


async def test_a_stream_that_broke_after_its_first_piece_is_not_begun_again() -> None:
    world = World(Scripted([Late("truncated")]))
    error = await world.fails(streamed=True)
    assert (error.kind, error.attempts, world.script.calls, world.script.open) == ("truncated", (), 1, 0)


async def test_a_second_try_that_breaks_in_the_middle_lists_both() -> None:
    world = World(Scripted(["connect", Late("truncated")]))
    error = await world.fails(streamed=True)
    assert (codes(error), world.script.calls, world.script.open) == (["connect", "truncated"], 2, 0)


@pytest.mark.parametrize("acts", [[], ["connect"]], ids=["first try", "second try"])
async def test_hanging_up_in_the_middle_closes_the_stream(acts: list[FailureKind]) -> None:
    world = World(Scripted([*acts]))
    async with aclosing(world.provider.stream(CALL)) as pieces:
        await anext(pieces)
        assert world.script.open == 1
    assert world.script.open == 0


async def test_under_a_ceiling_what_may_have_been_billed_is_tried_again_while_there_is_room() -> None:
    world = World(Scripted(["connect", "unavailable", "malformed", "malformed"]), retries=5)
    room = iter([True, False])
    error = await world.fails(replace(CALL, again=lambda: next(room)))
    assert codes(error) == ["connect", "unavailable", "malformed", "malformed"]


async def test_the_time_that_the_caller_takes_over_a_piece_is_not_the_providers() -> None:
    world = World(Scripted(["connect"]))
    async with aclosing(world.provider.stream(CALL)) as pieces:
        async for piece in pieces:
            last = piece
            world.hands.advance(600)
    assert isinstance(last, Completion)
