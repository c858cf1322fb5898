"""What calls will cost before any is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from tests.scripted_models import model, profile

from prysm.core.chat import Message, Usage
from prysm.core.model import TASKS, Price
from prysm.registry.cost import (
    DEFAULT_OUTPUT_CAP,
    EXPECTED_OUTPUT,
    expected_cost,
    output_cap,
    tokens_at_most,
    total,
    worst_cost,
)

if TYPE_CHECKING:
    from prysm.core.model import Task

rates = st.one_of(st.none(), st.integers(0, 10), st.integers(0, 10**12))
counts = st.integers(0, 200_000)


def test_every_task_has_a_usual_length_and_vectors_have_none() -> None:
    assert set(EXPECTED_OUTPUT) == {*TASKS, "embedding"}
    assert EXPECTED_OUTPUT["embedding"] == 0


def test_a_usual_call_is_the_prompt_and_a_usual_answer() -> None:
    read = profile("factual", prompt_tokens=1_000)
    assert expected_cost(model("a", price=Price(2_000_000, 3_000_000)), read) == 2_000 + 3 * 120
    assert expected_cost(model("a", price=Price(input=2)), read) is None


@given(
    st.builds(Price, input=rates, output=rates, cached_input=rates, reasoning=rates), counts, st.sampled_from(TASKS)
)
def test_a_usual_call_costs_what_its_price_says(price: Price, tokens: int, task: Task) -> None:
    expected = expected_cost(model("a", price=price), profile(task, prompt_tokens=tokens))
    assert expected == price.cost(Usage(tokens, EXPECTED_OUTPUT[task]))


@given(
    st.builds(Price, input=rates, output=rates, cached_input=rates, cache_write=rates, reasoning=rates),
    counts,
    counts,
    st.data(),
)
def test_no_usage_within_the_bounds_costs_more_than_the_worst_case(
    price: Price, prompt: int, cap: int, data: st.DataObject
) -> None:
    said = data.draw(st.integers(0, prompt))
    cached = data.draw(st.integers(0, said))
    written = data.draw(st.integers(0, said - cached))
    answer = data.draw(st.integers(0, cap))
    usage = Usage(said, answer, cached, written, data.draw(st.integers(0, answer)))
    cost, worst = price.cost(usage), worst_cost(model("a", price=price), prompt, cap)
    assert (cost is None) == (worst is None)
    if cost is not None and worst is not None:
        assert cost <= worst


@given(st.lists(st.text(max_size=40), max_size=4))
def test_no_text_has_more_tokens_than_bytes(texts: list[str]) -> None:
    messages = [Message("user", text) for text in texts]
    assert tokens_at_most(messages) == sum(len(text.encode()) + 8 for text in texts)


def test_an_answer_is_as_long_as_asked_for_within_what_the_model_can_give() -> None:
    bounded, unbounded = model("a", max_output_tokens=300), model("b")
    assert [output_cap(bounded, asked) for asked in (None, 100, 1_000)] == [300, 100, 300]
    assert [output_cap(unbounded, asked) for asked in (None, 100, 9_000)] == [
        DEFAULT_OUTPUT_CAP,
        100,
        DEFAULT_OUTPUT_CAP,
    ]


def test_a_sum_with_an_unknown_in_it_is_unknown() -> None:
    assert (total([1, 2]), total([1, None]), total([])) == (3, None, 0)


def test_the_worst_case_covers_two_halves_that_are_each_rounded_up() -> None:
    price = Price(500_000, 500_000)
    assert price.cost(Usage(1, 1)) == 2
    assert worst_cost(model("a", price=price), 1, 1) == 2
