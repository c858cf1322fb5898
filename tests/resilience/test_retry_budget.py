"""The budget for retries: they cannot double an outage."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.resilience.scripted_provider import CALL, Hands, Scripted, Seen, spec

from prysm.errors import ProviderError
from prysm.resilience import resilient
from prysm.resilience.retry_budget import REFILL_S, RESERVE, SHARE, RetryBudget

STEPS = st.lists(st.one_of(st.just("request"), st.just("retry"), st.floats(0, 30)), max_size=400)


@given(STEPS)
def test_there_are_never_more_retries_than_the_reserve_and_a_share_of_the_requests(
    steps: list[str | float],
) -> None:
    hands, requests, retries = Hands(), 0, 0
    began = hands.time
    budget = RetryBudget(hands.clock)
    for step in steps:
        match step:
            case "request":
                budget.deposit()
                requests += 1
            case "retry":
                retries += budget.withdraw()
            case float():
                hands.advance(step)
        most = RESERVE * (1 + (hands.time - began) / REFILL_S) + SHARE * (requests + 1)
        assert retries <= most + 1e-6


def test_a_quiet_gateway_may_retry_and_gets_its_reserve_back_in_time() -> None:
    hands = Hands()
    budget = RetryBudget(hands.clock)
    assert [budget.withdraw() for _ in range(11)] == [True] * 10 + [False]
    hands.advance(REFILL_S)
    assert [budget.withdraw() for _ in range(11)] == [True] * 10 + [False]


async def test_an_outage_is_met_by_a_tenth_more_calls_and_the_reserve() -> None:
    hands, upstream = Hands(), Scripted(["unavailable"] * 5000)
    provider = resilient(upstream, spec(breaker=False), Seen(), hands.clock)
    for _ in range(1000):
        began = hands.time
        try:
            await provider.complete(CALL)
        except ProviderError:
            hands.time = began  # as if all came at once
    assert 1000 + 100 <= upstream.calls <= 1000 * (1 + SHARE) + RESERVE + 1


async def test_with_the_breaker_an_outage_is_met_by_a_handful_of_calls() -> None:
    hands, upstream = Hands(), Scripted(["unavailable"] * 5000)
    provider = resilient(upstream, spec(), Seen(), hands.clock)
    for _ in range(1000):
        began = hands.time
        try:
            await provider.complete(CALL)
        except ProviderError:
            hands.time = began
    assert upstream.calls <= 20
