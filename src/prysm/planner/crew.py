"""Which models play which part in a strategy, and what happens when the pool cannot fill the parts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from prysm.core.model import TIERS
from prysm.registry.value import expected_quality, strongest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prysm.core.model import Model
    from prysm.core.plan import ChatRequest, PlanMode, Policy, Profile, StrategyName
    from prysm.registry.value import Ranked

QUALITY_GAP = 0.08
"""Proposers this far below the best drag an ensemble down (Self-MoA, arXiv 2502.00674); they are left out."""

DEFAULT_SAMPLES = 5
DEFAULT_ROUNDS = 2
DEBATERS, LEAST_DEBATERS = 3, 2
RESAMPLES_OF_A_LONE_MODEL = 3


@dataclass(frozen=True, slots=True)
class Situation:
    """What a plan is made from. `ranked` is the narrowed pool, best value first, never empty.

    `excluded` are the models that cannot take the request, each with the reason; `aggregator` and
    `judge` are those the caller named, if any.
    """

    request: ChatRequest
    profile: Profile
    policy: Policy
    mode: PlanMode
    ranked: tuple[Ranked, ...]
    excluded: tuple[tuple[Model, str], ...] = ()
    aggregator: Model | None = None
    judge: Model | None = None

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
    judge: Model | None = None
    samples: int = 1
    rounds: int = 1
    layers: int = 1
    degraded: tuple[str, ...] = ()


def muster(strategy: StrategyName, situation: Situation) -> Crew:
    """Fill the parts of `strategy`."""
    return _PARTS[strategy](situation)


def single(situation: Situation) -> Crew:
    """The best value, or the first named."""
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
    panel = _panel("ensemble_moa", situation, situation.width)
    if panel.strategy == "single":
        return panel
    top = situation.aggregator or strongest(situation.models, situation.profile)
    return replace(panel, aggregator=top, layers=situation.request.layers or 1)


def blender(situation: Situation) -> Crew:
    """A panel, the strongest as fuser, and a judge that wrote no candidate where the pool has one as good."""
    panel = _panel("blender", situation, situation.width)
    if panel.strategy == "single":
        return panel
    top = strongest(situation.models, situation.profile)
    return replace(
        panel, aggregator=situation.aggregator or top, judge=situation.judge or _outsider(panel, situation)
    )


def debate(situation: Situation) -> Crew:
    """At least two debaters, three unless the caller says otherwise."""
    width = max(situation.request.k or DEBATERS, LEAST_DEBATERS)
    panel = _panel("debate", situation, width)
    if panel.strategy == "single":
        return panel
    return replace(panel, rounds=situation.request.rounds or DEFAULT_ROUNDS, judge=situation.judge)


def decompose(situation: Situation) -> Crew:
    """The whole pool, for sub-tasks to be routed over; the strongest splits and puts together."""
    pool = situation.models
    top = situation.aggregator or strongest(pool, situation.profile)
    note = f"each part goes to the best of {len(pool)} models, {top.display} puts them together"
    degraded = ("single_model_pool",) if len(pool) == 1 else ()
    return Crew("decompose_and_route", pool, note, aggregator=top, degraded=degraded)


def self_consistency(situation: Situation) -> Crew:
    """Samples of the one best-value model."""
    samples = situation.request.samples or situation.request.k or DEFAULT_SAMPLES
    model = situation.models[0]
    return Crew("self_consistency", (model,), f"{model.display} answers up to {samples} times", samples=samples)


def _panel(strategy: StrategyName, situation: Situation, width: int) -> Crew:
    """Who proposes: the named, else near-equal models of different families, else the best one several times."""
    models, profile = situation.models, situation.profile
    if situation.request.models:
        named = f"{_names(models)}, as named"
        return Crew(strategy, models, named) if len(models) > 1 else _named_alone(models, strategy)
    top = strongest(models, profile)
    best = expected_quality(top, profile)
    near = [model for model in models if best - expected_quality(model, profile) <= QUALITY_GAP]
    proposers = _distinct_families(near)[:width]
    if len(proposers) > 1 or width == 1:
        return Crew(strategy, proposers, f"{_names(proposers)} propose")
    alone = len(models) == 1
    note = f"{top.display} proposes {width} times, being {'the only' if alone else 'clearly the best'} model"
    return Crew(strategy, (top,) * width, note, degraded=("single_model_pool",) if alone else ())


def _outsider(panel: Crew, situation: Situation) -> Model:
    """A judge of the fuser's quality that proposed nothing: judges favour their own words (arXiv 2306.05685)."""
    best = expected_quality(strongest(situation.models, situation.profile), situation.profile)
    able = [m for m in situation.models if best - expected_quality(m, situation.profile) <= QUALITY_GAP]
    outside = [model for model in able if model not in panel.models]
    return outside[0] if outside else strongest(situation.models, situation.profile)


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
    """The cheapest models of the lowest tier first, one a family while families last; one without a price is last."""
    by_price = sorted(
        rows, key=lambda row: (TIERS.index(row.model.tier), row.cost_nano is None, row.cost_nano or 0, -row.quality)
    )
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


_PARTS: Mapping[StrategyName, Callable[[Situation], Crew]] = MappingProxyType(
    {
        "single": single,
        "cascade": cascade,
        "ensemble_moa": ensemble,
        "blender": blender,
        "decompose_and_route": decompose,
        "self_consistency": self_consistency,
        "debate": debate,
    }
)
