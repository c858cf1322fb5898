"""When cheap answers are good enough: the gate of the cascade. Pure; its numbers are in `gate.json`.

Agreement of independent models is the strongest sign there is (agreement-based cascading, arXiv 2407.02348).
Fitted on top of it are, for each class of task, `trust`: how likely one answer is right, from what its text shows;
and for all classes, `cheap` and `strong`: when two cheap answers differ, how likely the better one and the strong
model's are right.

An escalation is worth its price when P(strong) − P(cheap) is more than `price_of_a_point(bar)` times its cost. The
unit of cost is a usual strong call of the class; this one is foreseen from the length of the cheap answers: what
was long to answer for one model is long, and dear, for the next.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from math import exp, log
from typing import TYPE_CHECKING, Any

from prysm.errors import InvalidRequest
from prysm.scoring.calibration import task_class
from prysm.scoring.logistic import Model as Logistic
from prysm.scoring.logistic import sigmoid
from prysm.scoring.question import read
from prysm.strategies.signs import of_answer, of_prompt, tokens

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from prysm.core.plan import Profile
    from prysm.core.run import Candidate
    from prysm.scoring import Extracted

OTHER = "other"
"""The class of whatever was never fitted."""

POINT = 0.8
SURE = 0.25


def price_of_a_point(bar: float) -> float:
    """P(correct) that a usual call of the strong model must add: .12, .06 and .02 under the built-in bars."""
    return POINT * (1 - bar) ** 2


def sure_from(bar: float) -> float:
    """P(correct) from which one answer needs no second opinion: .91, .93 and .96 under the built-in bars."""
    return 1 - SURE * (1 - bar)


@dataclass(frozen=True, slots=True)
class Judged:
    """One cheap answer: the log odds that it is right, and its signs."""

    candidate: Candidate
    trust: float
    length: float

    def probability(self, lead: float) -> float:
        """P(correct) of the answer taken alone; `lead` is how much more its model is to be trusted by its record."""
        return sigmoid(self.trust + lead / 2)


@dataclass(frozen=True, slots=True)
class Difference:
    """Two cheap answers that differ: the better one, P(correct) of it and of the strong model's answer.

    `cost` is what that answer is foreseen to cost, 1 for a usual one.
    """

    better: Candidate
    cheap: float
    strong: float
    cost: float

    def worth(self, bar: float) -> float:
        """What an escalation is worth beyond its price, in P(correct)."""
        return self.strong - self.cheap - price_of_a_point(bar) * self.cost


@dataclass(frozen=True, slots=True)
class Class:
    """What was fitted for one class.

    `known` says that the class was fitted on data of its own; `length` is the logarithm of a usual answer's tokens;
    `differ` how often two cheap answers differ; `alone` whether one answer is often sure enough to stand alone, so
    that the second is asked after the first and not beside it.
    """

    kind: str
    known: bool
    trust: Logistic
    cheap: Logistic
    strong: Logistic
    length: float
    differ: float
    alone: bool

    def judge(self, candidate: Candidate, extracted: Extracted | None, prompt: str) -> Judged:
        """Look at one answer."""
        signs = of_prompt(prompt) | of_answer(candidate, extracted)
        return Judged(candidate, self.trust.logit(signs), log(max(1, tokens(candidate))))

    def weigh(self, one: Judged, other: Judged, lead: float) -> Difference:
        """Put odds on two answers that differ; `lead` is how much more `one` is to be trusted by its record."""
        ahead = one.trust - other.trust + lead
        better, lead = (one, lead) if ahead >= 0 else (other, -lead)
        length = (one.length + other.length) / 2
        values = {"trust": better.trust + lead / 2, "lead": abs(ahead), "length": length}
        return Difference(
            better=better.candidate,
            cheap=min(self.cheap.probability(values), sigmoid(abs(ahead))),  # at most one of the two is right
            strong=self.strong.probability(values),
            cost=exp(length - self.length),
        )


@dataclass(frozen=True, slots=True)
class Gate:
    """Every class that was fitted, and the version that answers name."""

    version: str
    classes: Mapping[str, Class]

    def of(self, profile: Profile, prompt: str) -> Class:
        """The class of a prompt, the one for all others when its own was not fitted."""
        found = kind(profile, prompt)
        return self.classes.get(found) or replace(self.classes[OTHER], kind=found)


def kind(profile: Profile, prompt: str) -> str:
    """Which class a prompt belongs to, by the classifier's task and the form of answer it asks for.

    Problems told in words and in notation are one class here: what they have in common is fitted better together.
    """
    return task_class(profile.task, read(prompt)).partition("/")[0]


def comparable(profile: Profile, prompt: str, tasks: frozenset[str]) -> bool:
    """Whether answers to a prompt can be compared: by the form it asks for, or by its task."""
    return profile.task in tasks or read(prompt).closed


def load(stored: Mapping[str, Any]) -> Gate:
    """Read what the fit wrote."""
    gain = {part: Logistic.from_json(stored["gain"][part]) for part in ("cheap", "strong")}
    classes = {name: _class(name, one, gain) for name, one in stored["classes"].items()}
    return Gate(stored["version"], classes)


@cache
def fitted() -> Gate:
    """The gate that ships with the package."""
    return load(json.loads(resources.files(__package__).joinpath("gate.json").read_text("utf-8")))


def from_file(path: Path) -> Gate:
    """The gate in a file of one's own; raises `InvalidRequest` for a file that holds none."""
    try:
        return load(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidRequest(
            f"{path.name} holds no gate ({type(error).__name__}); `python -m prysm.replay.fit_gate` writes one.",
            param="calibration",
        ) from None


def _class(name: str, stored: Mapping[str, Any], gain: Mapping[str, Logistic]) -> Class:
    return Class(
        kind=name,
        known=name != OTHER,
        trust=Logistic.from_json(stored),
        cheap=gain["cheap"],
        strong=gain["strong"],
        length=stored["length"],
        differ=stored["differ"],
        alone=stored["alone"],
    )
