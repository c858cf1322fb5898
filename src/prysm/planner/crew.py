"""Which models play which part in a strategy, and what happens when the pool cannot fill the parts."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from prysm.classify.listed import listed
from prysm.core.chat import Usage
from prysm.core.model import TIERS
from prysm.core.values import dataclass
from prysm.planner.notes import described, names
from prysm.planner.table import level
from prysm.registry.cost import EXPECTED_OUTPUT, expected_cost
from prysm.registry.value import expected_quality, strongest
from prysm.scoring.question import read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prysm.core.model import Model, Task
    from prysm.core.plan import ChatRequest, PlanMode, Policy, Profile, StrategyName
    from prysm.registry.value import Ranked

QUALITY_GAP = 0.08
"""Proposers this far below the best drag an ensemble down (Self-MoA, arXiv 2502.00674); they are left out."""

DEFAULT_SAMPLES = 5
DEFAULT_ROUNDS = 2
DEBATERS, LEAST_DEBATERS = 3, 2
RESAMPLES_OF_A_LONE_MODEL = 3
RESAMPLED = 2
JUDGE_READS, JUDGE_WRITES = 200, 60
"""Tokens of a judge's instruction, and of a usual verdict."""
OPEN_TASKS: frozenset[Task] = frozenset({"writing", "translation", "chat", "analysis", "code"})
"""Tasks whose answers cannot be compared; the others are gated by agreement."""
LEAST_MODELS: Mapping[StrategyName, int] = MappingProxyType(
    {"cascade": 1, "ensemble_moa": 2, "blender": 2, "debate": 2, "decompose_and_route": 1}
)
"""How many models a strategy can be narrowed to."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a plan is made from. `ranked` is the narrowed pool, best value first, never empty.

    `excluded` are the models that cannot take the request, each with the reason; `aggregator` and
    `judge` are those the caller named, if any; `unsuited` those of the excluded that a part of the prompt may suit.
    """

    request: ChatRequest
    profile: Profile
    policy: Policy
    mode: PlanMode
    ranked: tuple[Ranked, ...]
    excluded: tuple[tuple[Model, str], ...] = ()
    aggregator: Model | None = None
    judge: Model | None = None
    unsuited: tuple[Model, ...] = ()

    @property
    def models(self) -> tuple[Model, ...]:
        """The models of the pool: in the caller's order when they were named, else best value first."""
        models = tuple([row.model for row in self.ranked])
        named = self.request.models
        return tuple(sorted(models, key=lambda model: named.index(model.id))) if named else models

    @property
    def width(self) -> int:
        """How many models to ask: what the caller said, else the policy's default."""
        return self.request.k or self.policy.k


@dataclass(frozen=True, slots=True)
class Crew:
    """The parts filled. `strategy` may differ from the one asked for; `degraded` then says so.

    `listed` is the number of tasks that the prompt itself lists, 0 where it does not.
    """

    strategy: StrategyName
    models: tuple[Model, ...]
    note: str
    aggregator: Model | None = None
    judge: Model | None = None
    samples: int = 1
    rounds: int = 1
    layers: int = 1
    listed: int = 0
    degraded: tuple[str, ...] = ()


def muster(strategy: StrategyName, situation: Situation) -> Crew:
    """Fill the parts of `strategy`."""
    crew = _PARTS[strategy](situation)
    return replace(crew, degraded=(*crew.degraded, *_weak_aggregator(crew, situation)))


def cut(crew: Crew, **changes: Any) -> Crew:
    """The crew with less of something, described anew."""
    less = replace(crew, **changes)
    return replace(less, note=described(less))


def single(situation: Situation) -> Crew:
    """The best value, or the first named."""
    return cut(Crew("single", situation.models[:1], ""))


def cascade(situation: Situation) -> Crew:
    """Cheap rungs of different families first, the strongest last; a lone model votes with itself instead."""
    models, judge = situation.models, situation.judge
    if situation.request.models:
        note, samples = f"a ladder of {names(models)}, as named", _samples_of_the_first(models)
        ladder = Crew("cascade", models, note, judge=judge, samples=samples)
        return ladder if len(models) > 1 else _named_alone(models, "cascade")
    if len(models) == 1:
        return _lone(models[0], "cascade")
    top = strongest(models, situation.profile)
    rungs = _cheapest_distinct(
        _able([row for row in situation.ranked if row.model is not top], situation), situation.width
    )
    judge = judge or (top if _is_worth_judging(situation, rungs[0], top) else None)
    return cut(Crew("cascade", (*rungs, top), "", judge=judge, samples=_samples_of_the_first((*rungs, top))))


def _able(rows: Sequence[Ranked], situation: Situation) -> Sequence[Ranked]:
    """Those that can clear the bar by themselves, where an open question has no other gate; all, if none can."""
    if situation.judge is not None or not _is_open(situation):
        return rows
    return [row for row in rows if row.quality >= situation.policy.bar] or rows


def _is_open(situation: Situation) -> bool:
    """Whether answers cannot be compared: by the task, unless the prompt asks for a choice, a number or data."""
    request = situation.request
    return situation.profile.task in OPEN_TASKS and request.toolbox is None and not read(_question(request)).closed


def _question(request: ChatRequest) -> str:
    return next((m.text for m in reversed(request.messages) if m.role == "user"), "")


def _samples_of_the_first(ladder: Sequence[Model]) -> int:
    """A lone cheap model is sampled twice, for its answer to be compared with something."""
    return RESAMPLED if len(ladder) == RESAMPLED else 1


def _is_worth_judging(situation: Situation, cheap: Model, top: Model) -> bool:
    """Whether under depth a verdict of the strongest on a cheap answer costs less than it is expected to spare."""
    profile, task = situation.profile, situation.profile.task
    if level(situation.policy) != "depth" or not _is_open(situation):
        return False
    verdict = top.price.cost(Usage(profile.prompt_tokens + EXPECTED_OUTPUT[task] + JUDGE_READS, JUDGE_WRITES))
    first, last = expected_cost(cheap, profile), expected_cost(top, profile)
    if verdict is None or first is None or last is None:
        return False
    return first + verdict <= expected_quality(cheap, profile) * last


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
    """The whole pool, for sub-tasks to be routed over, with models that only a part suits; the strongest leads.

    A prompt with tools or a format for the answer is not taken apart: no part alone can call what the whole may, or
    be in the format of the whole. Then an ensemble answers, or the one model that was named.
    """
    if situation.request.toolbox is not None or situation.request.response_format is not None:
        return _undivided(situation)
    pool = (*situation.models, *situation.unsuited)
    top = situation.aggregator or strongest(situation.models, situation.profile)
    degraded = ("single_model_pool",) if len(pool) == 1 else ()
    found = listed(_question(situation.request))
    parts = len(found.tasks) if found else 0
    return cut(Crew("decompose_and_route", pool, "", aggregator=top, listed=parts, degraded=degraded))


def _undivided(situation: Situation) -> Crew:
    crew, what = ensemble(situation), "tools" if situation.request.toolbox is not None else "a response_format"
    said = tuple(note for note in crew.degraded if not note.startswith("strategy_replaced:"))
    return replace(
        crew,
        note=f"{crew.note}, as a prompt with {what} is not taken apart",
        degraded=(*said, "strategy_replaced:decompose_and_route"),
    )


def self_consistency(situation: Situation) -> Crew:
    """Samples of the one best-value model."""
    samples = situation.request.samples or situation.request.k or DEFAULT_SAMPLES
    model = situation.models[0]
    return cut(Crew("self_consistency", (model,), "", samples=samples))


def _panel(strategy: StrategyName, situation: Situation, width: int) -> Crew:
    """Who proposes: the named, else near-equal models of different families, else the best one several times."""
    models, profile = situation.models, situation.profile
    if situation.request.models:
        named = f"{names(models)}, as named"
        return Crew(strategy, models, named) if len(models) > 1 else _named_alone(models, strategy)
    top = strongest(models, profile)
    best = expected_quality(top, profile)
    near = [model for model in models if best - expected_quality(model, profile) <= QUALITY_GAP]
    proposers = _distinct_families(near)[:width]
    if len(proposers) > 1 or width == 1:
        return cut(Crew(strategy, proposers, ""))
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


def _weak_aggregator(crew: Crew, situation: Situation) -> tuple[str, ...]:
    """Say that the caller's aggregator is weaker than one it is to judge; it is their choice, and honoured."""
    named, profile = situation.aggregator, situation.profile
    if named is None or named is not crew.aggregator or crew.listed:
        return ()
    best = max(expected_quality(model, profile) for model in crew.models)
    return ("weak_aggregator",) if expected_quality(named, profile) < best else ()


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
