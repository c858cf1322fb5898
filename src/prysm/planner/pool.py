"""Which live models may be asked at all: the caller's choice, the prompt's length, the task, ceiling and deadline."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

from prysm.core.chat import Sampling
from prysm.errors import InvalidRequest, NoProviderAvailable, UnsupportedParameter
from prysm.registry.wire_limits import inexpressible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prysm.core.model import Model
    from prysm.core.plan import ChatRequest, Profile
    from prysm.core.provider import ProviderSpec, WireFormat

MIN_OUTPUT_TOKENS = 256
"""Room an answer needs at the least; a model that cannot give it is not asked."""


class Exclusion(NamedTuple):
    """Why a model cannot take a request, what would help, and the field that stands in the way."""

    reason: str
    fix: str
    param: str


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
    found = [(model, exclusion(model, request, profile, provider(model.provider).kind)) for model in candidates]
    if all(why is not None for _, why in found):  # then a slow model may be quick for once
        found = [(model, None if why and why.param == "deadline_s" else why) for model, why in found]
    kept = tuple(model for model, why in found if why is None)
    excluded = [(model, why) for model, why in found if why is not None]
    if not kept or (excluded and is_named(request)):
        raise _nothing_left(excluded, profile)
    unsuited = tuple(model for model, why in excluded if why.param == "model")
    return Pool(kept, tuple((model, why.reason) for model, why in excluded), unsuited)


def is_named(request: ChatRequest) -> bool:
    """Whether the caller chose the models, so that our opinion of their quality does not count."""
    return request.pinned is not None or bool(request.models)


def exclusion(model: Model, request: ChatRequest, profile: Profile, kind: WireFormat) -> Exclusion | None:
    """Why `model` cannot take the request, or None when it can."""
    if not fits(model, profile.prompt_tokens, request.sampling.max_tokens):
        return Exclusion(
            f"its context of {model.context_window} tokens is too short", "Shorten the prompt", "messages"
        )
    unsaid = inexpressible(kind, request.sampling)
    if unsaid is not None:
        return Exclusion(f"its provider cannot express '{unsaid}'", f"Leave out '{unsaid}'", unsaid)
    if request.max_cost_nano is not None and None in (model.price.input, model.price.output):
        return Exclusion(
            "its price is unknown, so no ceiling could be kept", "Leave out max_cost_usd", "max_cost_usd"
        )
    if (
        request.deadline_s is not None
        and (model.latency_ms or 0) > request.deadline_s * 1000
        and not is_named(request)
    ):
        return Exclusion(
            f"it usually takes {model.latency_ms} ms, longer than deadline_s", "Allow more time", "deadline_s"
        )
    if model.quality_for(profile.task) == 0 and not is_named(request):
        return Exclusion(
            f"the catalog says never to use it for {profile.task}", "Name it, or another model", "model"
        )
    return None


def fits(model: Model, prompt_tokens: int, max_tokens: int | None) -> bool:
    """Whether prompt and answer fit the model's context; an unknown context is taken to fit."""
    wanted = min(max_tokens or MIN_OUTPUT_TOKENS, MIN_OUTPUT_TOKENS)
    return model.context_window is None or prompt_tokens + wanted <= model.context_window


def _nothing_left(excluded: Sequence[tuple[Model, Exclusion]], profile: Profile) -> InvalidRequest:
    listed = "; ".join(f"{model.id}: {why.reason}" for model, why in excluded[:8])
    first = excluded[0][1]
    kind = UnsupportedParameter if first.param in SAMPLING_FIELDS else InvalidRequest
    return kind(
        f"The models cannot take this request (about {profile.prompt_tokens} prompt tokens, task {profile.task}). "
        f"{listed}. {first.fix}, or use a model that fits.",
        param=first.param,
    )


SAMPLING_FIELDS = frozenset(field.name for field in fields(Sampling))
