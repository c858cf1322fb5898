"""Answers that differ in one word or one sign, and are others."""

from __future__ import annotations

import pytest

from prysm.scoring import answers, same


def alike(a: str, b: str, question: str | None = None) -> bool:
    return same(*answers([a, b], question))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("x ≤ 5", "x ≥ 5"),
        ("2 × 3", "2 ÷ 3"),
        ("A ∪ B", "A ∩ B"),
        ("The set is A ∪ B", "The set is A ∩ B"),
        ("p ∧ q", "p ∨ q"),
        ("x ∈ A", "x ∉ A"),
        ("x ≠ 5", "x = 5"),
        ("±2", "2"),
        ("√2", "∛2"),
        ("√2", "2"),
    ],
)
def test_other_operators_of_mathematics_are_another_answer(a: str, b: str) -> None:
    assert not alike(a, b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("x ≤ 5", "x <= 5"),
        ("x ≥ 5", "x >= 5"),
        ("x ≠ 5", "x != 5"),
        ("5 × 3", "5 * 3"),
        ("−3", "-3"),
        ("√2", "\\sqrt{2}"),
        ("A ∪ B", "B ∪ A"),
        ("The answer is x ≤ 5.", "\\(x \\le 5\\)"),
    ],
)
def test_an_operator_and_its_spelling_in_ascii_are_one(a: str, b: str) -> None:
    assert alike(a, b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("44 BC", "44 AD"),
        ("44 BCE", "44 CE"),
        ("He died in 44 BC.", "He died in 44 AD."),
        ("$5", "€5"),
        ("It costs $5.", "It costs €5."),
        ("3 p.m.", "3 a.m."),
        ("3pm", "3am"),
        ("It starts at 3 p.m.", "It starts at 3 a.m."),
        ("5 km", "5 miles"),
        ("20 °C", "20 °F"),
    ],
)
def test_another_currency_unit_era_or_half_of_the_day_is_another_answer(a: str, b: str) -> None:
    assert not alike(a, b)


@pytest.mark.parametrize(
    ("a", "b"), [("44 BC", "44 B.C."), ("44 BC", "44 BCE"), ("3pm", "3 p.m."), ("$5", "5 dollars"), ("$5", "5")]
)
def test_one_amount_or_time_may_be_written_in_many_ways(a: str, b: str) -> None:
    assert alike(a, b)


@pytest.mark.parametrize(
    ("a", "b", "question"),
    [
        ("It was held in Paris.", "It was held in London.", "Where was it held?"),
        ("It was written by Jane Austen in 1813.", "It was written by Charlotte Bronte in 1813.", None),
        ("The rate increased in 2010.", "The rate decreased in 2010.", None),
        ("It affects the heart.", "It affects the liver.", None),
        ("London is the capital of it.", "Paris is the capital of it.", "What is the capital?"),
        ("`rm -rf a`", "`rm -rf b`", "How do I remove it?"),
        ("It is hypertension.", "It is hypotension.", None),
        ("It is in Iran.", "It is in Iraq.", None),
    ],
)
def test_another_name_or_word_in_the_same_place_is_another_answer(a: str, b: str, question: str | None) -> None:
    assert not alike(a, b, question)


@pytest.mark.parametrize(
    ("a", "b", "question"),
    [
        ("It was held in Paris.", "It took place in Paris.", "Where was it held?"),
        ("It lies in Paris today.", "It sits in Paris today.", "Where is it?"),
        ("It was Isaac Newton.", "It was Newton.", None),
        ("The colour is grey.", "The color is gray.", None),
        ("The ball is usually white.", "The ball is typically white.", "What color is the ball?"),
        ("The U.S. won the war.", "The USA won the war.", "Who won?"),
        ("St. Ignatius of Loyola", "Saint Ignatius of Loyola", "Who was it?"),
    ],
)
def test_another_form_of_a_word_is_the_same_answer(a: str, b: str, question: str | None) -> None:
    assert alike(a, b, question)


@pytest.mark.parametrize("question", [None, "When was it signed?"])
def test_a_sentence_with_one_date_gives_that_date(question: str | None) -> None:
    assert alike("It was signed on 4 July 1776.", "1776-07-04", question)
    assert not alike("It was not signed on 4 July 1776.", "1776-07-04", question)
