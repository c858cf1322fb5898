"""The breaker around a provider: what counts, what it refuses, and what becomes of a refused key."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.resilience.scripted_provider import CALL, MODEL, Hands, Late, Scripted, Seen, failure

from prysm.errors import ProviderError
from prysm.resilience.breaker import RECHECK_S, Breaker
from prysm.resilience.circuit import COOLDOWN_S, IN_A_ROW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.chat import ModelCall
    from prysm.errors import FailureKind

OTHER = replace(CALL, model=replace(MODEL, id="other"))


class World:
    """A breaker around a script."""

    def __init__(self, *acts: Any) -> None:
        self.script, self.hands, self.seen = Scripted(list(acts)), Hands(), Seen()
        self.breaker = Breaker(self.script, self.seen, self.hands.clock)

    async def kind(self, call: ModelCall = CALL) -> FailureKind | None:
        """How a call fails, if it does."""
        try:
            await self.breaker.complete(call)
        except ProviderError as error:
            return error.kind
        return None

    async def kinds(self, times: int, call: ModelCall = CALL) -> Sequence[FailureKind | None]:
        """How calls end, one after the other."""
        return [await self.kind(call) for _ in range(times)]


@pytest.mark.parametrize("kind", ["connect", "timeout", "unavailable", "malformed", "truncated"])
async def test_faults_open_the_circuit_of_one_model_alone(kind: FailureKind) -> None:
    world = World(*[kind] * IN_A_ROW)
    assert await world.kinds(IN_A_ROW + 1) == [*[kind] * IN_A_ROW, "circuit_open"]
    assert await world.kind(OTHER) is None
    assert world.seen.states == ["open"]


async def test_a_circuit_that_429s_opened_goes_on_saying_that_the_rate_is_limited() -> None:
    world = World(*["rate_limited"] * IN_A_ROW, "rate_limited", "connect")
    assert await world.kinds(IN_A_ROW + 1) == ["rate_limited"] * (IN_A_ROW + 1)
    assert (world.script.calls, world.seen.standings[-1][1].limited) == (IN_A_ROW, True)
    with pytest.raises(ProviderError) as caught:
        await world.breaker.complete(CALL)
    assert (caught.value.retry_after_s, caught.value.sent) == (COOLDOWN_S, False)
    world.hands.advance(COOLDOWN_S)
    assert await world.kinds(2) == ["rate_limited"] * 2
    world.hands.advance(2 * COOLDOWN_S)
    assert await world.kinds(2) == ["connect", "circuit_open"]


@pytest.mark.parametrize("kind", ["rejected", "context_length", "content_filter", "too_large", "no_answer"])
async def test_a_refusal_of_one_request_is_no_fault(kind: FailureKind) -> None:
    world = World(*[kind] * 100)
    assert await world.kinds(100) == [kind] * 100
    assert world.seen.states == []


async def test_a_refusal_says_when_to_come_back_and_that_nothing_was_sent() -> None:
    world = World(*["connect"] * IN_A_ROW)
    await world.kinds(IN_A_ROW)
    with pytest.raises(ProviderError) as caught:
        await world.breaker.complete(CALL)
    assert (caught.value.retry_after_s, caught.value.sent) == (COOLDOWN_S, False)


async def test_streams_that_break_off_are_faults_and_those_that_end_are_not() -> None:
    world = World(*[Late("truncated")] * IN_A_ROW)
    for _ in range(IN_A_ROW):
        with suppress(ProviderError):
            async for _ in world.breaker.stream(CALL):
                pass
    assert await world.kind() == "circuit_open"
    world.hands.advance(COOLDOWN_S)
    assert len([piece async for piece in world.breaker.stream(CALL)]) == 3
    assert world.seen.states[-1] == "closed"


async def test_half_open_lets_one_of_many_calls_through() -> None:
    world = World(*["connect"] * IN_A_ROW, 0.02)
    await world.kinds(IN_A_ROW)
    world.hands.advance(COOLDOWN_S)
    ends = await asyncio.gather(*(world.kind() for _ in range(50)))
    assert (ends.count(None), ends.count("circuit_open"), world.script.calls) == (1, 49, IN_A_ROW + 1)
    assert world.seen.states[-1] == "closed"


async def test_a_probe_whose_caller_leaves_is_not_the_last() -> None:
    world = World(*["connect"] * IN_A_ROW, 5.0, 5.0)
    await world.kinds(IN_A_ROW)
    world.hands.advance(COOLDOWN_S)
    probe = asyncio.create_task(world.breaker.complete(CALL))
    await asyncio.sleep(0)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    world.script.acts.clear()
    async with aclosing(world.breaker.stream(CALL)) as pieces:
        await anext(pieces)
    assert world.seen.states == ["open", "half_open", "half_open", "half_open", "half_open", "closed"]
    assert await world.kind() is None


@pytest.mark.parametrize("status", [401, 400, 429, None])
async def test_a_refused_key_switches_the_whole_provider_off_until_a_slow_recheck(status: int | None) -> None:
    world = World(failure("auth", status), failure("auth", status))
    assert [await world.kind(), await world.kind(OTHER), world.script.calls] == ["auth", "auth", 1]
    assert [(model, standing.state) for model, standing in world.seen.standings] == [(None, "open")]
    world.hands.advance(RECHECK_S)
    assert [await world.kind(), await world.kind(), world.script.calls] == ["auth", "auth", 2]
    world.hands.advance(RECHECK_S)
    assert (await world.kind(), world.script.calls) == ("auth", 2)
    world.hands.advance(RECHECK_S)
    assert [await world.kind(), await world.kind(OTHER)] == [None, None]


@pytest.mark.parametrize("status", [402, 403])
async def test_a_key_without_the_right_to_one_model_is_good_for_the_others(status: int) -> None:
    world = World(*[failure("auth", status)] * IN_A_ROW)
    assert await world.kinds(IN_A_ROW + 1) == [*["auth"] * IN_A_ROW, "circuit_open"]
    assert await world.kind(OTHER) is None


@pytest.mark.parametrize("status", [402, 403])
async def test_refusals_of_single_requests_never_switch_a_model_off_that_answers_others(status: int) -> None:
    refusals = [failure("auth", status)] * (IN_A_ROW - 1)
    world = World(*[*refusals, None] * 20)
    assert "circuit_open" not in await world.kinds(20 * IN_A_ROW)
    assert world.seen.states == []


@pytest.mark.parametrize("kind", ["unavailable", "timeout", "connect", "truncated"])
async def test_a_recheck_that_meets_a_fault_tells_nothing_of_the_key(kind: FailureKind) -> None:
    world = World(failure("auth", 401), kind, failure("auth", 401))
    await world.kind()
    world.hands.advance(RECHECK_S)
    assert [await world.kind(), await world.kind()] == [kind, "auth"]
    states = [standing.state for model, standing in world.seen.standings if model is None]
    assert (states[0], states[-1], "closed" in states) == ("open", "open", False)


async def test_a_streamed_probe_holds_the_model_off_only_until_its_first_piece() -> None:
    world = World(*["connect"] * IN_A_ROW)
    await world.kinds(IN_A_ROW)
    world.hands.advance(COOLDOWN_S)
    async with aclosing(world.breaker.stream(CALL)) as pieces:
        await anext(pieces)
        assert world.seen.states[-1] == "closed"
        assert await world.kind() is None


async def test_a_streamed_probe_that_breaks_off_counts_as_a_fault_like_any_other() -> None:
    world = World(*["connect"] * IN_A_ROW, *[Late("truncated")] * IN_A_ROW)
    await world.kinds(IN_A_ROW)
    world.hands.advance(COOLDOWN_S)
    for _ in range(IN_A_ROW):
        assert world.seen.states[-1] != "open"
        with suppress(ProviderError):
            async for _ in world.breaker.stream(CALL):
                pass
    assert world.seen.states[-1] == "open"


async def test_a_call_that_was_never_sent_tells_nothing() -> None:
    unsent = ProviderError("rate_limited", "No room.", sent=False)
    world = World(*[unsent] * 50)
    assert await world.kinds(50) == ["rate_limited"] * 50
