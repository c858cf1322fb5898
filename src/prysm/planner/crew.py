"""Which models play which part in a strategy, and what happens when the pool cannot fill the parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prysm.planner.routing import expected_quality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.model import Model
    from prysm.core.plan import ChatRequest, PlanMode, Policy, Profile, StrategyName
    from prysm.planner.routing import Ranked

QUALITY_GAP = 0.08
"""Proposers this far below the best drag an ensemble down (Self-MoA, arXiv 2502.00674); they are left out."""

DEFAULT_SAMPLES = 5
RESAMPLES_OF_A_LONE_MODEL = 3


@dataclass(frozen=True, slots=True)
class Situation:
    """What a plan is made from. `ranked` is the narrowed pool, best value first, never empty.

    `excluded` are the models that cannot take the request, each with the reason; `aggregator` is the one the
    caller named, if any.
    """

    request: ChatRequest
    profile: Profile
    policy: Policy
    mode: PlanMode
    ranked: tuple[Ranked, ...]
    excluded: tuple[tuple[Model, str], ...] = ()
    aggregator: Model | None = None

    @property
    def models(self) -> tuple[Model, ...]:
        """The models of the pool: in the caller's order when they were named, else best value first."""
        models = tuple(row.model for row in self.ranked)
        named = self.request.models
        return tuple(sorted(models, key=lambda model: named.index(model.id))) if named else models

    @property
    def width(self) -> int:
        """How many models to ask: what the caller said, else the policy's default."""
        return self.request.k or self.policy.k


@dataclass(frozen=True, slots=True)
class Crew:
    """The parts filled. `strategy` may differ from the one asked for; `degraded` then says so."""

    strategy: StrategyName
    models: tuple[Model, ...]
    note: str
    aggregator: Model | None = None
    samples: int = 1
    degraded: tuple[str, ...] = ()


def muster(strategy: StrategyName, situation: Situation) -> Crew:
    """Fill the parts of `strategy`."""
    if strategy == "cascade":
        return cascade(situation)
    if strategy == "ensemble_moa":
        return ensemble(situation)
    if strategy == "self_consistency":
        return self_consistency(situation)
    best = situation.models[0]
    return Crew("single", (best,), f"{best.display} answers alone")


def cascade(situation: Situation) -> Crew:
    """Cheap rungs of different families first, the strongest last; a lone model votes with itself instead."""
    models = situation.models
    if situation.request.models:
        note = f"a ladder of {_names(models)}, as named"
        return Crew("cascade", models, note) if len(models) > 1 else _named_alone(models, "cascade")
    if len(models) == 1:
        return _lone(models[0], "cascade")
    top = strongest(models, situation.profile)
    rungs = _cheapest_distinct([row for row in situation.ranked if row.model is not top], situation.width)
    note = f"cheap first ({_names(rungs)}), {top.display} if they leave doubt"
    return Crew("cascade", (*rungs, top), note)


def ensemble(situation: Situation) -> Crew:
    """Near-equal proposers of different families and the strongest as aggregator; else the best one, sampled."""
    models, width, profile = situation.models, situation.width, situation.profile
    top = strongest(models, profile)
    aggregator = situation.aggregator or top
    if situation.request.models:
        note = f"{_names(models)}, as named"
        if len(models) == 1:
            return _named_alone(models, "ensemble_moa")
        return Crew("ensemble_moa", models, note, aggregator=aggregator)
    best = expected_quality(top, profile)
    near = [model for model in models if best - expected_quality(model, profile) <= QUALITY_GAP]
    proposers = _distinct_families(near)[:width]
    if len(proposers) > 1 or width == 1:
        return Crew("ensemble_moa", proposers, f"{_names(proposers)} propose", aggregator=aggregator)
    alone = len(models) == 1
    note = f"{top.display} proposes {width} times, being {'the only' if alone else 'clearly the best'} model"
    degraded = ("single_model_pool",) if alone else ()
    return Crew("ensemble_moa", (top,) * width, note, aggregator=aggregator, degraded=degraded)


def self_consistency(situation: Situation) -> Crew:
    """Samples of the one best-value model."""
    samples = situation.request.samples or situation.request.k or DEFAULT_SAMPLES
    model = situation.models[0]
    return Crew("self_consistency", (model,), f"{model.display} answers up to {samples} times", samples=samples)


def strongest(models: Sequence[Model], profile: Profile) -> Model:
    """The model with the highest expected quality; the first of equals."""
    return max(models, key=lambda model: expected_quality(model, profile))


def _lone(model: Model, wanted: StrategyName) -> Crew:
    note = f"{model.display} is the only model, so it is asked {RESAMPLES_OF_A_LONE_MODEL} times"
    return Crew(
        "self_consistency",
        (model,),
        note,
        samples=RESAMPLES_OF_A_LONE_MODEL,
        degraded=("single_model_pool", f"strategy_replaced:{wanted}"),
    )


def _named_alone(models: tuple[Model, ...], wanted: StrategyName) -> Crew:
    note = f"{models[0].display} alone was named"
    return Crew("single", models, note, degraded=(f"strategy_replaced:{wanted}",))


def _cheapest_distinct(rows: Sequence[Ranked], most: int) -> tuple[Model, ...]:
    """The cheapest models, one a family while families last; a model without a price counts as the dearest."""
    by_price = sorted(rows, key=lambda row: (row.cost_nano is None, row.cost_nano or 0, -row.quality))
    return _distinct_families([row.model for row in by_price])[:most]


def _distinct_families(models: Sequence[Model]) -> tuple[Model, ...]:
    """Members of new families first, in order: opinions of one family are not independent."""
    seen: set[str] = set()
    first: list[Model] = []
    rest: list[Model] = []
    for model in models:
        (rest if model.family in seen else first).append(model)
        seen.add(model.family)
    return (*first, *rest)


def _names(models: Sequence[Model]) -> str:
    return ", ".join(model.display for model in models)
