from __future__ import annotations

from dataclasses import replace
from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.core.chat import Completion, TokenLogprob, Usage
from prysm.core.model import Model
from prysm.core.run import Candidate
from prysm.scoring import question as asked
from prysm.scoring.calibration import task_class
from prysm.scoring.evidence import of_answer, of_vote, stated_confidence, token_probability
from prysm.scoring.extract import extract


def read(
    text: str, *, quality: float | None = None, tokens: int | None = None, told: tuple[TokenLogprob, ...] = ()
) -> dict[str, float]:
    known = {} if quality is None else {"default": quality}
    model = Model("m", "p", "m", "m", "f", "mid", quality=known)
    form = asked.read("How many apples are left of 12?")
    completion = replace(Completion(text, "stop", Usage(completion_tokens=tokens)), logprobs=told or None)
    candidate = Candidate(0, model, completion)
    return of_answer(candidate, extract(text, form), form, "math")


@pytest.mark.parametrize("text", ["3 + 4 = 8", "so 12/4 = 2, hence", "$1,200 * 2 = $2,500"])
def test_a_sum_that_does_not_hold_is_seen(text: str) -> None:
    assert read(text)["wrong_sum"] == 1.0


@pytest.mark.parametrize("text", ["3 + 4 = 7", "2 + 3 * 4 = 14", "10 / 3 = 3.33", "x = 5", "3/0 = 1"])
def test_a_sum_that_holds_or_is_none_is_left_alone(text: str) -> None:
    assert read(text)["wrong_sum"] == 0.0


def test_reasoning_that_ends_in_the_answer_echoes_it() -> None:
    assert read("12 - 5 leaves 7.\nThe answer is 7")["echoed"] == 1.0
    assert read("12 - 5 leaves 8.\nThe answer is 9")["echoed"] == 0.0


def test_a_prior_the_catalog_knows_is_kept_apart_from_a_tier() -> None:
    known, assumed = read("7", quality=0.9), read("7")
    assert (known["assumed"], known["tier"]) == (0.0, 0.0)
    assert (assumed["assumed"], assumed["prior"]) == (1.0, 0.0)
    assert known["prior"] > assumed["tier"] > 0


def test_recorded_tokens_count_more_than_the_length_of_the_text() -> None:
    assert read("7", tokens=5_000)["length"] > read("7")["length"]


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("Confidence: 85%", 0.85),
        ('{"confidence": 0.9}', 0.9),
        ("My confidence level is 70", 0.7),
        ("confidence matters", None),
        ("Confidence: 900", None),
    ],
)
def test_a_stated_confidence_is_read(text: str, stated: float | None) -> None:
    assert stated_confidence(text) == stated


def spelled(*tokens: tuple[str, float]) -> tuple[TokenLogprob, ...]:
    return tuple(TokenLogprob(token, logprob, tuple(token.encode())) for token, logprob in tokens)


def test_the_tokens_of_the_answer_tell_how_sure_a_model_was_not_those_of_its_words() -> None:
    told = spelled(
        ("The", -3.0), (" answer", -3.0), (" is", -3.0), (" ", -3.0), ("1", -0.1), ("7", -0.3), (".", -3)
    )
    found = read("The answer is 17.", told=told)
    p = exp(-0.2)
    assert found["logprob"] == pytest.approx(log(p / (1 - p)))
    assert found["has_logprob"] == 1.0


def test_without_an_answer_to_point_at_all_tokens_tell() -> None:
    assert token_probability(spelled(("a", -1.0), ("b", -3.0)), "") == pytest.approx(exp(-2.0))
    assert token_probability(spelled(("a", -1.0), ("b", -3.0)), "not there") == pytest.approx(exp(-2.0))


def test_tokens_that_are_parts_of_characters_are_found_by_their_bytes() -> None:
    told = (TokenLogprob("?", -4.0, (0xC3,)), TokenLogprob("?", -0.5, (0xC3,)), TokenLogprob("?", -0.5, (0xBC,)))
    assert token_probability(told, "ü") == pytest.approx(exp(-0.5))


def test_a_call_without_log_probabilities_has_no_figure_for_them() -> None:
    assert not {"logprob", "has_logprob"} & read("7").keys()


@given(
    st.lists(st.tuples(st.text("ab7 ü", max_size=3), st.floats(-9999, 1)), min_size=1), st.text("ab7 ü", max_size=4)
)
def test_a_token_probability_is_a_probability(tokens: list[tuple[str, float]], answer: str) -> None:
    assert 0 <= token_probability(spelled(*tokens), answer) <= 1


def test_half_sure_is_not_the_same_as_silent() -> None:
    half, silent = read("7\nConfidence: 50%"), read("7")
    assert (half["stated"], half["has_stated"]) == (0.0, 1.0)
    assert (silent["stated"], silent["has_stated"]) == (0.0, 0.0)


def test_a_vote_is_seen_from_the_chosen_answer() -> None:
    vote = of_vote(1, [("a", "a"), ("b",), ("c",)], [0.5, 0.25, 0.25])
    assert vote["share"] == 0.25
    assert (vote["agreeing"], vote["sources"]) == (0.0, 0.0)
    assert (vote["dissenting"], vote["rival"], vote["rivals"]) == pytest.approx((log(4), log(3), log(3)))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Which?\nA) x\nB) y", "multiple_choice"),
        ("assert f(1) == ??", "program_output"),
        ("Find $x$ if \\frac{x}{2} = 3.", "mathematics/formula"),
        ("Tom has 3 apples and eats 2. How many are left?", "mathematics/word_problem"),
    ],
)
def test_the_form_of_the_answer_names_the_class(prompt: str, expected: str) -> None:
    assert task_class("math", asked.read(prompt)) == expected


def test_a_task_without_a_closed_form_is_its_own_class() -> None:
    assert task_class("writing", asked.read("Write a poem.")) == "writing"
