"""The three wire formats as a provider speaks them, so that one suite runs over every adapter."""

from __future__ import annotations

import json
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from prysm.core.chat import Completion, Message, ModelCall, Sampling, TextDelta
from prysm.core.model import Model
from prysm.core.provider import ProviderSpec
from prysm.providers.build import OVER_HTTP

if TYPE_CHECKING:
    import httpx

    from prysm.core.provider import WireFormat
    from prysm.providers.adapter import Adapter

KEY = "sk-test-a-key-that-must-never-be-seen"
MODEL = Model(id="tiny", provider="acme", upstream="tiny-1", display="Tiny", family="acme", tier="small")
CALL = ModelCall(MODEL, (Message("system", "Be brief."), Message("user", "Grüß dich")), Sampling(temperature=0.2))


@dataclass(frozen=True, slots=True)
class Format:
    """One format: a whole answer, the same answer as events, and where the finish reason and the end are.

    `events[:unfinished]` is a stream that was cut before it was finished; both forms say "Grüß Gott".
    """

    kind: WireFormat
    answer: dict[str, Any]
    events: tuple[bytes, ...]
    unfinished: int
    error: dict[str, Any]

    def body(self) -> bytes:
        """The whole answer, encoded."""
        return json.dumps(self.answer, ensure_ascii=False).encode()

    def provider(self, url: str, transport: httpx.AsyncBaseTransport, **limits: Any) -> Adapter:
        """Make an adapter for a provider called `acme`."""
        spec = ProviderSpec(id="acme", kind=self.kind, base_url=url, api_key=KEY, **limits)
        return OVER_HTTP[self.kind](spec, transport)

    def __str__(self) -> str:
        return self.kind


def event(data: dict[str, Any], name: str | None = None) -> bytes:
    """Write one event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def _openai() -> Format:
    meta = {"id": "chatcmpl-1", "created": 1, "model": "tiny-1-0101", "system_fingerprint": "fp_1"}
    usage = {
        "prompt_tokens": 20,
        "completion_tokens": 9,
        "total_tokens": 29,
        "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    message = {"role": "assistant", "content": "Grüß Gott", "refusal": None}

    def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
        choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
        return event({**meta, "object": "chat.completion.chunk", "choices": choices})

    return Format(
        kind="openai",
        answer={
            **meta,
            "object": "chat.completion",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": usage,
        },
        events=(
            chunk({"role": "assistant", "content": ""}),
            chunk({"content": "Grüß "}),
            chunk({"content": "Gott"}),
            chunk({}, "stop"),
            event({**meta, "object": "chat.completion.chunk", "choices": [], "usage": usage}),
            b"data: [DONE]\n\n",
        ),
        unfinished=3,
        error={"error": {"message": f"boom {KEY}", "type": "server_error", "param": None, "code": None}},
    )


def _anthropic() -> Format:
    usage = {"input_tokens": 10, "cache_read_input_tokens": 8, "cache_creation_input_tokens": 2, "output_tokens": 9}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "tiny-1-0101"}
    opening: dict[str, Any] = {
        **message,
        "content": [],
        "stop_reason": None,
        "usage": {**usage, "output_tokens": 1},
    }

    def typed(kind: str, **rest: Any) -> bytes:
        return event({"type": kind, **rest}, kind)

    def text(piece: str) -> bytes:
        return typed("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})

    return Format(
        kind="anthropic",
        answer={
            **message,
            "content": [{"type": "text", "text": "Grüß Gott"}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": usage,
        },
        events=(
            typed("message_start", message=opening),
            typed("content_block_start", index=0, content_block={"type": "text", "text": ""}),
            typed("ping"),
            text("Grüß "),
            text("Gott"),
            typed("content_block_stop", index=0),
            typed("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 9}),
            typed("message_stop"),
        ),
        unfinished=7,
        error={"type": "error", "error": {"type": "overloaded_error", "message": f"boom {KEY}"}},
    )


def _gemini() -> Format:
    meta = {"modelVersion": "tiny-1-0101", "responseId": "resp_1"}
    usage = {
        "promptTokenCount": 20,
        "candidatesTokenCount": 6,
        "thoughtsTokenCount": 3,
        "cachedContentTokenCount": 8,
        "totalTokenCount": 29,
    }

    def response(texts: list[str], reason: str | None = None, **rest: Any) -> dict[str, Any]:
        parts = [{"text": text} for text in texts]
        candidate = {"content": {"role": "model", "parts": parts}, "index": 0}
        return {"candidates": [candidate | ({"finishReason": reason} if reason else {})], **meta, **rest}

    return Format(
        kind="gemini",
        answer=response(["Grüß ", "Gott"], "STOP", usageMetadata=usage),
        events=(
            event(response(["Grüß "])),
            event(response(["Gott"])),
            event(response([], "STOP", usageMetadata=usage)),
        ),
        unfinished=2,
        error={"error": {"code": 503, "message": f"boom {KEY}", "status": "UNAVAILABLE"}},
    )


FORMATS = (_openai(), _anthropic(), _gemini())
OPENAI, ANTHROPIC, GEMINI = FORMATS


async def collect(provider: Adapter, call: ModelCall = CALL) -> tuple[list[str], Completion]:
    """Read a stream to its end: the deltas, and the completion that must come last."""
    async with aclosing(provider.stream(call)) as stream:
        items = [item async for item in stream]
    *deltas, last = items
    assert isinstance(last, Completion)
    return [item.text for item in deltas if isinstance(item, TextDelta)], last


def asking(*messages: Message, **sampling: Any) -> ModelCall:
    """Make a call with these messages (or the usual ones) and sampling parameters."""
    return replace(CALL, messages=messages or CALL.messages, sampling=Sampling(**sampling))
