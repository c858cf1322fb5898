from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.scoring import answers, same, similarity

TEXTS = st.text(min_size=1) | st.lists(
    st.sampled_from(["the", "not", "3", "4.5", "paris", "is", "never", "a", "72%", "x", "=", "B)", "def"]),
    min_size=1,
    max_size=40,
).map(" ".join)


def alike(a: str, b: str, question: str | None = None) -> bool:
    one, other = answers([a, b], question)
    return same(one, other)


@pytest.mark.parametrize(
    ("a", "b", "question"),
    [
        ("1/2", "0.5", None),
        ("$1,000", "1000", None),
        ("The answer is 42.", "#### 42", None),
        ("72%", "72", "What percent is it?"),
        ("one thousand, nine hundred and twelve", "1912", "In which year did it sink?"),
        ("£50 million", "It sold for fifty million pounds.", "What price did it fetch?"),
        ("56", "He reigned for 56 years, from 1216 to 1272.", "For how many years did he reign?"),
        ("Henri Becquerel", "Henri Becquerel.", "Who was it?"),
        ("ＰＡＲＩＳ", "paris", None),
        ("the Beatles", "Beatles", "Which is the band?"),
        (
            "Southport, North Carolina",
            "Safe Haven is set in Southport, North Carolina.",
            "Where is Safe Haven set?",
        ),
        ("```python\nx = 1  # one\n```", "```python\nx=1\n```", "Write a python script"),
        ("```js\nlet x = 1; // one\n```", "```js\nlet x  = 1;\n```", "Write a script"),
    ],
)
def test_answers_that_say_the_same_merge(a: str, b: str, question: str | None) -> None:
    assert alike(a, b, question)


@pytest.mark.parametrize(
    ("a", "b", "question"),
    [
        ("-3", "3", None),
        ("72%", "0.72", "What is the share?"),
        ("72%", "72", None),
        ("5 ft 6 in", "5 ft 5 in", "How tall is he?"),
        ("5 ft 6 in", "5 ft 5 in", None),
        ("56", "He reigned for 55 years, from 1216 to 1271.", "For how many years did he reign?"),
        ("nineteen forty-five", "nineteen forty-six", None),
        ("It was founded in 1962 by monks.", "It was founded in 1963 by monks.", "When was it founded?"),
        ("Yes", "No", "Is it so?"),
        ("(A)", "(B)", "Which?\nA) x\nB) y"),
        ("It was John Smith, I recall.", "It was Peter Brown, I recall.", "Who was it?"),
        ("'A'", "'a'", "assert f() == ??"),
        ("Paris", "Rome", "What is the capital?"),
    ],
)
def test_answers_that_differ_stay_apart(a: str, b: str, question: str | None) -> None:
    assert not alike(a, b, question)


def test_words_of_the_question_do_not_make_answers_alike() -> None:
    question = "Who was the first explorer to reach the coast of Newfoundland?"
    one = "The first explorer to reach the coast of Newfoundland was Cabot."
    other = "The first explorer to reach the coast of Newfoundland was Cartier."
    assert not alike(one, other, question)


def test_articles_are_dropped_in_english_only() -> None:
    assert alike("the dog", "dog", "What is the animal?")
    assert not alike("a", "an", "Welches Wort?")


@pytest.mark.parametrize(
    "statement", ["guilty", "5", "The defendant is guilty", "the results are safe to publish today"]
)
@pytest.mark.parametrize("question", [None, "What is the verdict?", "How many are there?"])
def test_a_statement_and_its_denial_never_merge(statement: str, question: str | None) -> None:
    denial = statement.replace(" is ", " is not ").replace(" are ", " are not ")
    assert not alike(statement, denial if denial != statement else f"not {statement}", question)


@given(st.lists(st.from_regex(r"[a-z]{2,9}", fullmatch=True), min_size=1, max_size=60).map(" ".join))
def test_no_text_merges_with_not_that_text(text: str) -> None:
    assert not alike(text, f"not {text}")


@given(TEXTS, TEXTS, st.sampled_from([None, "How many?", "Is it?", "Which?\nA) x\nB) y", "Write a function"]))
def test_similarity_is_symmetric_reflexive_and_a_share(a: str, b: str, question: str | None) -> None:
    one, other = answers([a, b], question)
    assert similarity(one, other) == pytest.approx(similarity(other, one))
    assert similarity(one, one) == 1.0
    assert 0.0 <= similarity(one, other) <= 1.0
