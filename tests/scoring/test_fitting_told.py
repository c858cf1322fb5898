"""What a model tells of its own certainty gets the weight that the outcomes give it."""

from __future__ import annotations

import random

import pytest

from prysm.scoring.calibration import Evidence, shipped
from prysm.scoring.fitting import Outcome, cross_fitted, fit_parameters
from prysm.scoring.logistic import sigmoid
from prysm.scoring.reliability import auroc

TOLD = pytest.mark.parametrize("name", ["logprob", "stated"])
PRIOR = {"prior": 0.8, "echoed": 1.0}


def outcomes(name: str, n: int = 800, slope: float = 0.8, *, silent: bool = False) -> list[Outcome]:
    """Single answers of which the model told log odds around 2, right the surer it was; half tell none if `silent`."""
    rng = random.Random(5)  # noqa: S311 - made-up outcomes, no secret
    made = []
    for i in range(n):
        told = rng.gauss(2, 1.5)
        heard = {} if silent and i % 2 else {name: told, f"has_{name}": 1.0}
        evidence = Evidence("single", "sums", PRIOR | heard)
        made.append(Outcome(evidence, rng.random() < sigmoid(slope * (told - 1)), f"q{i}", "sums"))
    return made


def discrimination(rows: list[Outcome]) -> float:
    found = auroc([(probability, row.correct) for row, probability, _ in cross_fitted(rows)])
    assert found is not None
    return found


@TOLD
def test_outcomes_give_certainty_that_tells_a_positive_weight(name: str) -> None:
    model = fit_parameters(outcomes(name), "own").classes["sums"]["single"]
    assert model.weights[name] == pytest.approx(0.8, abs=0.2)


@TOLD
def test_certainty_that_tells_nothing_gets_next_to_no_weight(name: str) -> None:
    assert abs(fit_parameters(outcomes(name, slope=0.0), "own").classes["sums"]["single"].weights[name]) < 0.1


@TOLD
def test_certainty_that_tells_raises_discrimination(name: str) -> None:
    rows = outcomes(name)
    mute = [Outcome(Evidence("single", "sums", PRIOR), row.correct, row.group, row.set) for row in rows]
    assert discrimination(rows) > 0.7
    assert discrimination(mute) < 0.6


@TOLD
def test_an_answer_that_tells_nothing_is_not_taken_for_an_unsure_one(name: str) -> None:
    rows = outcomes(name, 1_600, silent=True)
    parameters = fit_parameters(rows, "own")
    right = [row.correct for row in rows if name not in row.evidence.features]
    without = parameters.assess(Evidence("single", "sums", PRIOR))
    unsure = parameters.assess(Evidence("single", "sums", PRIOR | {name: 0.1, f"has_{name}": 1.0}))
    assert without is not None
    assert unsure is not None
    assert without[0] == pytest.approx(sum(right) / len(right), abs=0.05)
    assert unsure[0] < without[0]


def test_the_shipped_parameters_have_seen_none_of_it_and_give_it_no_weight() -> None:
    models = [model for found in shipped().classes.values() for model in found.values()]
    assert not any(name in model.weights for model in models for name in ("logprob", "has_logprob"))
