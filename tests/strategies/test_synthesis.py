"""One answer from the answers to parts: nothing an answer said may be lost on the way."""

from __future__ import annotations

import pytest
from tests.scripted_models import profile

from prysm.core.chat import Message
from prysm.planner.budget import AROUND_CANDIDATES_AT_MOST
from prysm.registry.cost import tokens_at_most
from prysm.strategies.synthesis import Part, covers, instructions

NONCE = "0123456789abcdef"
SUM, HAIKU = "What is 17 * 23?", "Write a haiku about the sea."
POEM = "Waves fold into foam,\nsalt wind carries gulls homeward,\ntides erase our steps."


@pytest.mark.parametrize(
    ("task", "answer", "text"),
    [
        (SUM, "17 * 23 = 391\n\nFinal answer: 391", "The product is 391."),
        ("How many people live there?", "Final answer: 1,200", "Some 1200 people live there."),
        (HAIKU, POEM, f"Here is the poem:\n\n{POEM}\n\nThe product is 391."),
        ("Explain tides.", "Tides are caused by the gravity of the moon.", "The moon's gravity makes the tides."),
        ("Is water wet?", "Yes", "Yes, it is."),
        ("Say hi.", "Hi!", "Nothing to see."),  # without a word of its own there is nothing to miss
    ],
)
def test_an_answer_that_is_still_there_is_covered(task: str, answer: str, text: str) -> None:
    assert covers(text, task, answer)


@pytest.mark.parametrize(
    ("task", "answer", "text"),
    [
        (SUM, "17 * 23 = 391\n\nFinal answer: 391", f"What is 17 * 23? {POEM}"),
        (SUM, "Final answer: 391", "The product is 401."),
        (HAIKU, POEM, "You asked for a haiku about the sea. The product is 391."),
        ("Explain tides.", "Tides are caused by the gravity of the moon.", "The product is 391."),
    ],
)
def test_an_answer_that_was_left_out_or_changed_is_not(task: str, answer: str, text: str) -> None:
    assert not covers(text, task, answer)


def test_a_part_without_an_answer_is_told_as_one() -> None:
    told = instructions([Message("user", "Both.")], [Part(SUM, profile(), None)], NONCE)
    assert [turn.role for turn in told] == ["system", "user"]
    assert told[1].text.startswith("Both.\n\n")
    assert "Part: What is 17 * 23?\nAnswer: (no answer)" in told[1].text


def test_the_words_around_the_parts_stay_within_what_the_planner_reserves() -> None:
    asked = [Message("user", "")]
    told = instructions(asked, [Part("", profile(), None)] * 6, NONCE)
    assert 0 < tokens_at_most(told) - tokens_at_most(asked) + 200 <= AROUND_CANDIDATES_AT_MOST  # 200 to ask again
