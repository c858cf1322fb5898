"""The OpenAI chat-completions format, which most vendors and local servers speak.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prysm.core.chat import Completion, Usage
from prysm.providers.adapter import Adapter
from prysm.providers.failures import Unusable, check_error
from prysm.providers.fields import count, label, mapping, optional, sequence, string
from prysm.providers.logprobs import of_openai, whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prysm.core.chat import FinishReason, Message, ModelCall, TokenLogprob
    from prysm.core.model import Model

FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "length": "length",
    "model_length": "length",
    "content_filter": "content_filter",
}
GAVE_UP = {"error", "insufficient_system_resource"}
SAMPLING = ("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty")


class OpenAIDraft:
    """A streamed answer: deltas, a finish reason, a chunk with the usage, `[DONE]`."""

    def __init__(self) -> None:
        self.done = False
        self._texts: list[str] = []
        self._finish: FinishReason | None = None
        self._meta: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._logprobs: list[TokenLogprob | None] = []

    def add(self, chunk: dict[str, Any]) -> str:
        """Take one `chat.completion.chunk`."""
        check_error(chunk)
        self._meta = self._meta or chunk
        self._usage = optional(chunk.get("usage")) or self._usage
        pieces = [self._choice(mapping(choice, "choices")) for choice in sequence(chunk.get("choices"), "choices")]
        text = "".join(pieces)
        self._texts.append(text)
        return text

    def _choice(self, choice: dict[str, Any]) -> str:
        if choice.get("index", 0) != 0:
            return ""
        if choice.get("finish_reason") is not None:
            self._finish = finish(choice["finish_reason"])
        if choice.get("logprobs"):
            self._logprobs += of_openai(choice)
        delta = optional(choice.get("delta"))
        return said(delta) or ""

    def completion(self) -> Completion:
        """Close the draft; a stream that ended before its finish reason was cut."""
        if self._finish is None:
            raise Unusable("truncated", "ended its stream before the answer was finished; try again")
        return _completion(self._meta, "".join(self._texts), self._finish, self._usage, self._logprobs)


class OpenAIProvider(Adapter):
    """`POST {base_url}/chat/completions`."""

    draft = OpenAIDraft
    end_of_stream = b"[DONE]"

    @staticmethod
    def headers(key: str | None) -> Mapping[str, str]:
        """Carry the key as a bearer token; local servers need none."""
        return {"authorization": f"Bearer {key}"} if key else {}

    @staticmethod
    def path(call: ModelCall, *, stream: bool) -> str:  # noqa: ARG004 - one path for every call of this format
        """Return the one path of this format."""
        return "/chat/completions"

    @staticmethod
    def to_wire(call: ModelCall, *, stream: bool) -> dict[str, Any]:
        """Write a chat-completions request. Capabilities of the model choose between old and new names.

        A model that can tell log probabilities is always asked for them: they cost no tokens, and confidence can be
        calibrated by them.
        """
        body: dict[str, Any] = {
            "model": call.model.upstream,
            "messages": [_message(message, call.model) for message in call.messages],
        }
        for name in SAMPLING:
            value = getattr(call.sampling, name)
            if value is not None:
                body[name] = value
        if call.sampling.max_tokens is not None:
            new = "max_completion_tokens" in call.model.capabilities
            body["max_completion_tokens" if new else "max_tokens"] = call.sampling.max_tokens
        if call.sampling.stop:
            body["stop"] = list(call.sampling.stop)
        if call.sampling.logprobs or "logprobs" in call.model.capabilities:
            body["logprobs"] = True
            if call.sampling.top_logprobs is not None:
                body["top_logprobs"] = call.sampling.top_logprobs
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return body

    @staticmethod
    def from_wire(data: dict[str, Any]) -> Completion:
        """Read a `chat.completion`."""
        check_error(data)
        choices = sequence(data.get("choices"), "choices")
        choice = mapping(choices[0] if choices else None, "choices")
        reason = finish(choice.get("finish_reason"))
        text = said(mapping(choice.get("message"), "message"))
        if text is None and reason == "stop":
            raise Unusable("malformed", "finished without an answer; try another model")
        return _completion(data, text or "", reason, optional(data.get("usage")), of_openai(choice))


def finish(reason: object) -> FinishReason:
    """Map a finish reason; we send no tools, so a tool call is not an answer."""
    if isinstance(reason, str):
        if reason in FINISH:
            return FINISH[reason]
        if reason in GAVE_UP:
            raise Unusable("unavailable", "gave up in the middle of its answer; try again or choose another model")
    raise Unusable("malformed", "ended its answer for no reason that we know; try another model")


def said(message: dict[str, Any]) -> str | None:
    """Read the text of a message or delta: a string, text parts (Mistral's reasoning models), or a refusal."""
    content = message.get("content")
    if content is None:
        content = message.get("refusal")
    if isinstance(content, list):
        parts = [mapping(part, "content") for part in content]
        return "".join(string(part.get("text"), "text") for part in parts if part.get("type") == "text")
    return None if content is None else string(content, "content")


def usage(block: dict[str, Any]) -> Usage:
    """Read token counts. Where the total shows that reasoning came on top of the completion (xAI), it is added."""
    prompt, completion = count(block.get("prompt_tokens")), count(block.get("completion_tokens"))
    inputs, outputs = optional(block.get("prompt_tokens_details")), optional(block.get("completion_tokens_details"))
    reasoning = count(outputs.get("reasoning_tokens"))
    if (
        prompt is not None
        and completion is not None
        and reasoning
        and count(block.get("total_tokens")) == prompt + completion + reasoning
    ):
        completion += reasoning
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=count(inputs.get("cached_tokens", block.get("prompt_cache_hit_tokens"))),
        cache_write_tokens=count(inputs.get("cache_write_tokens")),
        reasoning_tokens=reasoning,
    )


def _message(message: Message, model: Model) -> dict[str, str]:
    developer = message.role == "developer" and "developer_role" not in model.capabilities
    return {"role": "system" if developer else message.role, "content": message.content}


def _completion(
    data: dict[str, Any],
    text: str,
    reason: FinishReason,
    block: dict[str, Any],
    tokens: Sequence[TokenLogprob | None],
) -> Completion:
    return Completion(
        text=text,
        finish_reason=reason,
        usage=usage(block),
        served_model=label(data.get("model")),
        provider_request_id=label(data.get("id")),
        system_fingerprint=label(data.get("system_fingerprint")),
        logprobs=whole(tokens),
    )
