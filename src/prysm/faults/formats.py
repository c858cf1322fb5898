"""Good answers as the vendors of the three wire formats write them, in one piece and as server-sent events."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Ending: TypeAlias = Literal["stop", "length", "content_filter"]
WireName: TypeAlias = Literal["openai", "anthropic", "gemini"]
TEXTS = ("Grüß Gott: ", "Paris.")
"""The text of every good answer, in the pieces in which it is streamed."""
OWN_WORDS = "the-words-of-the-upstream"
"""In the body of every error: what must never reach a caller or a log."""


@dataclass(frozen=True, slots=True)
class Said:
    """What an answer says. `tokens` are those of prompt and answer; `None` leaves the usage out."""

    ending: Ending = "stop"
    model: Any = "fault-model-0101"
    id: Any = "answer-1"
    tokens: tuple[Any, Any] | None = (20, 9)


GOOD = Said()


@dataclass(frozen=True, slots=True)
class Script:
    """An answer in both forms. `events[:unfinished]` tell everything but that the answer is finished."""

    whole: bytes
    events: tuple[bytes, ...]
    unfinished: int


def script(form: WireName, said: Said = GOOD) -> Script:
    """Write an answer in a wire format."""
    return {"openai": _openai, "anthropic": _anthropic, "gemini": _gemini}[form](said)


def error_body(form: WireName, words: str) -> bytes:
    """An error that the provider's own side is to blame for, as each vendor writes it."""
    written: Mapping[WireName, dict[str, Any]] = {
        "openai": {"error": {"message": words, "type": "server_error", "param": None, "code": None}},
        "anthropic": {"type": "error", "error": {"type": "api_error", "message": words}},
        "gemini": {"error": {"code": 500, "message": words, "status": "INTERNAL"}},
    }
    return _json(written[form])


def event(data: bytes, name: str | None = None) -> bytes:
    """Write one server-sent event."""
    return (b"event: %s\n" % name.encode() if name else b"") + b"data: %s\n\n" % data


def _openai(said: Said) -> Script:
    meta = {"id": said.id, "created": 1, "model": said.model}
    usage = {}
    if said.tokens is not None:
        usage = {"usage": {"prompt_tokens": said.tokens[0], "completion_tokens": said.tokens[1]}}

    def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
        choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
        return event(_json({**meta, "object": "chat.completion.chunk", "choices": choices}))

    message = {"role": "assistant", "content": "".join(TEXTS)}
    choices = [{"index": 0, "message": message, "finish_reason": said.ending}]
    counted = event(_json({**meta, "object": "chat.completion.chunk", "choices": [], **usage}))
    said_so_far = (chunk({"role": "assistant", "content": ""}), *(chunk({"content": text}) for text in TEXTS))
    return Script(
        whole=_json({**meta, "object": "chat.completion", "choices": choices, **usage}),
        events=(*said_so_far, chunk({}, said.ending), *([counted] if usage else []), event(b"[DONE]")),
        unfinished=len(said_so_far),
    )


def _anthropic(said: Said) -> Script:
    reason = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}[said.ending]
    message = {"id": said.id, "type": "message", "role": "assistant", "model": said.model}
    read, written = said.tokens or (None, None)
    usage = {"usage": {"input_tokens": read, "output_tokens": written}} if said.tokens else {}
    text = {"type": "text", "text": "".join(TEXTS)}

    def typed(kind: str, **rest: Any) -> bytes:
        return event(_json({"type": kind, **rest}), kind)

    said_so_far = (
        typed("message_start", message={**message, "content": [], "stop_reason": None, **usage}),
        typed("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        *(typed("content_block_delta", index=0, delta={"type": "text_delta", "text": text}) for text in TEXTS),
        typed("content_block_stop", index=0),
    )
    counted = {"usage": {"output_tokens": written}} if said.tokens else {}
    return Script(
        whole=_json({**message, "content": [text], "stop_reason": reason, "stop_sequence": None, **usage}),
        events=(
            *said_so_far,
            typed("message_delta", delta={"stop_reason": reason}, **counted),
            typed("message_stop"),
        ),
        unfinished=len(said_so_far),
    )


def _gemini(said: Said) -> Script:
    reason = {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}[said.ending]
    meta = {"modelVersion": said.model, "responseId": said.id}
    usage = {}
    if said.tokens is not None:
        usage = {"usageMetadata": {"promptTokenCount": said.tokens[0], "candidatesTokenCount": said.tokens[1]}}

    def response(*texts: str, **ending: Any) -> dict[str, Any]:
        content = {"role": "model", "parts": [{"text": text} for text in texts]}
        return {"candidates": [{"content": content, "index": 0, **ending}], **meta}

    said_so_far = tuple(event(_json(response(text))) for text in TEXTS)
    return Script(
        whole=_json({**response(*TEXTS, finishReason=reason), **usage}),
        events=(*said_so_far, event(_json({**response(finishReason=reason), **usage}))),
        unfinished=len(said_so_far),
    )


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
