"""Calibrated confidence: what the evidence around an answer was worth where the outcomes are known.

One family of formulas, a logistic regression over the features of `evidence`, with parameters by class of task and
by situation. `fitting` makes them from a file of outcomes; the ones shipped are in `calibration.json`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from importlib.resources import files
from math import log
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from prysm.core.run import Evidence, Situation
from prysm.errors import ConfigError
from prysm.scoring.evidence import ANSWER_FEATURES, FORM_FEATURES, PRIOR_FEATURES, VOTE_FEATURES
from prysm.scoring.logistic import Model, sigmoid

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
NEAR = {"prior": 0.25, "tier": 0.25, "length": log(2)}
"""How far beyond what was fitted a model and its answer are like those that were seen, in log odds and log tokens: a
bare answer where all others were reasoned is another matter."""
FEATURES = frozenset((*PRIOR_FEATURES, *ANSWER_FEATURES, *FORM_FEATURES, *VOTE_FEATURES))
FIGURES = 2
"""Numbers that a question brings from which it is to be worked out rather than known."""


class _Way(NamedTuple):
    """A model to assess by, and the method's name; one that was `fitted` on a class is for answers like those."""

    model: Model
    method: str
    fitted: bool


@dataclass(frozen=True, slots=True)
class Parameters:
    """Fitted models by class of task and situation; `default` ones, fitted on all classes, stand in for others.

    `fallback` is asked where these know nothing: an operator's own outcomes seldom cover everything.
    """

    name: str
    classes: Mapping[str, Mapping[Situation, Model]]
    default: Mapping[Situation, Model]
    fallback: Parameters | None = None
    _ways: dict[tuple[Situation, str], tuple[_Way, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def assess(self, evidence: Evidence) -> tuple[float, str] | None:
        """Return P(correct) and the method's name; `None` for a situation that was never fitted.

        A class with too few outcomes is assessed like the one it belongs to, one with none by the fallback, and one
        that is not known there either like the average class: then the method says `uncalibrated`. So it does for a
        model much better or worse than those of the outcomes, and for an answer much shorter or longer.
        """
        sought, features = (evidence.situation, evidence.task_class), evidence.features
        ways = self._ways.get(sought)
        if ways is None:
            ways = self._ways[sought] = (*self._known(*sought), *self._average(*sought))
        for model, method, fitted in ways:
            if not fitted or _is_like(model, features):
                value = sigmoid(model.logit(features))
                return LEAST if value < LEAST else min(value, MOST), method
        return None

    def _known(self, situation: Situation, of_class: str) -> tuple[_Way, ...]:
        """Return what was fitted on the class, or on the one it belongs to, and then the fallback's."""
        found = [(name, self.classes.get(name, {}).get(situation)) for name in lineage(of_class)]
        own = tuple(_Way(model, f"{self.name}/{situation}/{name}", fitted=True) for name, model in found if model)
        return (*own, *self.fallback._known(situation, of_class)) if self.fallback else own  # noqa: SLF001 - its own kind

    def _average(self, situation: Situation, of_class: str) -> tuple[_Way, ...]:
        model = self.default.get(situation)
        if model is None:
            return self.fallback._average(situation, of_class) if self.fallback else ()  # noqa: SLF001 - as above
        return (_Way(model, f"{self.name}/{situation}/{of_class} (uncalibrated)", fitted=False),)

    def features(self) -> set[str]:
        """Return the names of all features that have weight."""
        models = [model for found in (*self.classes.values(), self.default) for model in found.values()]
        return {name for model in models for name in model.weights}

    def covers(self) -> dict[Situation, tuple[str, ...]]:
        """Return the classes with parameters of their own, by situation."""
        found = {
            one: tuple(sorted(name for name in self.classes if one in self.classes[name])) for one in SITUATIONS
        }
        return {one: names for one, names in found.items() if names}

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


@lru_cache(64)
def lineage(name: str) -> tuple[str, ...]:
    """Return a class and the one it belongs to: `mathematics/formula`, `mathematics`."""
    parent, _, child = name.rpartition("/")
    return (name, parent) if parent and child else (name,)


def _is_like(model: Model, features: Mapping[str, float]) -> bool:
    """Tell whether an answer is like those that a model was fitted on."""
    return all(model.covers(name, features, margin) for name, margin in NEAR.items())


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
    """Score with an operator's own parameters from now on; None goes back to the shipped ones. Called at the start.

    What the operator's outcomes did not cover stays with the shipped ones.
    """
    _own[:] = [replace(own, fallback=shipped())] if own is not None else []


def current() -> Parameters:
    """Return the parameters in force."""
    return _own[0] if _own else shipped()


def load(path: Path) -> Parameters:
    """Read the file that `prysm calibrate` wrote; raises `ConfigError`, also for one that goes by other features."""
    try:
        own = Parameters.from_json(json.loads(path.read_text()))
        if not own.features() <= FEATURES:
            raise ValueError  # noqa: TRY301 - one place says what helps
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        fix = "Make one with `prysm calibrate OUTCOMES --out FILE`."
        raise ConfigError(f"{path} holds no calibration ({type(error).__name__}). {fix}") from None
    return own


def _written(models: Mapping[Situation, Model]) -> dict[str, Any]:
    return {situation: models[situation].to_json() for situation in SITUATIONS if situation in models}


def _read(stored: Any) -> dict[Situation, Model]:
    return {situation: Model.from_json(stored[situation]) for situation in SITUATIONS if situation in stored}
