from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.scoring import confidence
from prysm.scoring.calibration import Evidence, Parameters
from prysm.scoring.logistic import Model, logit

if TYPE_CHECKING:
    from prysm.scoring.calibration import Situation
    from prysm.scoring.standing import Standing

SHARE = st.floats(0, 1)


def saying(p: float, *situations: Situation) -> Parameters:
    models = dict.fromkeys(situations, Model(logit(p), {}))
    return Parameters("fitted", {"known": models}, models)


def evidence(situation: Situation, task_class: str = "known", share: float = 1.0) -> Evidence:
    return Evidence(situation, task_class, {"share": share})


def test_a_calibrated_class_says_which_parameters_it_goes_by() -> None:
    value, method = confidence.assessed(evidence("panel"), saying(0.9, "panel"), "whole")
    assert value == pytest.approx(0.9)
    assert method == "fitted/panel/known"


def test_a_class_without_outcomes_says_that_it_is_uncalibrated() -> None:
    _, method = confidence.assessed(evidence("panel", "unheard of"), saying(0.9, "panel"), "whole")
    assert method == "fitted/panel/unheard of (uncalibrated)"


def test_a_situation_nobody_fitted_is_a_coin_toss_and_says_so() -> None:
    value, method = confidence.assessed(evidence("panel"), saying(0.9, "single"), "whole")
    assert value == 0.5
    assert "uncalibrated" in method


def test_without_calibration_one_answer_and_a_split_vote_are_capped() -> None:
    parameters = saying(0.97, "single", "panel")
    assert confidence.assessed(evidence("single", "other"), parameters, "whole")[0] == 0.80
    assert confidence.assessed(evidence("panel", "other", share=0.5), parameters, "whole")[0] == 0.50
    assert confidence.assessed(evidence("panel", "other", share=0.6), parameters, "whole")[0] > 0.9


@pytest.mark.parametrize(
    ("standing", "cap"), [("refused", 0.15), ("truncated", 0.35), ("repetitive", 0.15), ("empty", 0.0)]
)
def test_what_is_no_whole_answer_is_capped(standing: Standing, cap: float) -> None:
    assert confidence.assessed(evidence("single"), saying(0.97, "single"), standing)[0] <= cap


def test_silence_of_some_lowers_the_rest() -> None:
    half, _ = confidence.assessed(evidence("panel"), saying(0.9, "panel"), "whole", valid=0.5)
    assert half == pytest.approx(0.45)


def test_a_fused_answer_against_a_unanimous_panel_is_distrusted() -> None:
    assert confidence.fused(1.0, 0.0, 1.0, against_panel=True)[0] <= 0.40


@given(SHARE, SHARE, SHARE, st.booleans())
def test_a_fused_confidence_is_a_probability(agreement: float, support: float, looks: float, against: bool) -> None:
    value, method = confidence.fused(agreement, support, looks, against_panel=against)
    assert 0.0 <= value <= 1.0
    assert "uncalibrated" in method
