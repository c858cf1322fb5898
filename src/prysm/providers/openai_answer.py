"""What an answer in the OpenAI format says, read with the deviations of the servers that speak it.

A message and a delta of one have the same fields, so the same functions read both.
https://platform.openai.com/docs/api-reference/chat/object
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from prysm.core.chat import Usage
from prysm.providers.failures import Unusable
from prysm.providers.fields import count, mapping, optional, string

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.core.chat import FinishReason

FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "length": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
GAVE_UP = {"error", "insufficient_system_resource"}
AT_LIST_PRICE = frozenset({None, "auto", "default", "on_demand", "standard"})
"""Tiers of service whose price the catalog has; `on_demand` is Groq's name for the usual one."""
UNKNOWN_FINISH = "ended its answer for no reason that we know; try another model"


def finish(reason: object) -> FinishReason:
    """Map a finish reason."""
    if isinstance(reason, str):
        if reason in FINISH:
            return FINISH[reason]
        if reason in GAVE_UP:
            raise Unusable("truncated", "gave up in the middle of its answer; try again or choose another model")
    raise Unusable("no_answer", UNKNOWN_FINISH)


def said(message: dict[str, Any]) -> str:
    """Read the text: a string, or text parts (Mistral's reasoning models)."""
    content = message.get("content")
    if isinstance(content, list):
        parts = [mapping(part, "content") for part in content]
        return "".join(string(part.get("text"), "text") for part in parts if part.get("type") == "text")
    return "" if content is None else string(content, "content")


def refused(message: dict[str, Any]) -> str:
    """Read the refusal that stands in the place of an answer."""
    refusal = message.get("refusal")
    return "" if refusal is None else string(refusal, "refusal")


def thought(message: dict[str, Any]) -> str:
    """Read thoughts told in the open; what cannot be read is no reason to refuse an answer.

    `reasoning_content` at DeepSeek, xAI and vLLM, `reasoning` at OpenRouter, Groq, Ollama and newer vLLM (some send
    both), parts of the content at Mistral.
    """
    for name in ("reasoning_content", "reasoning"):
        if (text := message.get(name)) and isinstance(text, str):
            return text
    content = message.get("content")
    if not isinstance(content, list):
        return ""
    parts = [part.get("thinking") for part in content if isinstance(part, dict) and part.get("type") == "thinking"]
    texts = [optional(piece).get("text") for part in parts if isinstance(part, list) for piece in part]
    return "".join(text for text in texts if isinstance(text, str))


class Beside:
    """What only this format has beside the text: `audio`, which a stream brings in pieces, and `annotations`."""

    def __init__(self) -> None:
        self._audio: dict[str, Any] = {}
        self._data: list[str] = []
        self._transcript: list[str] = []
        self._annotations: list[Any] = []

    def add(self, message: dict[str, Any]) -> None:
        """Take a message, or a delta of one."""
        audio = optional(message.get("audio"))
        self._audio |= audio
        for name, pieces in (("data", self._data), ("transcript", self._transcript)):
            if audio.get(name) is not None:
                pieces.append(string(audio[name], name))
        if isinstance(annotations := message.get("annotations"), list):
            self._annotations += annotations

    def fields(self) -> dict[str, Any] | None:
        """Everything, as a whole answer has it; None when there is nothing."""
        own: dict[str, Any] = {}
        if self._audio:
            own["audio"] = self._audio | self._joined()
        if self._annotations:
            own["annotations"] = self._annotations
        return own or None

    def _joined(self) -> dict[str, str]:
        pieces = {"data": _one_base64(self._data), "transcript": "".join(self._transcript)}
        return {name: text for name, text in pieces.items() if text}


def _one_base64(pieces: list[str]) -> str:
    """Join pieces that were encoded one by one, each with its own padding."""
    if len(pieces) < 2:  # noqa: PLR2004 - a single piece stays as it came
        return "".join(pieces)
    try:
        return base64.b64encode(b"".join(base64.b64decode(piece, validate=True) for piece in pieces)).decode()
    except binascii.Error:
        raise Unusable("malformed", "sent sound that is not base64; try another model") from None


def usage(block: dict[str, Any], tier: str | None = None) -> Usage:
    """Read token counts. Where the total shows that reasoning came on top of the completion (xAI), it is added.

    Of a tier that is not sold at the listed price (flex, priority), what they cost is an estimate.
    """
    prompt, completion = count(block.get("prompt_tokens")), count(block.get("completion_tokens"))
    inputs, outputs = optional(block.get("prompt_tokens_details")), optional(block.get("completion_tokens_details"))
    estimated = tier not in AT_LIST_PRICE
    if not inputs and not outputs:  # as from most servers: no need to look for what is not there
        return Usage(prompt, completion, count(block.get("prompt_cache_hit_tokens")), estimated=estimated)
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
        audio_prompt_tokens=count(inputs.get("audio_tokens")),
        audio_completion_tokens=count(outputs.get("audio_tokens")),
        estimated=estimated,
    )
