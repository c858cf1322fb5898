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
    from prysm.core.model import Model
    from prysm.core.plan import ChatRequest, Profile
    from prysm.planner.crew import Crew

CASCADE_ESCALATES = 0.4
"""Share of prompts expected to reach the last rung; used for the expected figure only."""

PROMPT_AROUND_CANDIDATES = 1_024
"""Tokens of the aggregator's instructions and fences, generously."""


class _Call(NamedTuple):
    model: Model
    reads_answers: int
    chance: float


def calls(crew: Crew) -> list[_Call]:
    """Every call the plan may make; `reads_answers` is how many earlier answers its prompt repeats."""
    if crew.strategy == "self_consistency":
        return [_Call(crew.models[0], 0, 1.0)] * crew.samples
    if crew.strategy == "cascade":
        return [*(_Call(m, 0, 1.0) for m in crew.models[:-1]), _Call(crew.models[-1], 0, CASCADE_ESCALATES)]
    proposals = [_Call(model, 0, 1.0) for model in crew.models]
    if crew.aggregator is not None:
        return [*proposals, _Call(crew.aggregator, len(proposals), 1.0)]
    return proposals


def estimate(crew: Crew, request: ChatRequest, profile: Profile, max_tokens: int | None) -> Estimate:
    """Calls, cost and time of the plan; time is unknown when a model's is."""
    planned = calls(crew)
    expected = total(_chance(call, profile) for call in planned)
    return Estimate(
        calls_max=len(planned),
        cost_expected_nano=expected,
        cost_max_nano=_worst(planned, tokens_at_most(request.messages), max_tokens),
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
    if crew.strategy == "ensemble_moa" and len(crew.models) > 2:  # noqa: PLR2004 - two proposals are the least panel
        return replace(crew, models=crew.models[:-1], k=crew.k - 1)
    if crew.strategy == "cascade" and len(crew.models) > 1:
        return replace(crew, models=crew.models[:-1], k=max(1, crew.k - 1))
    return None


def _natural_cap(crew: Crew) -> int:
    return max(output_cap(call.model, None) for call in calls(crew))


def _worst(planned: list[_Call], prompt: int, max_tokens: int | None) -> int | None:
    return total(
        worst_cost(call.model, _prompt_at_most(call, prompt, max_tokens), output_cap(call.model, max_tokens))
        for call in planned
    )


def _prompt_at_most(call: _Call, prompt: int, max_tokens: int | None) -> int:
    if not call.reads_answers:
        return prompt
    return prompt + PROMPT_AROUND_CANDIDATES + call.reads_answers * output_cap(call.model, max_tokens) * 2


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
