"""What a plan may spend, and how it is cut to a ceiling before the first call."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, NamedTuple

from prysm.classify.listed import MAX_PARTS
from prysm.core.model import NANO_PER_USD
from prysm.core.plan import Estimate
from prysm.errors import BudgetExceeded
from prysm.planner import deadline
from prysm.planner.crew import LEAST_MODELS, cut
from prysm.planner.pool import MIN_OUTPUT_TOKENS
from prysm.registry.cost import expected_cost, output_cap, tokens_at_most, total, unbounded, worst_cost

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prysm.core.model import Model
    from prysm.core.plan import ChatRequest, Profile
    from prysm.planner.crew import Crew

CASCADE_ESCALATES = 0.4
"""Share of prompts expected to reach the last rung; used for the expected figure only."""

ANSWER_HINT_AT_MOST = 80
"""Tokens of the line that asks for a comparable answer."""

AROUND_CANDIDATES_AT_MOST = 1_600
"""Tokens of any of our instructions, with the fences around the answers it shows."""

BYTES_OF_A_TOKEN = 4
"""Usual length of a token of an answer; a call that reads it may need as many tokens as there are bytes."""

TRIES_A_PART, FUSED_AT_MOST, BOTH_ORDERS = 3, 3, 2
"""Models tried for a part of a prompt, answers fused, calls of a comparison: as in `prysm.strategies`."""

OFTEN, RARELY = 0.5, 0.1
"""How often revisions and sub-tasks, and repairs and tie-breaks, are needed; used for the expected figure only."""


class _Call(NamedTuple):
    """A call the plan may make, by one of `models`, the first most likely.

    Its prompt repeats one answer of each model in `reads`; None: it is the caller's own, with no instruction of ours.
    Where it `answers`, what it says must be what the caller asked for.
    """

    models: tuple[Model, ...]
    chance: float = 1.0
    reads: tuple[Model, ...] | None = None
    answers: bool = True


def calls(crew: Crew, request: ChatRequest) -> list[_Call]:
    """Every call of a plan in which no model fails; versions of the answer come from one model alone."""
    planned = _planned(crew, request.n)
    return [*planned, *_repairs(planned, request)]


def _repairs(planned: Sequence[_Call], request: ChatRequest) -> list[_Call]:
    """A second try for each answer that may not fit the caller's tools or format."""
    if request.toolbox is None and request.response_format is None:
        return []
    return [
        _Call(call.models, RARELY * call.chance, (*(call.reads or ()), *_longest_first(call.models)[:1]))
        for call in planned
        if call.answers
    ]


def _planned(crew: Crew, n: int) -> list[_Call]:
    models, strongest = crew.models, (crew.aggregator or crew.models[0],)
    first = [_Call((model,)) for model in models]
    match crew.strategy:
        case "single" | "self_consistency":
            return first[:1] * max(n, crew.samples)
        case "cascade":
            judged = (
                [_Call((crew.judge,), OFTEN, (model,), answers=False) for model in models[:-1]]
                if crew.judge
                else []
            )
            last = [_Call(models[-1:], CASCADE_ESCALATES)] if len(models) > 1 else []
            return [*first[:1] * crew.samples, *first[1:-1], *judged, *last]
        case "ensemble_moa":
            later = [_Call((model,), reads=models) for model in models] * (crew.layers - 1)
            return [*first, *later, _Call(strongest, reads=models)]
        case "blender" if len(models) > 1:
            judge, longest = (crew.judge or strongest[0],), _longest_first(models)
            verdicts = [_Call(judge, reads=pair, answers=False) for pair in permutations(models, 2)]
            checks = [_Call(judge, reads=(longest[0], *strongest), answers=False)] * BOTH_ORDERS
            return [*first, *verdicts, _Call(strongest, reads=longest[:FUSED_AT_MOST]), *checks]
        case "debate":
            revisions = [_Call((model,), OFTEN, models) for model in models] * (crew.rounds - 1)
            ties = (
                [_Call((crew.judge,), RARELY, _longest_first(models)[:1] * 2, answers=False)] * BOTH_ORDERS
                if crew.judge
                else []
            )
            return [*first, *revisions, *ties]
        case "decompose_and_route" if crew.listed:
            return [_Call(models)] * crew.listed
        case "decompose_and_route":
            read = (*strongest, *_longest_first(models)[:1] * MAX_PARTS)
            split = [_Call(strongest, reads=()), _Call(strongest, RARELY, strongest)]
            return [
                *split,
                *_parts(crew),
                _Call(strongest, reads=read),
                _Call(strongest, RARELY, (*strongest, *read)),
            ]
    return first


def _parts(crew: Crew) -> list[_Call]:
    """The sub-tasks; each is told in the words of the plan, and may read the answers to those before it."""
    told, answer = crew.aggregator or crew.models[0], _longest_first(crew.models)[0]
    return [_Call(crew.models, OFTEN, (told, *(answer,) * before)) for before in range(MAX_PARTS)]


def _stand_ins(crew: Crew, fallbacks: Sequence[Model], request: ChatRequest) -> list[_Call]:
    """Calls that are made only when others fail."""
    if crew.strategy == "decompose_and_route":
        parts = _planned(crew, 1) if crew.listed else _parts(crew)
        return parts * (min(TRIES_A_PART, len(crew.models)) - 1)
    others = tuple(model for model in crew.models if model is not crew.aggregator)
    if crew.strategy == "ensemble_moa" and others:
        found = [_Call(others, reads=crew.models)]
    else:
        found = [_Call((model,)) for model in fallbacks] * request.n
    return [*found, *_repairs(found, request)]


def _prompt(request: ChatRequest) -> int:
    return tokens_at_most(request.messages, request.toolbox, request.response_format)


def _longest_first(models: Sequence[Model]) -> tuple[Model, ...]:
    return tuple(sorted(models, key=lambda model: -output_cap(model, None)))


def _dearness(model: Model) -> int:
    return (model.price.input or 0) + (model.price.output or 0)


def estimate(
    crew: Crew, fallbacks: Sequence[Model], request: ChatRequest, profile: Profile, max_tokens: int | None
) -> Estimate:
    """Calls, cost and time of the plan, at most also when models fail; time is unknown when a model's is."""
    planned, stand_ins = calls(crew, request), _stand_ins(crew, fallbacks, request)
    most, ceiling = _worst([*planned, *stand_ins], _prompt(request), max_tokens), request.max_cost_nano
    most = None if unbounded(request.messages) else most
    return Estimate(
        calls_max=len(planned) + len(stand_ins),
        cost_expected_nano=total(_expected(call, profile) for call in planned),
        cost_max_nano=most if ceiling is None or most is None else min(most, ceiling),
        latency_ms_expected=deadline.expected_ms(crew) if deadline.known(crew) else None,
    )


def fit(crew: Crew, request: ChatRequest) -> tuple[Crew, int | None, tuple[str, ...]]:
    """The crew, output cap and notes that keep the plan's worst case within the caller's ceiling.

    First the output is capped (never below 256 tokens, and only when the caller set no cap), then the plan is
    narrowed; raises `BudgetExceeded` when not even the smallest plan fits.
    """
    asked = request.sampling.max_tokens
    if request.max_cost_nano is None:
        return crew, asked, ()
    prompt = _prompt(request)
    for narrowed in (crew, *_narrower(crew, request)):
        planned = calls(narrowed, request)
        cap = _cap_that_fits(planned, prompt, asked, request.max_cost_nano)
        if cap is not None:
            notes = (("output_capped",) if asked is None and cap < _natural_cap(planned) else ()) + (
                ("narrowed_to_budget",) if narrowed is not crew else ()
            )
            return narrowed, cap, notes
    least = _worst(planned, prompt, asked or MIN_OUTPUT_TOKENS)
    needed = "an unknown price" if least is None else f"up to ${least / NANO_PER_USD:.6f}"
    raise BudgetExceeded(
        f"The smallest plan may cost {needed}, over max_cost_usd = ${request.max_cost_nano / NANO_PER_USD:.6f}. "
        "Raise max_cost_usd, lower max_tokens, or choose a cheaper policy or model.",
        param="max_cost_usd",
    )


def _cap_that_fits(planned: list[_Call], prompt: int, asked: int | None, ceiling: int) -> int | None:
    """The largest output cap whose worst case fits: what was asked for, or by bisection down to 256."""
    if asked is not None:
        worst = _worst(planned, prompt, asked)
        return asked if worst is not None and worst <= ceiling else None
    low, high = MIN_OUTPUT_TOKENS, _natural_cap(planned)
    smallest = _worst(planned, prompt, low)
    if smallest is None or smallest > ceiling:
        return None
    while low < high:
        middle = (low + high + 1) // 2
        worst = _worst(planned, prompt, middle)
        low, high = (middle, high) if worst is not None and worst <= ceiling else (low, middle - 1)
    return low


def _narrower(crew: Crew, request: ChatRequest) -> Iterator[Crew]:
    """Ever smaller plans of the same strategy: first samples go, then rounds and layers, then models."""
    for samples in range(crew.samples - 1, LEAST_VOTES - 1, -1):
        yield cut(crew, samples=samples)
    while crew.rounds > 1 or crew.layers > 1:
        crew = cut(crew, rounds=max(1, crew.rounds - 1), layers=max(1, crew.layers - 1))
        yield crew
    match crew.strategy:
        case "decompose_and_route":
            yield from _without_the_dearest(crew, request)
        case "cascade":
            yield from _shorter_ladders(crew)
        case _:
            least = LEAST_MODELS.get(crew.strategy, len(crew.models))
            yield from (cut(crew, models=crew.models[:n]) for n in range(len(crew.models) - 1, least - 1, -1))


def _without_the_dearest(crew: Crew, request: ChatRequest) -> Iterator[Crew]:
    while len(crew.models) > 1:
        dearest = max(crew.models, key=_dearness)
        top = None if crew.aggregator is dearest and request.aggregator is None else crew.aggregator
        crew = cut(crew, models=tuple(model for model in crew.models if model is not dearest), aggregator=top)
        yield crew


def _shorter_ladders(crew: Crew) -> Iterator[Crew]:
    """Cheap rungs go before the strong one: a second voice saves strong calls, and cannot stand in for them."""
    *cheap, strong = crew.models
    yield from (cut(crew, models=(*cheap[:n], strong)) for n in range(len(cheap) - 1, 0, -1))
    yield from (cut(crew, models=tuple(cheap[:n])) for n in range(len(cheap), 0, -1))


LEAST_VOTES = 2


def _natural_cap(planned: list[_Call]) -> int:
    return max(output_cap(model, None) for call in planned for model in call.models)


def _worst(planned: list[_Call], prompt: int, max_tokens: int | None) -> int | None:
    return total(_worst_of(call, _prompt_at_most(call, prompt, max_tokens), max_tokens) for call in planned)


def _worst_of(call: _Call, prompt: int, max_tokens: int | None) -> int | None:
    """The call by the dearest of its models; unknown when the price of one is."""
    costs = [worst_cost(model, prompt, output_cap(model, max_tokens)) for model in call.models]
    return None if None in costs else max(cost for cost in costs if cost is not None)


def _prompt_at_most(call: _Call, prompt: int, max_tokens: int | None) -> int:
    if call.reads is None:
        return prompt + ANSWER_HINT_AT_MOST
    answers = sum(output_cap(model, max_tokens) for model in call.reads)
    return prompt + AROUND_CANDIDATES_AT_MOST + BYTES_OF_A_TOKEN * answers


def _expected(call: _Call, profile: Profile) -> int | None:
    """A usual call by the likeliest of its models, as often as it is needed."""
    cost = expected_cost(call.models[0], profile)
    return None if cost is None else round(cost * call.chance)
