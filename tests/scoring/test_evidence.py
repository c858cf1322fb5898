from __future__ import annotations

import pytest

from prysm.core.chat import Completion, Usage
from prysm.core.model import Model
from prysm.core.run import Candidate
from prysm.scoring import question as asked
from prysm.scoring.calibration import task_class
from prysm.scoring.evidence import of_answer, of_vote, stated_confidence
from prysm.scoring.extract import extract


def read(text: str, *, quality: float | None = None, tokens: int | None = None) -> dict[str, float]:
    known = {} if quality is None else {"default": quality}
    model = Model("m", "p", "m", "m", "f", "mid", quality=known)
    form = asked.read("How many apples are left of 12?")
    candidate = Candidate(0, model, Completion(text, "stop", Usage(completion_tokens=tokens)))
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


def test_a_vote_is_seen_from_the_chosen_answer() -> None:
    vote = of_vote(2, [(0, 1), (2,)], [2 / 3, 1 / 3], ["a", "a", "b"])
    assert vote["share"] == pytest.approx(1 / 3)
    assert vote["rival"] == pytest.approx(2 / 3)
    assert (vote["groups"], vote["models"]) == (0.5, 0.5)


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
