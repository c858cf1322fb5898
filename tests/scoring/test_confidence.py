from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.scoring import confidence
from prysm.scoring.calibration import Evidence, Parameters, Situation, current, install, shipped
from prysm.scoring.logistic import Model, logit

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARE = st.floats(0, 1)


def saying(p: float, *situations: Situation) -> Parameters:
    models = dict.fromkeys(situations, Model(logit(p), {}))
    return Parameters("fitted", {"known": models}, models)


def evidence(situation: Situation, task_class: str = "known", share: float = 1.0) -> Evidence:
    return Evidence(situation, task_class, {"share": share})


def test_a_calibrated_class_says_which_parameters_it_goes_by() -> None:
    value, method = confidence.assessed(evidence("panel"), saying(0.9, "panel"))
    assert value == pytest.approx(0.9)
    assert method == "fitted/panel/known"


def test_a_class_without_outcomes_says_that_it_is_uncalibrated() -> None:
    _, method = confidence.assessed(evidence("panel", "unheard of"), saying(0.9, "panel"))
    assert method == "fitted/panel/unheard of (uncalibrated)"


def test_a_situation_nobody_fitted_is_a_coin_toss_and_says_so() -> None:
    value, method = confidence.assessed(evidence("panel"), saying(0.9, "single"))
    assert value == 0.5
    assert "uncalibrated" in method


@pytest.mark.parametrize("situation", get_args(Situation))
def test_without_outcomes_of_its_class_no_answer_of_a_model_goes_far_beyond_its_prior(situation: Situation) -> None:
    parameters, seen = saying(0.97, situation), {"share": 1.0, "agreeing": log(10), "prior": logit(0.34)}
    value, method = confidence.assessed(Evidence(situation, "other", seen), parameters)
    assert value < 0.51
    assert "uncalibrated" in method
    assert confidence.assessed(Evidence(situation, "other", {**seen, "prior": 3.0}), parameters)[0] == 0.80


def test_without_calibration_several_models_are_capped_and_a_split_vote_is_a_coin_toss() -> None:
    parameters, three = saying(0.97, "panel"), {"prior": 1.0, "sources": log(3)}
    assert confidence.assessed(Evidence("panel", "other", {**three, "share": 1.0}), parameters)[0] == 0.90
    assert confidence.assessed(Evidence("panel", "other", {**three, "share": 0.5}), parameters)[0] == 0.50


def test_a_fused_answer_against_a_unanimous_panel_is_distrusted() -> None:
    assert confidence.fused(1.0, 0.0, 1.0, parts=0.9, against_panel=True)[0] <= 0.40


@given(SHARE, SHARE, SHARE, SHARE, st.booleans())
def test_a_fused_confidence_is_no_more_than_that_of_its_parts(
    agreement: float, support: float, looks: float, parts: float, against: bool
) -> None:
    value, method = confidence.fused(agreement, support, looks, parts=parts, against_panel=against)
    assert 0.0 <= value <= parts
    assert "uncalibrated" in method


@pytest.fixture
def own() -> Iterator[Parameters]:
    """An operator's calibration that knows one situation of one class."""
    install(saying(0.7, "single"))
    yield current()
    install(None)


def test_what_an_operators_outcomes_do_not_cover_stays_with_the_shipped_parameters(own: Parameters) -> None:
    shipped_says = shipped().assess(evidence("panel", "multiple_choice"))
    assert own.assess(evidence("panel", "multiple_choice")) == shipped_says
    assert shipped_says is not None
    assert shipped_says[1] == f"{shipped().name}/panel/multiple_choice"
    assert own.assess(evidence("single", "multiple_choice")) == shipped().assess(
        evidence("single", "multiple_choice")
    )


def test_what_they_cover_goes_by_them(own: Parameters) -> None:
    covered, average = own.assess(evidence("single")), own.assess(evidence("single", "unheard of"))
    assert covered is not None
    assert average is not None
    assert covered[0] == average[0] == pytest.approx(0.7)
    assert (covered[1], average[1]) == ("fitted/single/known", "fitted/single/unheard of (uncalibrated)")
