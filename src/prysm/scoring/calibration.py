"""Calibrated confidence: what the evidence around an answer was worth where the outcomes are known.

One family of formulas, a logistic regression over the features of `evidence`, with parameters by class of task and
by situation. `fitting` makes them from a file of outcomes; the ones shipped are in `calibration.json`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, get_args

from prysm.core.run import Evidence, Situation
from prysm.errors import ConfigError
from prysm.scoring.logistic import Model

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from prysm.core.model import Task
    from prysm.scoring.question import Question

__all__ = [
    "SITUATIONS",
    "Evidence",
    "Parameters",
    "Situation",
    "current",
    "install",
    "lineage",
    "load",
    "shipped",
    "task_class",
]

SITUATIONS: tuple[Situation, ...] = get_args(Situation)
LEAST, MOST = 0.01, 0.99
NEAR = 0.25
"""Log odds beyond the fitted priors up to which a model is like those that were seen."""
FIGURES = 2
"""Numbers that a question brings from which it is to be worked out rather than known."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Fitted models by class of task and situation; `default` ones, fitted on all classes, stand in for others."""

    name: str
    classes: Mapping[str, Mapping[Situation, Model]]
    default: Mapping[Situation, Model]

    def assess(self, evidence: Evidence) -> tuple[float, str] | None:
        """Return P(correct) and the method's name; `None` for a situation that was never fitted.

        A class with too few outcomes is assessed like the one it belongs to, one with none like the average class:
        then the method says `uncalibrated`. So it does for a model much better or worse than those of the outcomes.
        """
        for name in lineage(evidence.task_class):
            own = self.classes.get(name, {}).get(evidence.situation)
            if own and all(own.covers(prior, evidence.features, NEAR) for prior in ("prior", "tier")):
                return _bounded(own, evidence), f"{self.name}/{evidence.situation}/{name}"
        model = self.default.get(evidence.situation)
        if model is None:
            return None
        return _bounded(model, evidence), f"{self.name}/{evidence.situation}/{evidence.task_class} (uncalibrated)"

    def to_json(self) -> dict[str, Any]:
        """Return a plain object."""
        return {
            "name": self.name,
            "classes": {name: _written(models) for name, models in sorted(self.classes.items())},
            "default": _written(self.default),
        }

    @classmethod
    def from_json(cls, stored: Any) -> Parameters:
        """Read what `to_json` wrote; raises `KeyError`, `TypeError` or `ValueError` on anything else."""
        classes = {str(name): _read(models) for name, models in stored["classes"].items()}
        return cls(str(stored["name"]), classes, _read(stored["default"]))


def lineage(name: str) -> tuple[str, ...]:
    """Return a class and the one it belongs to: `mathematics/formula`, `mathematics`."""
    parent, _, child = name.rpartition("/")
    return (name, parent) if parent and child else (name,)


def _bounded(model: Model, evidence: Evidence) -> float:
    return min(MOST, max(LEAST, model.probability(evidence.features)))


def task_class(task: Task, form: Question) -> str:
    """Name the class of task: by the form of the answer where that is closed, else the task itself."""
    if form.options:
        return "multiple_choice"
    if form.literal:
        return "program_output"
    counted = task == "factual" and form.numeric and form.numbers >= FIGURES
    if task in {"math", "reasoning"} or counted:
        return "mathematics/formula" if form.formula or form.variables else "mathematics/word_problem"
    return task


@cache
def shipped() -> Parameters:
    """Return the parameters that come with this version."""
    return Parameters.from_json(json.loads(files("prysm.scoring").joinpath("calibration.json").read_text()))


_own: list[Parameters] = []


def install(own: Parameters | None) -> None:
    """Score with an operator's own parameters from now on; None goes back to the shipped ones. Called at the start."""
    _own[:] = [own] if own is not None else []


def current() -> Parameters:
    """Return the parameters in force."""
    return _own[0] if _own else shipped()


def load(path: Path) -> Parameters:
    """Read the file that `prysm calibrate` wrote; raises `ConfigError`."""
    try:
        return Parameters.from_json(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        fix = "Make one with `prysm calibrate OUTCOMES --out FILE`."
        raise ConfigError(f"{path} holds no calibration ({type(error).__name__}). {fix}") from None


def _written(models: Mapping[Situation, Model]) -> dict[str, Any]:
    return {situation: models[situation].to_json() for situation in SITUATIONS if situation in models}


def _read(stored: Any) -> dict[Situation, Model]:
    return {situation: Model.from_json(stored[situation]) for situation in SITUATIONS if situation in stored}
