"""Money and tokens, summed exactly: unknown is unknown, and nothing is lost in rounding."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.scripted_models import model

from prysm.core.account import account
from prysm.core.chat import Usage
from prysm.core.model import TIER_QUALITY, Price
from prysm.core.run import Stage

rates = st.one_of(st.none(), st.integers(0, 10**11))
tokens = st.one_of(st.none(), st.integers(0, 10**6))
usages = st.builds(Usage, tokens, tokens, tokens, tokens, tokens)
priced = st.builds(Price, input=rates, output=rates, cached_input=rates, cache_write=rates, reasoning=rates)


def stage(usage: Usage, price: Price, i: int = 0) -> Stage:
    return Stage(i, "answer", "ok", 0, 1, model=model("a", price=price), usage=usage, cost_nano=price.cost(usage))


@given(st.lists(st.tuples(usages, priced), max_size=5))
def test_a_total_is_the_sum_of_its_sides_or_unknown(calls: list[tuple[Usage, Price]]) -> None:
    spent = account([stage(usage, price) for usage, price in calls])
    if spent.total_nano is None:
        assert any(price.cost(usage) is None for usage, price in calls)
    else:
        assert spent.input_nano is not None
        assert spent.output_nano is not None
        assert spent.total_nano == spent.input_nano + spent.output_nano


@given(usages, priced)
def test_no_cost_is_negative(usage: Usage, price: Price) -> None:
    assert (price.input_cost(usage) or 0) >= 0
    assert (price.output_cost(usage) or 0) >= 0


def test_cached_written_and_reasoning_tokens_cost_their_own_rate_where_one_is_known() -> None:
    plain = Price(input=10_000_000, output=20_000_000)
    usage = Usage(100, 50, cached_tokens=40, cache_write_tokens=10, reasoning_tokens=30)
    assert (plain.input_cost(usage), plain.output_cost(usage)) == (1_000, 1_000)
    split = replace(plain, cached_input=1_000_000, cache_write=12_000_000, reasoning=30_000_000)
    assert split.input_cost(usage) == 50 * 10 + 40 * 1 + 10 * 12
    assert split.output_cost(usage) == 20 * 20 + 30 * 30


def test_half_a_nano_dollar_is_rounded_up() -> None:
    assert [Price(500_000, 0).cost(Usage(n, 0)) for n in (1, 2, 3)] == [1, 1, 2]
    assert Price(499_999, 0).cost(Usage(1, 0)) == 0


def test_a_failed_call_without_tokens_costs_nothing_at_an_unknown_price() -> None:
    unbilled = Stage(0, "answer", "failed", 0, 1, model=model("a", price=Price()), usage=Usage(0, 0), cost_nano=0)
    spent = account([unbilled])
    assert (spent.total_nano, spent.input_nano, spent.output_nano) == (0, 0, 0)


def test_steps_that_made_no_call_count_for_nothing() -> None:
    spent = account([Stage(0, "vote", "ok", 0, 0), stage(Usage(3, 4), Price(10**6, 10**6), 1)])
    assert (spent.prompt_tokens, spent.completion_tokens, spent.total_nano) == (3, 4, 7)


def test_one_count_of_ours_marks_the_whole_as_estimated() -> None:
    price = Price(1, 1)
    assert not account([stage(Usage(1, 1), price)]).estimated
    assert account([stage(Usage(1, 1), price), stage(Usage(1, 1, estimated=True), price)]).estimated


def test_more_cached_tokens_than_prompt_are_not_charged_beyond_the_prompt() -> None:
    price = Price(input=1_000_000, output=0, cached_input=500_000, cache_write=2_000_000)
    assert price.input_cost(Usage(10, 0, cached_tokens=80)) == 5
    assert price.input_cost(Usage(10, 0, cached_tokens=8, cache_write_tokens=80)) == 8


def test_a_model_the_catalog_says_nothing_about_is_as_good_as_its_tier() -> None:
    unknown = replace(model("a"), quality={})
    assert unknown.quality_for("math") == TIER_QUALITY["mid"]
    assert replace(model("a"), quality={"default": 0.4, "math": 0.0}).quality_for("math") == 0


def test_a_cache_write_that_is_kept_for_an_hour_has_a_price_of_its_own() -> None:
    price = Price(input=1_000_000, output=0, cache_write=2_000_000, cache_write_1h=4_000_000)
    usage = Usage(10, 0, cache_write_tokens=6, cache_write_1h_tokens=5)
    assert price.input_cost(usage) == 4 + 2 + 5 * 4
    assert replace(price, cache_write_1h=None).input_cost(usage) == 4 + 6 * 2
    assert price.input_cost(replace(usage, cache_write_1h_tokens=60)) == 4 + 6 * 4
