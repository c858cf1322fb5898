"""Numbers as people read them."""

from __future__ import annotations

import pytest

from prysm.cli import show


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "unknown"),
        (0, "$0.00"),
        (12.345, "$12.35"),
        (1, "$1.00"),
        (0.5, "$0.50"),
        (0.0129, "$0.013"),
        (0.000042, "$0.000042"),
    ],
)
def test_dollars_keep_two_digits_that_tell_something(amount: float | None, text: str) -> None:
    assert show.usd(amount) == text


@pytest.mark.parametrize(
    ("saved", "line"),
    [
        (0.25, "cost       $1.00 · saved $0.25 against big alone"),
        (-0.25, "cost       $1.00 · $0.25 more than big alone"),
        (0, "cost       $1.00"),
        (None, "cost       $1.00"),
    ],
)
def test_the_price_is_compared_where_there_is_a_difference(saved: float | None, line: str) -> None:
    assert show._price({"total_usd": 1, "saved_usd": saved, "baseline_model": "big"}) == line
