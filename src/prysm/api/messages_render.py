"""An answer as Anthropic's Messages API writes it, with the `prysm` block beside Anthropic's fields.

https://docs.anthropic.com/en/api/messages
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from prysm.api import choices
from prysm.api.render import block

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.core.chat import Completion, FinishReason
    from prysm.core.content import Thinking, ToolCall
    from prysm.gateway import Answer

STOP_REASONS: Mapping[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
INVALID_ARGUMENTS = "_invalid_arguments"
"""Where a call's arguments stand that are no JSON object: the format has no other place for what the model wrote."""


def message(answer: Answer) -> dict[str, Any]:
    """`POST /v1/messages`."""
    done = answer.verdict.candidate
    begun = opening(UUID(answer.receipt.request_id), done.model.id)
    said = {"content": content(done.completion)} | ending(done.completion)
    return begun | said | {"usage": usage(answer), "prysm": block(answer)}


def opening(request_id: UUID, model: str) -> dict[str, Any]:
    """A message of which nothing is said yet. Its id is `msg_` and the run's `request_id` without dashes."""
    return {
        "id": f"msg_{request_id.hex}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def content(done: Completion) -> list[dict[str, Any]]:
    """The blocks of an answer: its thoughts, what it says, its calls."""
    said = [{"type": "text", "text": done.text}] if done.text else []
    calls = [tool_use(call) | {"input": arguments(call)} for call in done.tool_calls]
    return [*map(thought, done.thinking), *said, *calls]


def thought(told: Thinking) -> dict[str, Any]:
    """A thought; one in the open has an empty signature, as the field is required."""
    if told.redacted:
        return {"type": "redacted_thinking", "data": told.text}
    return {"type": "thinking", "thinking": told.text, "signature": told.signature or ""}


def tool_use(call: ToolCall) -> dict[str, Any]:
    """A call before its arguments. Gemini's seal on it stands where chat completions have it, for want of a field."""
    form: dict[str, Any] = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
    if call.signature is not None:
        form["extra_content"] = {"google": {"thought_signature": call.signature}}
    return form


def arguments(call: ToolCall) -> Any:
    """A call's arguments byte for byte; under `INVALID_ARGUMENTS` what is no JSON object."""
    text = call.arguments or "{}"
    return orjson.Fragment(text) if is_object(text) else {INVALID_ARGUMENTS: text}


def is_object(text: str) -> bool:
    """Whether a text is a whole JSON object."""
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False


def ending(done: Completion) -> dict[str, Any]:
    """Why the answer ended."""
    reason = "refusal" if done.refused else STOP_REASONS[done.finish_reason]
    if done.stop_sequence is not None and reason == "end_turn":
        reason = "stop_sequence"
    form: dict[str, Any] = {"stop_reason": reason, "stop_sequence": done.stop_sequence}
    if reason == "refusal":
        explanation = done.text if done.refused else None
        form["stop_details"] = {"type": "refusal", "category": None, "explanation": explanation}
    return form


def usage(answer: Answer) -> dict[str, Any]:
    """Tokens of every call. As Anthropic counts, what a cache gave or took stands beside `input_tokens`.

    Parts of the totals are those of the calls that told them; null where none did.
    """
    told = choices.usage(answer)
    inputs, outputs = told.get("prompt_tokens_details", {}), told.get("completion_tokens_details", {})
    read, written = inputs.get("cached_tokens"), inputs.get("cache_write_tokens")
    thoughts = outputs.get("reasoning_tokens")
    return {
        "input_tokens": max(0, told["prompt_tokens"] - (read or 0) - (written or 0)),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": told["completion_tokens"],
        "output_tokens_details": None if thoughts is None else {"thinking_tokens": thoughts},
    }
