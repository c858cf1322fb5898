"""What is said to models and what they say back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from prysm.core.model import Model

Role: TypeAlias = Literal["system", "developer", "user", "assistant"]
FinishReason: TypeAlias = Literal["stop", "length", "content_filter"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `content` is plain text."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a model is to sample. `None` leaves the choice to the provider.

    `logprobs` asks for the log probability of each token, `top_logprobs` for that many alternatives beside it, 0-20.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logprobs: bool = False
    top_logprobs: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. `None` is unknown, never zero. Cached and reasoning tokens are parts of the totals."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One request to one model: all that a provider needs to know.

    `sample` tells apart otherwise equal calls (the samples of self-consistency, say); any cache key must hold it.
    """

    model: Model
    messages: tuple[Message, ...]
    sampling: Sampling
    sample: int = 0


@dataclass(frozen=True, slots=True)
class TopLogprob:
    """A token that could have stood at a place, its natural log probability, and its UTF-8 bytes where known.

    A token may be a part of a character, which only `bytes` can say.
    """

    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class TokenLogprob(TopLogprob):
    """A token of an answer; `top` are the likeliest at its place, as many as were asked for."""

    top: tuple[TopLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's whole answer to one call, as the provider reported it.

    `logprobs` are those of its tokens in order, `None` where the provider told none.
    """

    text: str
    finish_reason: FinishReason
    usage: Usage
    served_model: str | None = None
    provider_request_id: str | None = None
    system_fingerprint: str | None = None
    logprobs: tuple[TokenLogprob, ...] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of a streamed answer."""

    text: str
