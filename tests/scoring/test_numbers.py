from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.scoring.numbers import exact, in_digits

if TYPE_CHECKING:
    from fractions import Fraction


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("-3", "-3"),
        ("−3", "-3"),
        ("1/2", "1/2"),
        ("0.5", "1/2"),
        (".5", "1/2"),
        ("½", "1/2"),
        ("1 1/2", "3/2"),
        ("\\frac{1}{2}", "1/2"),
        ("-\\dfrac12", "-1/2"),
        ("3\\frac{1}{2}", "7/2"),
        ("$1,000", "1000"),
        ("\\$18.90", "189/10"),
        ("1e3", "1000"),
        ("1.5 \\times 10^{3}", "1500"),
        ("72%", "72%"),
        ("72\\%", "72%"),
        ("72 percent", "72%"),
        ("0.72", "18/25"),
        ("18 dollars", "18"),
        ("5 km", "5"),
        ("90^\\circ", "90"),
        ("\\text{7 apples}", "7"),
        ("x = 5", "5"),
        ("twenty-one", "21"),
        ("two hundred and five", "205"),
        ("one thousand, nine hundred and twelve", "1912"),
        ("nineteen forty-five", "1945"),
        ("3 million", "3000000"),
        ("**42**", "42"),
    ],
)
def test_a_number_is_read_exactly(written: str, number: str) -> None:
    assert exact(written) == number


@pytest.mark.parametrize(
    "written",
    [
        "",
        "a",
        "3x",
        "2 pi",
        "5 is not right",
        "not 5",
        "12:30",
        "3,4",
        "[666]",
        "2/0",
        "1e999",
        "seventy and",
        "two three",
        "two and three",
        "one million, two million",
        "9" * 100,
    ],
)
def test_what_is_no_plain_number_is_left_alone(written: str) -> None:
    assert exact(written) is None


@pytest.mark.parametrize(
    ("written", "in_figures"),
    [
        ("in nineteen hundred and five or so", "in 1905 or so"),
        ("2.5 million of them", "2500000 of them"),
        ("one or two, three and four", "one or two, three and four"),
        ("two hundred, three hundred", "200, 300"),
    ],
)
def test_a_number_of_several_words_is_put_in_digits(written: str, in_figures: str) -> None:
    assert in_digits(written) == in_figures


def test_a_percentage_is_a_number_where_the_question_asks_for_one() -> None:
    assert exact("72%", percent=False) == exact("72")


@given(st.fractions(max_denominator=10_000))
def test_reading_what_was_read_changes_nothing(value: Fraction) -> None:
    assert exact(str(value)) == str(value)


@given(st.text(max_size=200))
def test_a_canonical_number_is_a_fixed_point(written: str) -> None:
    number = exact(written)
    assert number is None or exact(number) == number
