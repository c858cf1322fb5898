"""Which live models may be asked at all: the caller's choice, the prompt's length, the task, ceiling and deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.core.values import dataclass
from prysm.errors import InvalidRequest, NoProviderAvailable, UnsupportedParameter
from prysm.planner.needs import BARS, bars, needs
from prysm.planner.wording import Exclusion, lacking, unsayable
from prysm.registry.cost import unbounded
from prysm.registry.wire_limits import inexpressible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prysm.core.model import Model
    from prysm.core.plan import ChatRequest, Profile
    from prysm.core.provider import ProviderSpec, WireFormat
    from prysm.planner.needs import Need

MIN_OUTPUT_TOKENS = 256
"""Room an answer needs at the least; a model that cannot give it is not asked."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The models that remain, and for each that does not, why.

    `unsuited` are those of the excluded that only the task of the whole prompt rules out; a part may be theirs.
    """

    models: tuple[Model, ...]
    excluded: tuple[tuple[Model, str], ...]
    unsuited: tuple[Model, ...] = ()


def narrow(
    candidates: Sequence[Model], request: ChatRequest, profile: Profile, provider: Callable[[str], ProviderSpec]
) -> Pool:
    """Keep the models that can take this request; raise when none can, saying what would have helped.

    Models that the caller named are all used or none: one that cannot take the request is an error, not a gap.
    """
    if not candidates:
        raise NoProviderAvailable(
            "No model is live. Set a provider key (OPENAI_API_KEY, …), list a provider in prysm.toml, "
            "or install the local model with `prysm models pull local`."
        )
    named = is_named(request)
    found = judged(candidates, request, profile, provider, named=named)
    kept = tuple([model for model, why in found if why is None])
    if len(kept) == len(candidates):
        return Pool(kept, ())
    if not kept:  # then a slow model may be quick for once
        found = [(model, None if why and why.param == "deadline_s" else why) for model, why in found]
        kept = tuple([model for model, why in found if why is None])
    excluded = [(model, why) for model, why in found if why is not None]
    if not kept or (excluded and named):
        raise refused(excluded, profile)
    unsuited = tuple(model for model, why in excluded if why.param == "model")
    return Pool(kept, tuple((model, why.reason) for model, why in excluded), unsuited)


def judged(
    models: Sequence[Model],
    request: ChatRequest,
    profile: Profile,
    provider: Callable[[str], ProviderSpec],
    *,
    named: bool,
) -> list[tuple[Model, Exclusion | None]]:
    """Each model with what keeps it from the request, if anything. Of `named` ones our opinion does not count."""
    wanted = needs(request)
    barred: tuple[Need, ...] | None = None
    unsaid: dict[WireFormat, str | None] = {}
    found = []
    for model in models:
        kind = provider(model.provider).kind
        if kind not in unsaid:
            unsaid[kind] = inexpressible(kind, request)
        why = exclusion(model, request, profile, wanted, unsaid[kind], named=named)
        if why is None and not BARS.isdisjoint(model.capabilities):
            barred = bars(request) if barred is None else barred
            why = insists(model, barred)
        found.append((model, why))
    return found


def is_named(request: ChatRequest) -> bool:
    """Whether the caller chose the models, so that our opinion of their quality does not count."""
    return request.pinned is not None or bool(request.models)


def exclusion(
    model: Model,
    request: ChatRequest,
    profile: Profile,
    wanted: Sequence[Need],
    unsaid: str | None,
    *,
    named: bool,
) -> Exclusion | None:
    """Why `model` cannot take the request, or None when it can; `unsaid` is what its format has no word for."""
    # Of texts to embed each has to fit by itself, and the host that counts their tokens says so.
    window = model.context_window
    if (
        window is not None
        and request.embed is None
        and not fits(window, profile.prompt_tokens, request.sampling.max_tokens)
    ):
        return Exclusion(f"its context of {window} tokens is too short", "Shorten the prompt", "messages")
    if unsaid is not None:
        return unsayable(unsaid, request)
    for need in wanted:
        if need.capability not in model.capabilities:
            return lacking(need)
    if request.max_cost_nano is not None and None in (model.price.input, model.price.output):
        return Exclusion(
            "its price is unknown, so no ceiling could be kept", "Leave out max_cost_usd", "max_cost_usd"
        )
    if request.max_cost_nano is not None and unbounded(request.messages):
        return Exclusion(
            "nobody can tell how many tokens a sound or a file is, so no ceiling could be kept",
            "Leave out max_cost_usd",
            "max_cost_usd",
        )
    if request.deadline_s is not None and (model.latency_ms or 0) > request.deadline_s * 1000 and not named:
        return Exclusion(
            f"it usually takes {model.latency_ms} ms, longer than deadline_s", "Allow more time", "deadline_s"
        )
    if not named and model.quality_for(profile.task) == 0:
        return Exclusion(
            f"the catalog says never to use it for {profile.task}", "Name it, or another model", "model"
        )
    return None


def insists(model: Model, barred: Sequence[Need]) -> Exclusion | None:
    """The first of the caller's wishes that `model` refuses, if any; `barred` are those that some models refuse."""
    for bar in barred:
        if bar.capability in model.capabilities:
            why = f"it does not take this '{bar.param}' ({bar.capability})"
            return Exclusion(why, f"Leave out '{bar.param}'", bar.param)
    return None


def fits(window: int, prompt_tokens: int, max_tokens: int | None) -> bool:
    """Whether prompt and answer fit a model's context, an unknown one aside: that is taken to fit."""
    return prompt_tokens + min(max_tokens or MIN_OUTPUT_TOKENS, MIN_OUTPUT_TOKENS) <= window


def refused(excluded: Sequence[tuple[Model, Exclusion]], profile: Profile) -> InvalidRequest:
    """The error for a request that no model, or not every one that was named, can take."""
    listed = "; ".join(f"{model.id}: {why.reason}" for model, why in excluded[:8])
    first = excluded[0][1]
    kind = InvalidRequest if first.param in {"messages", "model", "max_cost_usd"} else UnsupportedParameter
    return kind(
        f"The models cannot take this request (about {profile.prompt_tokens} prompt tokens, task {profile.task}). "
        f"{listed}. {first.fix}, or use a model that fits.",
        param=first.param,
    )
