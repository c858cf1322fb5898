from __future__ import annotations

import gzip
import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from prysm.errors import InvalidRequest
from prysm.scoring.calibration import Evidence, Parameters, shipped
from prysm.scoring.evidence import SIGNS
from prysm.scoring.fitting import Outcome, cross_fitted, fit_parameters, read_outcomes, written
from prysm.scoring.reliability import auroc, ece, reliability

if TYPE_CHECKING:
    from pathlib import Path


def outcomes(n: int, task_class: str = "sums") -> list[Outcome]:
    """Make votes of which a share of s is right with probability s."""
    rng = random.Random(3)  # noqa: S311 - made-up outcomes, no secret
    made = []
    for i in range(n):
        share = rng.choice((0.4, 0.6, 0.8, 1.0))
        evidence = Evidence("samples", task_class, {"share": share, "assumed": 1.0})
        made.append(Outcome(evidence, rng.random() < share - 0.05, f"q{i // 2}", task_class))
    return made


def test_a_fitted_confidence_is_what_came_true() -> None:
    parameters = fit_parameters(outcomes(2_000), "mine-1")
    assessed = parameters.assess(Evidence("samples", "sums", {"share": 0.8, "assumed": 1.0}))
    assert assessed is not None
    assert assessed[0] == pytest.approx(0.75, abs=0.05)
    assert assessed[1] == "mine-1/samples/sums"


def test_a_vote_of_one_model_is_not_assessed_by_what_its_few_wrong_prompts_look_like() -> None:
    look = {"round": 1.0, "prompt_numbers": 1.0, "prompt_formula": 1.0}
    rows = [row if row.correct else looking(row, look) for row in outcomes(600)]
    parameters = fit_parameters(rows, "mine-1")
    vote = {"share": 0.8, "assumed": 1.0}
    plain, alike = (parameters.assess(Evidence("samples", "sums", seen)) for seen in (vote, {**vote, **look}))
    assert plain == alike


def looking(row: Outcome, look: dict[str, float]) -> Outcome:
    return replace(row, evidence=replace(row.evidence, features={**row.evidence.features, **look}))


def test_too_few_outcomes_leave_a_class_uncalibrated() -> None:
    parameters = fit_parameters([*outcomes(600), *outcomes(40, "verses")], "mine-1")
    assessed = parameters.assess(Evidence("samples", "verses", {"share": 1.0}))
    assert assessed is not None
    assert assessed[1].endswith("(uncalibrated)")


def test_a_small_class_is_assessed_like_the_one_it_belongs_to() -> None:
    parameters = fit_parameters([*outcomes(600, "sums/long"), *outcomes(40, "sums/short")], "mine-1")
    assessed = parameters.assess(Evidence("samples", "sums/short", {"share": 1.0}))
    assert assessed is not None
    assert assessed[1] == "mine-1/samples/sums"


def test_a_model_unlike_those_of_the_outcomes_is_not_assessed_by_them() -> None:
    rows = [looking(row, {"prior": 3.0}) for row in outcomes(600)]
    parameters = fit_parameters(rows, "mine-1")
    alike, unlike = (parameters.assess(Evidence("samples", "sums", {"share": 1.0, "prior": p})) for p in (3.2, 0.4))
    assert alike is not None
    assert unlike is not None
    assert "uncalibrated" not in alike[1]
    assert "uncalibrated" in unlike[1]


def test_no_outcome_is_assessed_by_parameters_that_saw_its_prompt() -> None:
    rows = outcomes(400)
    assessed = cross_fitted(rows)
    assert len(assessed) == len(rows)
    assert reliability([(p, row.correct, row.group) for row, p, _ in assessed]).ece < 0.1


def test_leaving_a_set_out_leaves_its_class_uncalibrated() -> None:
    rows = [*outcomes(300), *outcomes(300, "verses")]
    assessed = cross_fitted(rows, held_out=lambda outcome: outcome.set)
    assert all(method.endswith("(uncalibrated)") for _, _, method in assessed)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_outcomes_survive_their_file(tmp_path: Path, suffix: str) -> None:
    rows, path = outcomes(5), tmp_path / f"outcomes{suffix}"
    text = "\n".join(json.dumps(written(row)) for row in rows).encode()
    path.write_bytes(gzip.compress(text) if suffix.endswith("gz") else text)
    assert [written(row) for row in read_outcomes(path)] == [written(row) for row in rows]


@pytest.mark.parametrize("line", ["{", "[]", '{"situation": "dream"}', '{"situation": "single", "correct": "yes"}'])
def test_a_line_that_is_no_outcome_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "outcomes.jsonl"
    path.write_text(json.dumps(written(outcomes(1)[0])) + f"\n{line}\n")
    with pytest.raises(InvalidRequest, match="line 2"):
        read_outcomes(path)


def test_parameters_survive_their_file() -> None:
    stored = fit_parameters(outcomes(400), "mine-1").to_json()
    assert Parameters.from_json(json.loads(json.dumps(stored))).to_json() == stored


def test_no_shipped_weight_speaks_for_dissent_or_against_a_better_model_or_agreement() -> None:
    stored = [*shipped().classes.values(), shipped().default]
    models = [model for models in stored for model in models.values()]
    assert all(model.weights.get(name, 0.0) * sign >= 0 for model in models for name, sign in SIGNS.items())


def test_auroc_counts_ties_half_and_needs_both_outcomes() -> None:
    assert auroc([(0.9, True), (0.1, False)]) == 1.0
    assert auroc([(0.5, True), (0.5, False)]) == 0.5
    assert auroc([(0.5, True)]) is None


def test_calibration_error_is_the_gap_between_said_and_true() -> None:
    assert ece([(0.95, True)] * 3 + [(0.95, False)]) == pytest.approx(0.2)
    assert ece([(1.0, True), (0.0, False)]) == 0.0


def test_a_reliability_report_repeats_itself() -> None:
    judged = [(0.1 * (i % 10), i % 3 == 0, str(i // 3)) for i in range(90)]
    assert reliability(judged) == reliability(judged)
    found = reliability(judged)
    assert found.ece_ci95[0] <= found.ece_ci95[1]
    assert sum(row.n for row in found.table) == 90
