"""Answers as servers of the OpenAI format give them, whole and streamed, and how the pieces of a stream add up."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.providers.formats import event

from prysm.core.chat import Completion, TextDelta, ThinkingDelta, ToolCallDelta

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prysm.core.chat import Piece

META = {"id": "chatcmpl-1", "created": 1, "model": "tiny-1"}
DONE = b"data: [DONE]\n\n"


def answer(message: dict[str, Any], reason: Any = "stop", **choice: Any) -> dict[str, Any]:
    """A whole answer."""
    choices = [{"index": 0, "message": {"role": "assistant"} | message, "finish_reason": reason} | choice]
    return META | {"object": "chat.completion", "choices": choices}


def body(message: dict[str, Any], reason: Any = "stop", **choice: Any) -> bytes:
    """A whole answer in bytes."""
    return json.dumps(answer(message, reason, **choice), ensure_ascii=False).encode()


def chunk(delta: dict[str, Any], reason: Any = None, **choice: Any) -> dict[str, Any]:
    """One chunk."""
    choices = [{"index": 0, "delta": delta, "finish_reason": reason} | choice]
    return META | {"object": "chat.completion.chunk", "choices": choices}


def events(deltas: Iterable[dict[str, Any]], reason: Any = "stop") -> bytes:
    """A whole stream of these deltas."""
    return b"".join(event(chunk(delta)) for delta in deltas) + event(chunk({}, reason)) + DONE


@dataclass
class Told:
    """What the pieces of a stream add up to."""

    text: str = ""
    refusal: str = ""
    thoughts: str = ""
    logprobs: tuple[Any, ...] = ()
    calls: list[dict[str, Any]] = field(default_factory=list)

    def take(self, piece: Piece) -> None:
        """Add a piece."""
        match piece:
            case TextDelta():
                self.text += piece.text
                self.refusal += piece.text if piece.refusal else ""
                self.logprobs += piece.logprobs
            case ThinkingDelta():
                self.thoughts += piece.text
            case ToolCallDelta():
                self._call(piece)

    def _call(self, piece: ToolCallDelta) -> None:
        if piece.id is not None:
            assert piece.index == len(self.calls)
            self.calls.append({"id": piece.id, "name": piece.name, "arguments": ""})
        call = self.calls[piece.index]
        call["arguments"] += piece.arguments
        call["signature"] = piece.signature or call.get("signature")
        assert call.setdefault("custom", piece.custom) is piece.custom


def told(pieces: Sequence[Piece]) -> Told:
    """Add pieces up."""
    sum_of = Told()
    for piece in pieces:
        sum_of.take(piece)
    return sum_of


def agrees(pieces: Sequence[Piece], done: Completion) -> None:
    """Assert that the pieces of a stream add up to the completion at its end."""
    sum_of = told(pieces)
    assert sum_of.text == done.text
    assert bool(sum_of.refusal) == done.refused
    assert sum_of.thoughts == "".join(thought.text for thought in done.thinking)
    assert sum_of.logprobs == (done.logprobs or ())
    assert sum_of.calls == [
        {"id": x.id, "name": x.name, "arguments": x.arguments, "signature": x.signature, "custom": x.custom}
        for x in done.tool_calls
    ]
