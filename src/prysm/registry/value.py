"""What a model is worth for a prompt: its expected quality, less what its price is worth under a routing mode."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING

from prysm.core.values import dataclass
from prysm.registry.cost import expected_cost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prysm.core.model import Model
    from prysm.core.plan import Difficulty, Profile, RoutingMode

PRICE_WEIGHT: Mapping[RoutingMode, float] = MappingProxyType({"quality": 0.01, "balanced": 0.10, "agility": 0.25})
"""Points of P(correct) that a tenfold price must buy. A judgement, to be fitted on outcomes."""

EASE: Mapping[Difficulty, float] = MappingProxyType({"trivial": 0.85, "normal": 0.30, "hard": 0.0})
"""Share of a model's expected errors that an easier prompt takes away: everyone can do a trivial one."""

_PENNY_FLOOR_NANO = 1_000
"""A millionth of a dollar: below it prices do not differ (a model on this machine costs nothing)."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A model with what it is expected to be worth; `cost_nano` is None when its price is unknown."""

    model: Model
    quality: float
    cost_nano: int | None


def rank(models: Sequence[Model], profile: Profile, mode: RoutingMode) -> tuple[Ranked, ...]:
    """Best value first; equal values keep the catalog's order, so routing is deterministic."""
    rows = [Ranked(model, expected_quality(model, profile), expected_cost(model, profile)) for model in models]
    if len(rows) > 1:
        dearest = max([row.cost_nano for row in rows if row.cost_nano is not None], default=0)
        weight = PRICE_WEIGHT[mode]
        rows.sort(
            key=lambda row: row.quality - weight * _decades(dearest if row.cost_nano is None else row.cost_nano),
            reverse=True,
        )
    return tuple(rows)


def expected_quality(model: Model, profile: Profile) -> float:
    """P(correct) of `model` on a prompt of this task and difficulty, 0–1."""
    prior = model.quality_for(profile.task)
    return prior + (1 - prior) * EASE[profile.difficulty]


def strongest(models: Sequence[Model], profile: Profile) -> Model:
    """The model with the highest expected quality; the first of equals."""
    if len(models) == 1:
        return models[0]
    return max(models, key=lambda model: expected_quality(model, profile))


def _decades(cost_nano: int) -> float:
    return math.log10(max(cost_nano, _PENNY_FLOOR_NANO) / _PENNY_FLOOR_NANO)
