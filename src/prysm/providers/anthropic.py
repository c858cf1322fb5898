"""The Anthropic Messages format. https://docs.anthropic.com/en/api/messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prysm.core.chat import Completion, Usage
from prysm.providers.adapter import Adapter
from prysm.providers.failures import Unusable, check_error
from prysm.providers.fields import count, label, mapping, optional, sequence, string

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.core.chat import FinishReason, ModelCall, Sampling

VERSION = "2023-06-01"
DEFAULT_MAX_TOKENS = 4096
FINISH: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
INEXPRESSIBLE = ("seed", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs")


class AnthropicDraft:
    """A streamed answer: `message_start`, text deltas, `message_delta` with the stop reason, `message_stop`."""

    def __init__(self) -> None:
        self.done = False
        self._texts: list[str] = []
        self._finish: FinishReason | None = None
        self._message: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}

    def add(self, chunk: dict[str, Any]) -> str:
        """Take one event; kinds that we do not know are skipped, as Anthropic's versioning asks."""
        match chunk.get("type"):
            case "message_start":
                self._message = mapping(chunk.get("message"), "message")
                self._count(self._message)
            case "content_block_delta":
                return self._text(mapping(chunk.get("delta"), "delta"))
            case "message_delta":
                self._finish = finish(mapping(chunk.get("delta"), "delta").get("stop_reason"))
                self._count(chunk)
            case "message_stop":
                self.done = True
            case "error":
                check_error(chunk)
        return ""

    def _text(self, delta: dict[str, Any]) -> str:
        if delta.get("type") != "text_delta":
            return ""
        text = string(delta.get("text"), "text")
        self._texts.append(text)
        return text

    def _count(self, holder: dict[str, Any]) -> None:
        block = optional(holder.get("usage"))
        self._usage |= {name: value for name, value in block.items() if value is not None}

    def completion(self) -> Completion:
        """Close the draft; a stream without `message_stop` was cut."""
        if not self.done or self._finish is None:
            raise Unusable("truncated", "ended its stream before the answer was finished; try again")
        return _completion(self._message, "".join(self._texts), self._finish, self._usage)


class AnthropicProvider(Adapter):
    """`POST {base_url}/messages`."""

    draft = AnthropicDraft

    @staticmethod
    def headers(key: str | None) -> Mapping[str, str]:
        """Carry the key and the version of the format."""
        return {"anthropic-version": VERSION, **({"x-api-key": key} if key else {})}

    @staticmethod
    def path(call: ModelCall, *, stream: bool) -> str:  # noqa: ARG004 - one path for every call of this format
        """Return the one path of this format."""
        return "/messages"

    @staticmethod
    def to_wire(call: ModelCall, *, stream: bool) -> dict[str, Any]:
        """Write a Messages request; system and developer messages become its one system prompt."""
        check_expressible(call.sampling)
        system = [message.content for message in call.messages if message.role in {"system", "developer"}]
        turns = [message for message in call.messages if message.role in {"user", "assistant"}]
        sampling = call.sampling
        fields = {
            "model": call.model.upstream,
            "max_tokens": sampling.max_tokens or call.model.max_output_tokens or DEFAULT_MAX_TOKENS,
            "system": "\n\n".join(system) or None,
            "messages": [{"role": turn.role, "content": turn.content} for turn in turns],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "stop_sequences": list(sampling.stop) or None,
            "stream": stream or None,
        }
        return {name: value for name, value in fields.items() if value is not None}

    @staticmethod
    def from_wire(data: dict[str, Any]) -> Completion:
        """Read a `message`; thinking blocks are not part of the answer."""
        check_error(data)
        reason = finish(data.get("stop_reason"))
        blocks = [mapping(block, "content") for block in sequence(data.get("content"), "content")]
        texts = [string(block.get("text"), "text") for block in blocks if block.get("type") == "text"]
        return _completion(data, "".join(texts), reason, optional(data.get("usage")))


def check_expressible(sampling: Sampling) -> None:
    """Raise `Unusable` for what this format has no word for; dropping it in silence would change the answer."""
    for name in INEXPRESSIBLE:
        value = getattr(sampling, name)
        if value is not None and value is not False:
            raise Unusable("rejected", f"has no parameter {name}; leave it out or choose another model")
    if sampling.temperature is not None and sampling.temperature > 1:
        raise Unusable("rejected", "takes a temperature of 0 to 1; lower it or choose another model")


def finish(reason: object) -> FinishReason:
    """Map a stop reason; we send no tools, so `tool_use` is not an answer."""
    if isinstance(reason, str) and reason in FINISH:
        return FINISH[reason]
    raise Unusable("malformed", "ended its answer for no reason that we know; try another model")


def usage(block: dict[str, Any]) -> Usage:
    """Read token counts; Anthropic counts cached and cache-writing input beside `input_tokens`, we inside."""
    plain = count(block.get("input_tokens"))
    cached = count(block.get("cache_read_input_tokens"))
    written = count(block.get("cache_creation_input_tokens"))
    return Usage(
        prompt_tokens=None if plain is None else plain + (cached or 0) + (written or 0),
        completion_tokens=count(block.get("output_tokens")),
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=count(optional(block.get("output_tokens_details")).get("thinking_tokens")),
    )


def _completion(message: dict[str, Any], text: str, reason: FinishReason, block: dict[str, Any]) -> Completion:
    return Completion(
        text=text,
        finish_reason=reason,
        usage=usage(block),
        served_model=label(message.get("model")),
        provider_request_id=label(message.get("id")),
    )
