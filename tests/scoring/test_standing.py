from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.core.chat import Completion, FinishReason, Usage
from prysm.scoring import is_refusal, usable
from prysm.scoring.standing import Standing, is_repetitive, standing


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, but I can’t assist with that request.",
        "Sorry, I am not able to provide that.",
        "As an AI language model, I cannot create such content.",
        "I won't be able to help with this.",
        "Unfortunately, I'm unable to assist.",
        "I must decline to answer this.",
        "I don't feel comfortable writing that.",
    ],
)
def test_a_refusal_is_one(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "Paris.",
        "I think the answer is 42.",
        "I think it will not help to add salt.",
        "You can't divide by zero.",
        "It cannot be helped: the answer is 3.",
        "I'm sorry to hear that. Here is what you can do: rest.",
        "In 1990 the company declined to answer.",
    ],
)
def test_an_answer_is_no_refusal(text: str) -> None:
    assert not is_refusal(text)


def test_saying_one_thing_over_and_over_is_no_answer() -> None:
    assert is_repetitive("the answer is " * 100)
    assert is_repetitive("好的" * 800)
    assert not is_repetitive(" ".join(str(i) for i in range(300)))


@pytest.mark.parametrize(
    ("text", "finish", "expected"),
    [
        ("fine", "stop", "whole"),
        ("cut off in the", "length", "truncated"),
        ("anything", "content_filter", "refused"),
        (" \n", "stop", "empty"),
        ("I can't help with that.", "stop", "refused"),
    ],
)
def test_a_completion_has_a_standing(text: str, finish: FinishReason, expected: Standing) -> None:
    completion = Completion(text, finish, Usage())
    assert standing(completion) == expected
    assert usable(completion) is (expected == "whole")


@given(st.text())
def test_any_text_has_a_standing(text: str) -> None:
    standing(Completion(text, "stop", Usage()))


@given(st.lists(st.sampled_from("abcdefghijklmnopqr"), min_size=40, max_size=90))
def test_a_text_repeats_itself_when_less_than_a_fifth_of_its_trigrams_differ(words: list[str]) -> None:
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    assert is_repetitive(" ".join(words)) == (len(trigrams) >= 40 and len(set(trigrams)) < 0.2 * len(trigrams))


def test_ten_words_over_and_over_are_a_repetition() -> None:
    assert is_repetitive("a b c d e f g h i j " * 10)
