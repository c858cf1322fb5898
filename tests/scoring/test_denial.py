"""What a text denies, and what it merely sets aside."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from prysm.scoring import answers, same

CAPITAL = "What is the capital of Australia?"
NAME = st.from_regex(r"[A-Z][a-z]{3,8}", fullmatch=True)


def alike(a: str, b: str, question: str | None = CAPITAL) -> bool:
    return same(*answers([a, b], question))


@pytest.mark.parametrize(
    "said",
    [
        "Canberra, not Sydney.",
        "Canberra (not Sydney).",
        "Not Sydney, but Canberra.",
        "Canberra rather than Sydney.",
        "It's Canberra, no doubt about it.",
        "Without a doubt, Canberra.",
        "None other than Canberra.",
        "It is nothing but Canberra.",
        "It's Canberra; Sydney is not it.",
    ],
)
def test_a_denial_of_another_thing_and_an_idiom_deny_nothing(said: str) -> None:
    assert alike("Canberra.", said)


@pytest.mark.parametrize(
    "said",
    [
        "Not Canberra.",
        "It is not Canberra.",
        "Anything but Canberra.",
        "Sydney, not Canberra.",
        "Not Canberra, but Sydney.",
        "Canberra? No.",
        "The capital is Sydney, not Canberra as many believe.",
        "The capital is Sydney rather than Canberra.",
    ],
)
def test_what_a_text_denies_or_sets_aside_is_not_its_answer(said: str) -> None:
    assert not alike("Canberra.", said)


@given(NAME, NAME, st.sampled_from(["{}, not {}.", "{} (not {}).", "{} rather than {}.", "{}, and not {}."]))
def test_of_two_names_one_is_said_and_one_is_put_away(one: str, other: str, form: str) -> None:
    assume(not {one.lower(), other.lower()} & {"none", "never", "neither", "without", "cannot", "rather", "jamais"})
    assume(one[:3] != other[:3])
    assert not alike(f"{other}.", form.format(one, other), None)


def test_a_verdict_on_what_was_said_denies_it() -> None:
    assert not alike("The earth is flat.", "The earth is flat. That is not true.", None)
