"""What a model thought, said and called, as items of OpenAI's Responses API.

https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from prysm.api.thoughts import wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prysm.core.chat import Completion, TokenLogprob, TopLogprob
    from prysm.core.content import Thinking, ToolCall

INCOMPLETE: Mapping[str, str] = MappingProxyType(
    {"length": "max_output_tokens", "content_filter": "content_filter"}
)
"""Why an answer is not whole: the reasons we know it by, and OpenAI's."""


def thought_item(thought: Thinking) -> dict[str, Any]:
    """A thought; what only its provider can read has no summary."""
    return {
        "type": "reasoning",
        "summary": [] if thought.redacted else [summary(thought.text)],
        "encrypted_content": wrapped(thought),
        "status": "completed",
    }


def call_item(call: ToolCall, status: str) -> dict[str, Any]:
    """A call; a provider's seal on it travels in the field that chat completions have for it."""
    kind, text = ("custom_tool_call", "input") if call.custom else ("function_call", "arguments")
    item: dict[str, Any] = {
        "type": kind,
        "call_id": call.id,
        "name": call.name,
        text: call.arguments,
        "status": status,
    }
    if call.signature is not None:
        item["extra_content"] = {"google": {"thought_signature": call.signature}}
    return item


def message_item(done: Completion, *, told: bool) -> dict[str, Any]:
    """What the answer says; its log probabilities are `told` to who asked for them."""
    logprobs = logprobs_of(done.logprobs or ()) if told else ()
    part = refusal(done.text) if done.refused else output_text(done.text, _citations(done), logprobs)
    return {"type": "message", "role": "assistant", "status": status_of(done), "content": [part]}


def status_of(done: Completion) -> str:
    """Whether the answer is whole."""
    return "incomplete" if done.finish_reason in INCOMPLETE else "completed"


def summary(text: str) -> dict[str, Any]:
    """A thought in the open."""
    return {"type": "summary_text", "text": text}


def refusal(text: str) -> dict[str, Any]:
    """What a model says instead of an answer."""
    return {"type": "refusal", "refusal": text}


def output_text(text: str, annotations: Sequence[Any] = (), logprobs: Sequence[Any] = ()) -> dict[str, Any]:
    """Text of an answer."""
    return {"type": "output_text", "text": text, "annotations": list(annotations), "logprobs": list(logprobs)}


def logprobs_of(tokens: Sequence[TokenLogprob]) -> list[dict[str, Any]]:
    """Log probabilities; this API knows no token without its bytes."""
    return [_logprob(token) | {"top_logprobs": [_logprob(other) for other in token.top]} for token in tokens]


def _citations(done: Completion) -> list[Any]:
    """Where an answer came from: chat completions nest what this API has flat."""
    found = (done.own or {}).get("annotations") or []
    known = [one for one in found if isinstance(one, dict) and isinstance(one.get("url_citation"), dict)]
    return [{"type": "url_citation", **one["url_citation"]} for one in known]


def _logprob(token: TopLogprob) -> dict[str, Any]:
    raw = token.token.encode("utf-8", "replace") if token.bytes is None else token.bytes
    return {"token": token.token, "logprob": token.logprob, "bytes": list(raw)}
