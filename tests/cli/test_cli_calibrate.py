"""`prysm calibrate`: an operator's own outcomes become a calibration that answers name."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from prysm.cli import app
from prysm.errors import ConfigError
from prysm.scoring.calibration import Evidence, load, shipped

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def outcomes(tmp_path: Path) -> Path:
    """Answers whose share of the votes is their probability of being right."""
    chance = random.Random(1)  # noqa: S311 - draws outcomes, guards nothing
    rows = []
    for i in range(400):
        share = chance.choice((0.4, 0.6, 0.8, 1.0))
        evidence = {"situation": "samples", "task_class": "math", "features": {"share": share}}
        rows.append(evidence | {"correct": chance.random() < share**2, "group": str(i)})
    rows.append({"situation": None, "task_class": None, "features": None, "correct": True, "group": "old"})
    file = tmp_path / "outcomes.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    return file


def test_own_outcomes_make_a_calibration_that_says_its_name(outcomes: Path, tmp_path: Path) -> None:
    out = tmp_path / "own.json"
    done = CliRunner().invoke(app, ["calibrate", str(outcomes), "--out", str(out), "--name", "ours-1", "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout.splitlines()[-1] if "\n{" in done.stdout else done.stdout)["outcomes"] == 400
    sure = load(out).assess(Evidence("samples", "math", {"share": 1.0}))
    unsure = load(out).assess(Evidence("samples", "math", {"share": 0.4}))
    assert sure is not None
    assert unsure is not None
    assert sure[0] > 0.8
    assert unsure[0] < 0.4
    assert sure[1].startswith("ours-1/samples/math")


def test_it_says_what_the_file_covers_and_what_stays_as_shipped(outcomes: Path, tmp_path: Path) -> None:
    given = ["calibrate", str(outcomes), "--out", str(tmp_path / "own.json"), "--name", "ours-1"]
    told = CliRunner().invoke(app, given).stdout
    assert "samples: ours-1 for math" in told
    assert (
        f"{shipped().name} for other classes that it knows, and for all of single, panel, escalated, fused" in told
    )
    assert "the average of ours-1, as uncalibrated, for classes that neither knows: samples" in told
    done = json.loads(CliRunner().invoke(app, [*given, "--json"]).stdout)
    assert done["covers"] == {"samples": ["math"]}
    assert (done["else"], done["average"]) == (shipped().name, ["samples"])


def test_what_it_says_of_other_classes_is_what_is_done(outcomes: Path, tmp_path: Path) -> None:
    given = ["calibrate", str(outcomes), "--out", str(tmp_path / "own.json"), "--name", "ours-1", "--json"]
    done = json.loads(CliRunner().invoke(app, given).stdout)
    own = replace(load(tmp_path / "own.json"), fallback=shipped())
    known, unknown = (
        own.assess(Evidence("samples", name, {"share": 1.0})) for name in ("program_output", "writing")
    )
    assert known is not None
    assert unknown is not None
    assert known[1].startswith(f"{done['else']}/samples/program_output")
    assert done["average"] == ["samples"]
    assert unknown[1] == "ours-1/samples/writing (uncalibrated)"


@pytest.mark.parametrize("text", ["", "{}", '{"situation": "samples"}'])
def test_too_few_or_unreadable_outcomes_are_refused_with_what_helps(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.jsonl").write_text(text)
    assert CliRunner().invoke(app, ["calibrate", str(tmp_path / "bad.jsonl")]).exit_code == 2


def test_a_file_that_is_no_calibration_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "no.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"no\.json holds no calibration"):
        load(tmp_path / "no.json")


def test_a_calibration_that_goes_by_other_features_is_refused(tmp_path: Path) -> None:
    model = {"bias": 0.0, "weights": {"voters": 1.0}}
    stored = {"name": "old", "classes": {"math": {"samples": model}}, "default": {}}
    (tmp_path / "old.json").write_text(json.dumps(stored))
    with pytest.raises(ConfigError, match="prysm calibrate"):
        load(tmp_path / "old.json")
