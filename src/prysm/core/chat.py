"""What is said to models and what they say back."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from prysm.core.content import Content, Thinking, ToolCall, text_of
from prysm.core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prysm.core.content import CacheTtl
    from prysm.core.embedding import Embed, Vectors
    from prysm.core.model import Model
    from prysm.core.tools import ResponseFormat, Toolbox
    from prysm.errors import Attempt

Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool"]
FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]
Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
ThoughtsShown: TypeAlias = Literal["summarized", "omitted"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    `content` is text or parts; empty beside `tool_calls`. A turn of the role `tool` answers the call `tool_call_id`,
    and `failed` says that the tool could not do it. `name` tells speakers of one role apart.
    """

    role: Role
    content: Content
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    thinking: tuple[Thinking, ...] = ()
    failed: bool = False
    cache: CacheTtl | None = None

    @property
    def text(self) -> str:
        """The text of its content."""
        return self.content if isinstance(self.content, str) else text_of(self.content)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a model is to sample. `None` leaves the choice to the provider.

    `thinking_tokens` is a budget for thoughts, 0 for none; `effort` is the same wish in words; `thinking_display` says
    whether they are to be seen (Anthropic). `own` holds fields of the OpenAI API that only its format can express
    (`logit_bias`, `service_tier`, …), passed on as they came. `logprobs` asks for the log probability of each token,
    `top_logprobs` for that many alternatives beside it, 0-20.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logprobs: bool = False
    top_logprobs: int | None = None
    effort: Effort | None = None
    thinking_tokens: int | None = None
    thinking_display: ThoughtsShown | None = None
    user: str | None = None
    own: Mapping[str, Any] | None = field(default=None, hash=False)

    def seed_of(self, sample: int) -> int | None:
        """The seed of the `sample`-th of several calls: each has its own, in the 32 or 64 bits that the first has."""
        if self.seed is None:
            return None
        bits = 31 if abs(self.seed) < 2**31 else 63
        seed = self.seed + sample
        return seed if seed < 2**bits else seed - 2**bits

    @property
    def thinks(self) -> bool:
        """Whether thoughts are asked for. A budget says it, or else the effort."""
        if self.thinking_tokens is not None:
            return self.thinking_tokens > 0
        return self.effort not in {None, "none"}


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. `None` is unknown, never zero.

    Cached, reasoning and audio tokens are parts of the totals, each with its own price. `cache_write_1h_tokens` are
    those of the cache writes that are kept for an hour, which cost more.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_prompt_tokens: int | None = None
    audio_completion_tokens: int | None = None
    estimated: bool = False
    cache_write_1h_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One request to one model: all that a provider needs to know.

    `sample` tells apart otherwise equal calls (the samples of self-consistency, say); any cache key must hold it.
    `until` is when its run's deadline passes, on `time.monotonic`'s clock. Under a ceiling on the cost, `again` sets
    another try's worst case aside and says whether there was room; a try that may have been billed is repeated only
    after that. With `embed` it asks for vectors, and holds no messages. Adapters put into `broken` what a stream that
    did not end well had told of its tokens by then: that is billed, and nothing else comes back from it.
    """

    model: Model
    messages: tuple[Message, ...]
    sampling: Sampling
    sample: int = 0
    toolbox: Toolbox | None = None
    response_format: ResponseFormat | None = None
    until: float | None = field(default=None, compare=False)
    again: Callable[[], bool] | None = field(default=None, compare=False)
    embed: Embed | None = None
    broken: list[Usage] = field(default_factory=list, compare=False, repr=False)

    @property
    def estimated_prompt_tokens(self) -> int:
        """About four characters a token, the usual rule for English."""
        if self.embed is not None:
            return self.embed.estimated_tokens
        return sum(-(-len(message.text) // 4) for message in self.messages)


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

    `refused`: the text is the model's refusal. `own` holds what only the OpenAI format has (`audio`,
    `annotations`), to be passed back as it came. `logprobs` are those of its tokens in order, `None` where the
    provider told none. `attempts` are the tries it took, empty when the first succeeded. `vectors` are the whole
    answer to a call that asked for them. `service_tier` is the one that OpenAI says it served the call in.
    """

    text: str
    finish_reason: FinishReason
    usage: Usage
    served_model: str | None = None
    provider_request_id: str | None = None
    system_fingerprint: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    thinking: tuple[Thinking, ...] = ()
    refused: bool = False
    stop_sequence: str | None = None
    logprobs: tuple[TokenLogprob, ...] | None = field(default=None, repr=False)
    own: Mapping[str, Any] | None = field(default=None, hash=False)
    attempts: tuple[Attempt, ...] = ()
    vectors: Vectors | None = None
    service_tier: str | None = None


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of a streamed answer's text, or, when `refusal`, of its refusal."""

    text: str
    refusal: bool = False
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """The next piece of a streamed thought; `signature` seals the thought that ends with it."""

    text: str
    signature: str | None = None
    redacted: bool = False


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """The next piece of a streamed tool call: the `index`-th of the answer. Its first piece has `id` and `name`."""

    index: int
    arguments: str
    id: str | None = None
    name: str | None = None
    custom: bool = False
    signature: str | None = None


Piece: TypeAlias = TextDelta | ThinkingDelta | ToolCallDelta


def size(piece: Piece) -> int:
    """How many characters it holds."""
    return len(piece.arguments if isinstance(piece, ToolCallDelta) else piece.text)


def pieces_of(done: Completion) -> list[Piece]:
    """A whole answer as a stream would have brought it, in the fewest pieces."""
    pieces: list[Piece] = [ThinkingDelta(x.text, x.signature, x.redacted) for x in done.thinking]
    if done.text:
        pieces.append(TextDelta(done.text, done.refused, done.logprobs or ()))
    pieces.extend(
        ToolCallDelta(i, x.arguments, x.id, x.name, x.custom, x.signature) for i, x in enumerate(done.tool_calls)
    )
    return pieces
