from __future__ import annotations

import json
import random

import pytest

from prysm.scoring.logistic import Model, fit, logit, sigmoid


def drawn(n: int, bias: float, slope: float) -> tuple[list[tuple[float, float]], list[bool]]:
    rng = random.Random(7)  # noqa: S311 - made-up data, no secret
    rows = [(rng.gauss(0, 1), 3.0) for _ in range(n)]
    return rows, [rng.random() < sigmoid(bias + slope * x) for x, _ in rows]


def test_the_weights_that_made_the_data_are_found_again() -> None:
    model = fit(("x", "constant"), *drawn(4_000, -0.5, 1.5))
    assert model.bias == pytest.approx(-0.5, abs=0.15)
    assert model.weights["x"] == pytest.approx(1.5, abs=0.15)
    assert model.weights["constant"] == 0.0


def test_fitted_probabilities_have_the_mean_of_the_outcomes() -> None:
    rows, right = drawn(500, 1.0, 0.7)
    model = fit(("x", "constant"), rows, right)
    mean = sum(model.probability({"x": x, "constant": c}) for x, c in rows) / len(rows)
    assert mean == pytest.approx(sum(right) / len(right), abs=1e-6)


def test_a_row_of_weight_two_counts_as_two_rows() -> None:
    rows, right = drawn(200, 0.0, 1.0)
    twice = fit(("x", "constant"), rows * 2, right * 2)
    weighted = fit(("x", "constant"), rows, right, weights=[2.0] * len(rows))
    assert weighted.weights["x"] == pytest.approx(twice.weights["x"])


def test_separable_data_does_not_run_away() -> None:
    model = fit(("x",), [(-1.0,), (-2.0,), (1.0,), (2.0,)], [False, False, True, True])
    assert 0 < model.weights["x"] < 10


def test_a_weight_never_has_the_sign_that_it_must_not_have() -> None:
    rows, right = drawn(500, 0.3, 1.0)
    free, bound = (fit(("x", "constant"), rows, right, signs=signs) for signs in ({"x": 1}, {"x": -1}))
    assert free == fit(("x", "constant"), rows, right)
    assert bound.weights["x"] == 0.0
    assert bound.probability({"x": 5.0}) == pytest.approx(sum(right) / len(right), abs=1e-6)


def test_beyond_what_was_seen_a_value_counts_as_the_edge() -> None:
    model = Model(0.0, {"x": 1.0}, {"x": (0.0, 2.0)})
    assert model.logit({"x": 50.0}) == 2.0
    assert model.logit({"x": -50.0}) == 0.0


def test_a_model_survives_its_file() -> None:
    model = Model(0.25, {"x": 1.5}, {"x": (0.0, 1.0)})
    assert Model.from_json(json.loads(json.dumps(model.to_json()))) == model


def test_log_odds_and_probability_undo_each_other() -> None:
    assert sigmoid(logit(0.3)) == pytest.approx(0.3)
    assert 0 < sigmoid(-1e9) < sigmoid(1e9) < 1
