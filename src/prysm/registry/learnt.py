"""What feedback teaches about a model: its prior quality, moved as far as the number of judgements carries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from prysm.core.model import TASKS

if TYPE_CHECKING:
    from prysm.core.model import Model

STRENGTH = 20.0
"""Judgements that weigh as much as the prior: with it a prior of 0.7 has a standard deviation of 0.1, which is about
how far a public benchmark is from what one caller's prompts find."""


class Tally(NamedTuple):
    """Judgements of one model's answers to one task: their mean, 0–1, and how many there are."""

    mean: float
    n: int


@dataclass(frozen=True, slots=True)
class Learnt:
    """P(correct) after `n` judgements."""

    quality: float
    n: int


Figures: TypeAlias = Mapping[tuple[str, str], Tally]
"""Tallies by model id and task."""


def learnt_quality(prior: float, mean: float, n: int, strength: float = STRENGTH) -> float:
    """Return the mean of the posterior of a Beta prior: `prior` for n = 0, nearer to `mean` with each judgement.

    The prior is Beta(strength·prior, strength·(1 - prior)). A prior of 0 says "never use it" and stays 0.
    """
    return prior + (mean - prior) * n / (n + strength) if prior else 0.0


def learnt_figures(model: Model, figures: Figures) -> Mapping[str, Learnt]:
    """Return what the figures teach about a model, for the tasks that were judged."""
    tallies = {task: figures[model.id, task] for task in TASKS if (model.id, task) in figures}
    return {
        task: Learnt(learnt_quality(model.quality_for(task), tally.mean, tally.n), tally.n)
        for task, tally in tallies.items()
    }


def taught(model: Model, learnt: Mapping[str, Learnt]) -> Model:
    """Return the model with its learnt quality, for routing; the model itself when nothing was learnt."""
    if not learnt:
        return model
    posterior = {task: found.quality for task, found in learnt.items()}
    return replace(model, quality=MappingProxyType({**model.quality, **posterior}))
