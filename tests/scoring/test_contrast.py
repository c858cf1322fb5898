"""Texts that are nearly alike and never one answer."""

from __future__ import annotations

from datetime import date
from keyword import iskeyword

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from prysm.scoring import answers, same
from prysm.scoring.dates import Date, dates, whole

WORD = st.from_regex(r"[a-z]{3,9}", fullmatch=True).filter(lambda word: not iskeyword(word))
NAME = st.from_regex(r"[A-Z][a-z]{2,8}", fullmatch=True)
DAY = st.dates(date(1000, 1, 1), date(2999, 12, 31))
OPERATORS = ["+", "-", "*", "/", "%", "**", "//", "<", ">", "<=", ">=", "==", "!=", "&", "|", "^"]
THINKING = "There are several things to weigh here, and each of them matters to the result that is wanted. " * 8


def alike(a: str, b: str, question: str | None = None) -> bool:
    return same(*answers([a, b], question))


def function(body: str, language: str = "python") -> str:
    return f"```{language}\ndef f(a, b):\n    return {body}\n```"


@given(st.lists(st.sampled_from(OPERATORS), min_size=2, max_size=2, unique=True), st.sampled_from(["python", "js"]))
def test_programs_with_other_operators_never_merge(pair: list[str], language: str) -> None:
    one, other = (function(f"a {operator} b", language) for operator in pair)
    assert not alike(one, other, "Write a function.")
    assert not alike(f"Here it is:\n{one}", f"Sure!\n{other}")


@given(
    WORD,
    WORD,
    st.sampled_from(["{0}(x)", "`{0}(x)`", "x.{0} = 1", "def {0}(x):\n    return x", "```\n{0}(x, 1)\n```"]),
)
def test_code_with_other_names_never_merges(one: str, other: str, code: str) -> None:
    assume(one != other)
    assert not alike(code.format(f"get_{one}"), code.format(f"get_{other}"), "Write a function.")


@given(NAME, NAME, WORD)
def test_swapped_arguments_never_merge(one: str, other: str, verb: str) -> None:
    assume(len({one.lower(), other.lower(), verb}) == 3 and verb not in {"and", "was", "are"})
    assert not alike(f"{one} {verb} {other}", f"{other} {verb} {one}", "Who won?")
    assert not alike(f"f({one}, {other})", f"f({other}, {one})", "Write a function.")


@given(DAY, DAY, st.sampled_from(["%Y-%m-%d", "%-d %B %Y", "%B %-d, %Y"]), st.sampled_from(["{}", "It was on {}."]))
def test_other_dates_never_merge(one: date, other: date, form: str, said: str) -> None:
    assume(one != other)
    assert not alike(said.format(one.strftime(form)), said.format(other.strftime(form)), "When was it?")


@given(DAY)
def test_one_date_in_two_spellings_is_one_answer(day: date) -> None:
    spelled = [day.strftime(form).lower() for form in ("%Y-%m-%d", "%-d %B %Y", "%B %-d, %Y", "%-d %b %Y")]
    assert {whole(text) for text in spelled} == {Date(day.year, day.month, day.day)}
    assert alike(spelled[0], spelled[1])


def test_a_date_that_says_less_may_be_the_same_and_may_is_no_month_by_itself() -> None:
    (less,), (more,) = (dates(text, text.split()) for text in ("in march 2016", "on 15 march 2016"))
    assert less.fits(more)
    assert not dates("it may be 3 of them", ["may"])


@given(st.lists(WORD, min_size=1, max_size=12).map(" ".join))
def test_no_claim_merges_with_its_denial(claim: str) -> None:
    assert not alike(f"It is {claim}.", f"It is not {claim}.")
    assert not alike(f"Final answer: {claim}", f"Final answer: not {claim}")


@pytest.mark.parametrize(
    ("a", "b", "question"),
    [
        ("True", "It is not true.", None),
        ("True", "It is not true.", "Is it safe?"),
        ("guilty", "He is not guilty", None),
        ("legal", "illegal", None),
        ("direct rule", "indirect rule", None),
        ("a+b", "a-b", None),
        ("C", "C++", None),
        ("C#", "C++", None),
        ("It is -3 outside", "It is 3 outside", None),
        ("Henry IV", "Henry V", None),
        ("from A to B", "from B to A", None),
    ],
)
def test_a_small_mark_can_be_the_whole_difference(a: str, b: str, question: str | None) -> None:
    assert not alike(a, b, question)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Google, Facebook and Yahoo", "Yahoo, Google and Facebook"),
        ("River Esk", "Esk River"),
        ("Sydney was the first capital city", "The first capital city was Sydney"),
        ("**Paris**", "Paris"),
        ("input/output", "input output"),
        ("* Paris", "- Paris"),
    ],
)
def test_the_order_of_a_list_and_the_marks_of_markdown_say_nothing(a: str, b: str) -> None:
    assert alike(a, b)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Paris", "London"), ("Leonardo", "Raphael"), ("Python", "Ruby"), ("carbon dioxide", "oxygen")],
)
@pytest.mark.parametrize("said", ["Final answer: {}", "The final answer is {}.", THINKING + "The answer is {}."])
def test_stated_answers_are_compared_and_not_the_words_around_them(one: str, other: str, said: str) -> None:
    assert not alike(said.format(one), said.format(other))
    assert alike(said.format(one), f"Answer: {one}")


@pytest.mark.parametrize(("long", "short"), [("Leonardo da Vinci", "Leonardo"), ("Paris, France", "Paris")])
def test_a_longer_form_of_a_stated_answer_is_the_same(long: str, short: str) -> None:
    assert alike(f"Final answer: {long}", f"{THINKING}The answer is {short}.")
