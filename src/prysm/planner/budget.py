"""What a plan may spend, and how it is cut to a ceiling before the first call."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from prysm.core.model import NANO_PER_USD
from prysm.core.plan import Estimate
from prysm.errors import BudgetExceeded
from prysm.planner.pool import MIN_OUTPUT_TOKENS
from prysm.registry.cost import expected_cost, output_cap, tokens_at_most, total, worst_cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.model import Model
    from prysm.core.plan import ChatRequest, Profile
    from prysm.planner.crew import Crew

CASCADE_ESCALATES = 0.4
"""Share of prompts expected to reach the last rung; used for the expected figure only."""

ANSWER_HINT_AT_MOST = 80
"""Tokens of the line that asks for a comparable answer."""

AROUND_CANDIDATES_AT_MOST = 1_600
"""Tokens of the aggregator's instructions and fences."""

BYTES_OF_A_TOKEN = 4
"""Usual length of a token of an answer; the aggregator may need as many tokens as there are bytes."""


class _Call(NamedTuple):
    """A call the plan may make; its prompt repeats one answer of each model in `reads`."""

    model: Model
    chance: float = 1.0
    reads: tuple[Model, ...] = ()


def calls(crew: Crew) -> list[_Call]:
    """Every call of a plan in which nothing fails."""
    if crew.strategy == "self_consistency":
        return [_Call(crew.models[0])] * crew.samples
    if crew.strategy == "cascade" and len(crew.models) > 1:
        return [*map(_Call, crew.models[:-1]), _Call(crew.models[-1], CASCADE_ESCALATES)]
    proposals = [_Call(model) for model in crew.models]
    if crew.aggregator is not None:
        return [*proposals, _Call(crew.aggregator, reads=crew.models)]
    return proposals


def estimate(
    crew: Crew, fallbacks: Sequence[Model], request: ChatRequest, profile: Profile, max_tokens: int | None
) -> Estimate:
    """Calls, cost and time of the plan, at most also when models fail; time is unknown when a model's is."""
    planned, prompt = calls(crew), tokens_at_most(request.messages)
    stand_ins = [*(_Call(model) for model in fallbacks), *_second_aggregator(crew, prompt, max_tokens)]
    most, ceiling = _worst([*planned, *stand_ins], prompt, max_tokens), request.max_cost_nano
    return Estimate(
        calls_max=len(planned) + len(stand_ins),
        cost_expected_nano=total(_chance(call, profile) for call in planned),
        cost_max_nano=most if ceiling is None or most is None else min(most, ceiling),
        latency_ms_expected=_latency(crew),
    )


def fit(crew: Crew, request: ChatRequest) -> tuple[Crew, int | None, tuple[str, ...]]:
    """The crew, output cap and notes that keep the plan's worst case within the caller's ceiling.

    First the output is capped (never below 256 tokens, and only when the caller set no cap), then the plan is
    narrowed; raises `BudgetExceeded` when not even the smallest plan fits.
    """
    asked = request.sampling.max_tokens
    if request.max_cost_nano is None:
        return crew, asked, ()
    prompt = tokens_at_most(request.messages)
    narrowed: Crew | None = crew
    while narrowed is not None:
        cap = _cap_that_fits(narrowed, prompt, asked, request.max_cost_nano)
        if cap is not None:
            notes = (("output_capped",) if asked is None and cap < _natural_cap(narrowed) else ()) + (
                ("narrowed_to_budget",) if narrowed is not crew else ()
            )
            return narrowed, cap, notes
        crew_before, narrowed = narrowed, _narrower(narrowed)
    least = _worst(calls(crew_before), prompt, asked or MIN_OUTPUT_TOKENS)
    needed = "an unknown price" if least is None else f"up to ${least / NANO_PER_USD:.6f}"
    raise BudgetExceeded(
        f"The smallest plan may cost {needed}, over max_cost_usd = ${request.max_cost_nano / NANO_PER_USD:.6f}. "
        "Raise max_cost_usd, lower max_tokens, or choose a cheaper policy or model.",
        param="max_cost_usd",
    )


def _cap_that_fits(crew: Crew, prompt: int, asked: int | None, ceiling: int) -> int | None:
    """The largest output cap whose worst case fits: what was asked for, or by bisection down to 256."""
    planned = calls(crew)
    if asked is not None:
        worst = _worst(planned, prompt, asked)
        return asked if worst is not None and worst <= ceiling else None
    low, high = MIN_OUTPUT_TOKENS, _natural_cap(crew)
    smallest = _worst(planned, prompt, low)
    if smallest is None or smallest > ceiling:
        return None
    while low < high:
        middle = (low + high + 1) // 2
        worst = _worst(planned, prompt, middle)
        low, high = (middle, high) if worst is not None and worst <= ceiling else (low, middle - 1)
    return low


def _narrower(crew: Crew) -> Crew | None:
    """The next smaller plan of the same strategy, or None."""
    if crew.strategy == "self_consistency" and crew.samples > 2:  # noqa: PLR2004 - two samples are the least vote
        return replace(crew, samples=crew.samples - 1)
    least = {"ensemble_moa": 2, "cascade": 1}.get(crew.strategy, len(crew.models))
    if len(crew.models) > least:
        return replace(crew, models=crew.models[:-1])
    return None


def _natural_cap(crew: Crew) -> int:
    return max(output_cap(call.model, None) for call in calls(crew))


def _worst(planned: list[_Call], prompt: int, max_tokens: int | None) -> int | None:
    return total(
        worst_cost(call.model, _prompt_at_most(call, prompt, max_tokens), output_cap(call.model, max_tokens))
        for call in planned
    )


def _prompt_at_most(call: _Call, prompt: int, max_tokens: int | None) -> int:
    if not call.reads:
        return prompt + ANSWER_HINT_AT_MOST
    answers = sum(output_cap(model, max_tokens) for model in call.reads)
    return prompt + AROUND_CANDIDATES_AT_MOST + BYTES_OF_A_TOKEN * answers


def _second_aggregator(crew: Crew, prompt: int, max_tokens: int | None) -> list[_Call]:
    """The dearest proposer that may have to merge when the aggregator fails."""
    if crew.aggregator is None:
        return []
    options = [[_Call(model, reads=crew.models)] for model in crew.models if model is not crew.aggregator]
    return max(options, key=lambda option: _worst(option, prompt, max_tokens) or 0, default=[])


def _chance(call: _Call, profile: Profile) -> int | None:
    cost = expected_cost(call.model, profile)
    return None if cost is None else round(cost * call.chance)


def _latency(crew: Crew) -> int | None:
    """Milliseconds along the critical path: parallel calls count once, serial ones add."""
    times = [model.latency_ms for model in crew.models]
    if None in times or (crew.aggregator is not None and crew.aggregator.latency_ms is None):
        return None
    known = [time for time in times if time is not None]
    last = crew.aggregator.latency_ms or 0 if crew.aggregator is not None else 0
    return (sum(known) if crew.strategy == "cascade" else max(known)) + last
