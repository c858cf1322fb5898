"""The events of a streamed message: block after block, then the stop reason with usage and receipt.

https://docs.anthropic.com/en/docs/build-with-claude/streaming
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import orjson

from prysm.api import problems
from prysm.api.chunks import plan_event, step_event
from prysm.api.messages_render import ending, is_object, opening, thought, tool_use, usage
from prysm.api.render import block
from prysm.api.sse import Writer, event
from prysm.core.chat import TextDelta, ThinkingDelta, ToolCallDelta
from prysm.core.content import Thinking, ToolCall

if TYPE_CHECKING:
    from uuid import UUID

    from prysm.core.chat import Piece
    from prysm.core.events import StageFinished, StageStarted
    from prysm.core.plan import Plan
    from prysm.errors import PrysmError
    from prysm.gateway import Answer

Slot: TypeAlias = tuple[str, int]
"""What a block holds, and of tool calls which."""
TEXT, THOUGHT = ("text", 0), ("thinking", 0)


class MessageWriter(Writer):
    """`events`: typed progress between Anthropic's events. `at_once`: the message opens before anything is said."""

    heartbeat: ClassVar[bytes] = event("ping", {"type": "ping"})

    def __init__(self, request_id: UUID, *, events: bool, at_once: bool) -> None:
        self._request_id = request_id
        self._events = events
        self._at_once = at_once
        self._prompt_tokens = 0
        self._begun = False
        self._open: Slot | None = None
        self._blocks = 0
        self._arguments: list[str] | None = None
        self._held: dict[Slot, list[Piece]] = {}
        self._closed: set[Slot] = set()
        self._head = b""

    def planned(self, plan: Plan) -> bytes:
        """The opening of a run of several models, and its plan where progress is wanted."""
        self._prompt_tokens = plan.profile.prompt_tokens
        return self._opening() + self._progress(plan_event(plan)) if self._at_once else b""

    def progress(self, event: StageStarted | StageFinished) -> bytes:
        """A step, where progress is wanted."""
        return self._progress(step_event(event)) if self._events else b""

    def piece(self, piece: Piece, choice: int) -> bytes:  # noqa: ARG002 - this API has one version of an answer
        """The next piece of a block, after what closes the last block and opens this one.

        Blocks come one after the other: what a model says beside a call whose arguments go on waits for their end.
        """
        if self._arguments is not None:
            slot = _slot(piece)
            if slot != self._open and (self._held or self._goes_on()):
                self._held.setdefault(slot, []).append(piece)
                return b""
        told = self._piece(piece)
        return told + self._release() if self._held else told

    def _piece(self, piece: Piece) -> bytes:
        match piece:
            case TextDelta():
                return self._text(piece.text)
            case ThinkingDelta():
                return self._thought(piece)
            case ToolCallDelta():
                return self._call(piece)

    def ending(self, answer: Answer) -> bytes:
        """The end of the last block, then the stop reason with all usage and the receipt, then the end."""
        end = {
            "type": "message_delta",
            "delta": ending(answer.verdict.candidate.completion),
            "usage": usage(answer),
            "prysm": block(answer),
        }
        last = event("message_delta", end) + event("message_stop", {"type": "message_stop"})
        return self._opening() + self._release(at_last=True) + self._closing() + last

    def failure(self, error: PrysmError) -> bytes:
        """An error event, and no end."""
        return event("error", problems.anthropic(error, self._request_id))

    def _opening(self) -> bytes:
        """The message before anything is said, once; its input is our estimate until the end tells the usage."""
        if self._begun:
            return b""
        self._begun = True
        begun = opening(self._request_id, self.model)
        begun["usage"] = {"input_tokens": self._prompt_tokens, "output_tokens": 0}
        return event("message_start", {"type": "message_start", "message": begun})

    def _progress(self, told: dict[str, Any]) -> bytes:
        return event("prysm", {"type": "prysm", "prysm_event": told}) if self._events else b""

    def _text(self, text: str) -> bytes:
        """The hot line of a stream: the event's frame is made once a block, only the text is encoded each time."""
        if self._open == TEXT:
            return self._head + orjson.dumps(text) + b"}}\n\n"
        begun = self._begin(TEXT, {"type": "text", "text": ""})
        frame = orjson.dumps({"type": "content_block_delta", "index": self._blocks - 1})[:-1]
        self._head = b"event: content_block_delta\ndata: " + frame + b',"delta":{"type":"text_delta","text":'
        return begun + self._head + orjson.dumps(text) + b"}}\n\n"

    def _thought(self, piece: ThinkingDelta) -> bytes:
        """A piece of a thought; its seal ends it."""
        if piece.redacted:
            told = self._begin(("redacted", 0), thought(Thinking(piece.text, redacted=True)))
            return told + self._closing()
        told = b"" if self._open == THOUGHT else self._begin(THOUGHT, thought(Thinking("")))
        if piece.text:
            told += self._delta({"type": "thinking_delta", "thinking": piece.text})
        if piece.signature is not None:
            told += self._delta({"type": "signature_delta", "signature": piece.signature}) + self._closing()
        return told

    def _call(self, piece: ToolCallDelta) -> bytes:
        """A piece of a call. Once its arguments are whole and the next block has begun, only blanks can follow."""
        told, slot = b"", _slot(piece)
        if slot in self._closed:
            return b""
        if self._open != slot:
            call = ToolCall(piece.id or "", piece.name or "", "", signature=piece.signature)
            told, self._arguments = self._begin(slot, tool_use(call)), []
        if piece.arguments and self._arguments is not None:
            self._arguments.append(piece.arguments)
            told += self._delta({"type": "input_json_delta", "partial_json": piece.arguments})
        return told

    def _release(self, *, at_last: bool = False) -> bytes:
        """The blocks that waited, up to the first that goes on; `at_last` all of them."""
        told = b""
        while self._held and (at_last or not self._goes_on()):
            told += b"".join([self._piece(piece) for piece in self._held.pop(next(iter(self._held)))])
        return told

    def _goes_on(self) -> bool:
        """Whether the open block is a call whose arguments are not whole."""
        if self._arguments is None:
            return False
        return not (self._arguments and self._arguments[-1].endswith("}") and is_object("".join(self._arguments)))

    def _begin(self, slot: Slot, begun: dict[str, Any]) -> bytes:
        """What closes the last block and opens the next."""
        told = self._opening() + self._closing()
        index, self._open = self._blocks, slot
        self._blocks += 1
        return told + event(
            "content_block_start", {"type": "content_block_start", "index": index, "content_block": begun}
        )

    def _delta(self, delta: dict[str, Any]) -> bytes:
        at = self._blocks - 1
        return event("content_block_delta", {"type": "content_block_delta", "index": at, "delta": delta})

    def _closing(self) -> bytes:
        if self._open is None:
            return b""
        if self._arguments is not None:
            self._closed.add(self._open)
        self._open = self._arguments = None
        return event("content_block_stop", {"type": "content_block_stop", "index": self._blocks - 1})


def _slot(piece: Piece) -> Slot:
    match piece:
        case TextDelta():
            return TEXT
        case ThinkingDelta():
            return ("redacted", 0) if piece.redacted else THOUGHT
        case ToolCallDelta():
            return "call", piece.index
