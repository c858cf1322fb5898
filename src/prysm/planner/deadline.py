"""How long a plan is expected to take, and how it is cut to a deadline before the first call.

In this order: rounds and layers one by one, then the slowest models (of a cascade the cheap ones, and the strong one
only where it takes too long by itself), then, where the policy chose the strategy, all but one model. A caller who
forced a strategy or named the models keeps them, and is told that they will hardly make it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.planner.crew import LEAST_MODELS, Crew, cut

if TYPE_CHECKING:
    from prysm.core.model import Model
    from prysm.core.plan import ChatRequest
    from prysm.planner.crew import Situation

PAIR = 2
"""Cheap models that a cascade asks at once."""


def fit(crew: Crew, situation: Situation, deadline_s: float) -> tuple[Crew, tuple[str, ...]]:
    """The crew and notes that are expected to make the caller's deadline; time that is unknown counts as none."""
    limit = deadline_s * 1000
    wanted, less = crew, crew
    while expected_ms(less) > limit:
        shorter = _shorter(less, situation.request, limit) or _alone(less, situation)
        if shorter is None:
            return less, ("deadline_tight", *(("narrowed_to_deadline",) if less is not wanted else ()))
        less = shorter
    return less, ("narrowed_to_deadline",) if less is not wanted else ()


def expected_ms(crew: Crew) -> int:
    """Milliseconds along the critical path: parallel calls count once, serial ones add; the unknown counts as none."""
    times = [_ms(model) for model in crew.models]
    step, top, judge = max(times), _ms(crew.aggregator or crew.models[0]), _ms(crew.judge)
    match crew.strategy:
        case "cascade" if len(times) > PAIR:
            return max(times[:PAIR]) + sum(times[PAIR:])
        case "cascade":
            return sum(times)
        case "ensemble_moa":
            return step * crew.layers + top
        case "blender":
            return step + judge + top + judge
        case "debate":
            return step * crew.rounds
        case "decompose_and_route" if not crew.listed:
            return top + step + top
    return step


def known(crew: Crew) -> bool:
    """Whether the time of every model is known."""
    models = (*crew.models, *(model for model in (crew.aggregator, crew.judge) if model))
    return all(model.latency_ms is not None for model in models)


def _ms(model: Model | None) -> int:
    return (model.latency_ms if model else None) or 0


def _shorter(crew: Crew, request: ChatRequest, limit: float) -> Crew | None:
    """The next shorter plan of the same strategy, or None."""
    if crew.rounds > 1 or crew.layers > 1:
        return cut(crew, rounds=max(1, crew.rounds - 1), layers=max(1, crew.layers - 1))
    quick = _quicker(crew, limit)
    if request.models or len(quick) < LEAST_MODELS.get(crew.strategy, 1):
        return None
    return cut(crew, models=quick, samples=crew.samples if quick[0] is crew.models[0] else 1)


def _quicker(crew: Crew, limit: float) -> tuple[Model, ...]:
    """Its models without the next to go, and without any that take as long; empty when none would be left."""
    if crew.strategy == "cascade":
        *cheap, strong = crew.models
        if _ms(strong) > limit:
            return tuple(cheap)
        return (*cheap[:-1], strong) if cheap else ()
    slowest = max(map(_ms, crew.models))
    return tuple(model for model in crew.models if _ms(model) < slowest)


def _alone(crew: Crew, situation: Situation) -> Crew | None:
    """The best value alone instead of a strategy that the policy chose, or None."""
    if crew.strategy == "single" or situation.request.strategy or situation.request.models:
        return None
    replaced = f"strategy_replaced:{crew.strategy}"
    return cut(Crew("single", situation.models[:1], "", degraded=(*crew.degraded, replaced)))
