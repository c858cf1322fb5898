"""Best value for one prompt: expected quality less what the price is worth, and why each other model lost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from prysm.core.model import NANO_PER_USD
from prysm.core.plan import Alternative
from prysm.registry.cost import expected_cost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prysm.core.model import Model
    from prysm.core.plan import Difficulty, Profile, RoutingMode

PRICE_WEIGHT: Mapping[RoutingMode, float] = MappingProxyType({"quality": 0.01, "balanced": 0.10, "agility": 0.25})
"""Points of P(correct) that a tenfold price must buy. A judgement, to be fitted on outcomes."""

EASE: Mapping[Difficulty, float] = MappingProxyType({"trivial": 0.85, "normal": 0.30, "hard": 0.0})
"""Share of a model's expected errors that an easier prompt takes away: everyone can do a trivial one."""

MOST_ALTERNATIVES = 5

_PENNY_FLOOR_NANO = 1_000
"""A millionth of a dollar: below it prices do not differ (a model on this machine costs nothing)."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A model with what it is expected to be worth; `cost_nano` is None when its price is unknown."""

    model: Model
    quality: float
    cost_nano: int | None
    utility: float


def rank(models: Sequence[Model], profile: Profile, mode: RoutingMode) -> tuple[Ranked, ...]:
    """Best value first; equal values keep the catalog's order, so routing is deterministic."""
    costs = [expected_cost(model, profile) for model in models]
    dearest = max((cost for cost in costs if cost is not None), default=0)
    rows = [
        Ranked(model, quality, cost, quality - PRICE_WEIGHT[mode] * _decades(cost if cost is not None else dearest))
        for model, cost in zip(models, costs, strict=True)
        for quality in [expected_quality(model, profile)]
    ]
    return tuple(sorted(rows, key=lambda row: -row.utility))


def expected_quality(model: Model, profile: Profile) -> float:
    """P(correct) of `model` on a prompt of this task and difficulty, 0–1."""
    prior = model.quality_for(profile.task)
    return prior + (1 - prior) * EASE[profile.difficulty]


def alternatives(
    ranked: Sequence[Ranked], chosen: Ranked, excluded: Sequence[tuple[Model, str]], profile: Profile
) -> tuple[Alternative, ...]:
    """The runners-up with the reason each lost, best first, then the models that could not take the prompt."""
    losers = [row for row in ranked if row.model is not chosen.model]
    ran_up = [Alternative(row.model, row.cost_nano, _why_not(row, chosen)) for row in losers]
    unfit = [Alternative(model, expected_cost(model, profile), reason) for model, reason in excluded]
    return (*ran_up, *unfit)[:MOST_ALTERNATIVES]


def why(chosen: Ranked, profile: Profile, mode: RoutingMode) -> str:
    """Why the chosen model won, in plain English."""
    price = "unknown price" if chosen.cost_nano is None else f"about ${chosen.cost_nano / NANO_PER_USD:.6f}"
    return (
        f"A {profile.difficulty} {profile.task} prompt: {chosen.model.display} gives the best {mode} value "
        f"(expected quality {chosen.quality:.2f}, {price})."
    )


def _decades(cost_nano: int) -> float:
    return math.log10(max(cost_nano, _PENNY_FLOOR_NANO) / _PENNY_FLOOR_NANO)


def _why_not(row: Ranked, chosen: Ranked) -> str:
    if row.cost_nano is None:
        return "its price is unknown"
    gain = row.quality - chosen.quality
    if gain <= 0:
        return f"expected quality {-gain:.2f} lower" if gain else "the same expected quality for no lower price"
    if chosen.cost_nano:
        return f"only {gain:.2f} more expected quality for {row.cost_nano / chosen.cost_nano:.1f} times the price"
    return f"only {gain:.2f} more expected quality, and it is not free"
