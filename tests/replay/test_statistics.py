"""The measures of a report against what they must be."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.replay.statistics import Bootstrap, auroc, ece

SCORED = st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]), st.booleans()), max_size=30)


@given(SCORED)
def test_auroc_is_the_share_of_pairs_ranked_right(scored: list[tuple[float, bool]]) -> None:
    rights = [score for score, ok in scored if ok]
    wrongs = [score for score, ok in scored if not ok]
    pairs = [(a > b) + (a == b) / 2 for a, b in product(rights, wrongs)]
    found = auroc([score for score, _ in scored], [ok for _, ok in scored])
    assert found == (pytest.approx(sum(pairs) / len(pairs)) if pairs else None)


def test_ece_is_the_mean_gap_between_what_was_said_and_what_came() -> None:
    assert ece([], []) is None
    assert ece([1.0, 1.0], [True, True]) == 0
    assert ece([0.85, 0.85, 0.25, 0.25], [True, False, False, False]) == pytest.approx((0.35 + 0.25) / 2)


def test_an_interval_holds_its_mean_and_narrows_with_rows() -> None:
    few, many = ([0, 1] * n for n in (20, 500))
    bootstrap = Bootstrap(1)
    wide, narrow = bootstrap.mean(few), bootstrap.mean(many)
    assert wide
    assert narrow
    assert wide[0] < narrow[0] < 0.5 < narrow[1] < wide[1]
    assert narrow[1] - narrow[0] == pytest.approx(4 * 0.5 / 1000**0.5, rel=0.1)


def test_no_rows_have_no_interval_and_no_denominator_has_none() -> None:
    assert Bootstrap(0).mean([]) is None
    assert Bootstrap(0).ratio([1.0], [0]) is None
