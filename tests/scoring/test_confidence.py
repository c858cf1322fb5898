from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.scoring import confidence

if TYPE_CHECKING:
    from prysm.scoring.standing import Standing

SHARE = st.floats(0, 1)


def test_a_single_answer_never_exceeds_the_cap() -> None:
    assert confidence.single(0.99, 1.0, "whole") == (0.80, confidence.PRIOR)


@pytest.mark.parametrize(
    ("standing", "cap"), [("refused", 0.15), ("truncated", 0.35), ("repetitive", 0.15), ("empty", 0.0)]
)
def test_what_is_no_whole_answer_is_capped(standing: Standing, cap: float) -> None:
    assert confidence.single(0.9, 1.0, standing)[0] <= cap


def test_unanimity_across_families_is_worth_nearly_as_much_as_measured() -> None:
    effective = confidence.effective_share(3, 0.1)
    assert confidence.votes(1.0, 1.0, prior=0.6, effective=effective)[0] == pytest.approx(0.93, abs=0.02)


def test_agreement_of_one_model_with_itself_is_worth_less() -> None:
    alone = confidence.votes(1.0, 1.0, prior=0.6, effective=confidence.effective_share(3, 0.5))[0]
    across = confidence.votes(1.0, 1.0, prior=0.6, effective=confidence.effective_share(3, 0.1))[0]
    assert 0.6 < alone < across


def test_disagreement_is_not_talked_up_by_a_good_prior() -> None:
    assert confidence.votes(0.2, 0.2, prior=0.9)[0] == pytest.approx(0.14)


def test_two_that_disagree_do_not_clear_any_bar() -> None:
    assert confidence.votes(0.5, 0.75, prior=0.75)[0] <= 0.5


def test_silence_of_some_lowers_the_rest() -> None:
    full = confidence.votes(1.0, 1.0, prior=0.6)[0]
    assert confidence.votes(1.0, 1.0, prior=0.6, valid=0.5)[0] == pytest.approx(full / 2)


def test_an_exhausted_cascade_stays_under_the_bar() -> None:
    assert confidence.gated(0.9, 0.72, exhausted=True)[0] < 0.72
    assert confidence.gated(0.9, 0.72, exhausted=False)[0] == 0.9


def test_a_fused_answer_against_a_unanimous_panel_is_distrusted() -> None:
    assert confidence.fused(1.0, 0.0, 1.0, against_panel=True)[0] <= 0.40


def test_every_method_says_that_it_is_uncalibrated() -> None:
    for method in (confidence.PRIOR, confidence.VOTE_CURVE, confidence.GATE, confidence.FUSED):
        assert "uncalibrated" in method


@given(SHARE, SHARE)
def test_the_curve_rises_and_stays_in_range(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert 0.05 <= confidence.curve(low) <= confidence.curve(high) <= 0.96


@given(SHARE, SHARE, SHARE, SHARE, SHARE)
def test_a_confidence_is_a_probability(
    share: float, degree: float, prior: float, effective: float, valid: float
) -> None:
    value, _ = confidence.votes(share, degree, prior=prior, effective=effective, valid=valid)
    assert 0.0 <= value <= 1.0
