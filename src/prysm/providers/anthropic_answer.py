"""What an answer in the Anthropic Messages format says. https://docs.anthropic.com/en/api/messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from prysm.core.chat import Completion, Usage
from prysm.core.content import Thinking, ToolCall
from prysm.providers.failures import Unusable, check_error
from prysm.providers.fields import count, label, mapping, optional, sequence, string

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prysm.core.chat import FinishReason

FINISH: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
"""Without `pause_turn`, which only Anthropic's own tools bring about: we offer none."""


def completion(data: dict[str, Any]) -> Completion:
    """Read a `message`. Kinds of blocks that we do not know are skipped, as Anthropic's versioning asks."""
    check_error(data)
    texts: list[str] = []
    thinking: list[Thinking] = []
    calls: list[ToolCall] = []
    for item in sequence(data.get("content"), "content"):
        block = mapping(item, "content")
        match block.get("type"):
            case "text":
                texts.append(string(block.get("text"), "text"))
            case "thinking":
                seal = block.get("signature")
                thinking.append(
                    Thinking(string(block.get("thinking"), "thinking"), seal and string(seal, "signature"))
                )
            case "redacted_thinking":
                thinking.append(Thinking(string(block.get("data"), "data"), redacted=True))
            case "tool_use":
                calls.append(_tool_call(block))
    return assemble(data, "".join(texts), thinking, calls)


def assemble(
    message: dict[str, Any], text: str, thinking: Sequence[Thinking], calls: Sequence[ToolCall]
) -> Completion:
    """Put an answer together; `message` is the object that names the model, the stop reason and the usage."""
    why = None if text else refusal(message)
    return Completion(
        text=text or why or "",
        finish_reason=finish(message.get("stop_reason"), calls),
        usage=usage(optional(message.get("usage"))),
        served_model=label(message.get("model")),
        provider_request_id=label(message.get("id")),
        tool_calls=tuple(calls),
        thinking=tuple(thinking),
        refused=why is not None,
        stop_sequence=_text_or_none(message.get("stop_sequence")),
    )


def _tool_call(block: dict[str, Any]) -> ToolCall:
    return ToolCall(
        id=string(block.get("id"), "id"),
        name=string(block.get("name"), "name"),
        arguments=object_text(block.get("input")),
    )


def object_text(value: object) -> str:
    """The arguments of a tool call as JSON text; left out, they are an empty object."""
    return orjson.dumps(mapping({} if value is None else value, "input")).decode()


def refusal(message: dict[str, Any]) -> str | None:
    """Why the model refused, where it says so: a refusal that came before any text has no other words."""
    if message.get("stop_reason") != "refusal":
        return None
    return _text_or_none(optional(message.get("stop_details")).get("explanation"))


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def finish(reason: object, calls: Sequence[ToolCall]) -> FinishReason:
    """Map a stop reason. Tool calls decide: some servers end the turn with them, and none may be missing."""
    known = FINISH.get(reason) if isinstance(reason, str) else None
    if known == "stop" and calls:
        return "tool_calls"
    if known is not None and (calls or known != "tool_calls"):
        return known
    raise Unusable("no_answer", "ended its answer for no reason that we know; try another model")


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
        cache_write_1h_tokens=count(optional(block.get("cache_creation")).get("ephemeral_1h_input_tokens")),
        reasoning_tokens=count(optional(block.get("output_tokens_details")).get("thinking_tokens")),
    )
