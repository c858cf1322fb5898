"""The typed events of a streamed response.

An item stays open until the answer ends, since a model may come back to it.
https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from prysm.api.chunks import plan_event, step_event
from prysm.api.responses_output import call_item, logprobs_of, output_text, refusal, summary
from prysm.api.responses_render import PREFIX
from prysm.api.sse import Writer, event
from prysm.core.chat import TextDelta, ThinkingDelta, ToolCallDelta
from prysm.core.content import ToolCall

if TYPE_CHECKING:
    from prysm.api.responses_render import ResponseObject, Slot
    from prysm.core.chat import Piece
    from prysm.core.events import StageFinished, StageStarted
    from prysm.core.plan import Plan
    from prysm.errors import PrysmError
    from prysm.gateway import Answer

MESSAGE: Slot = ("message", 0)


class ResponseWriter(Writer):
    """`events`: typed progress between OpenAI's events. `at_once`: the stream opens before anything is said."""

    def __init__(self, response: ResponseObject, *, events: bool, at_once: bool) -> None:
        self._response = response
        self._events = events
        self._at_once = at_once
        self._sequence = 0
        self._begun = False
        self._open: dict[Slot, dict[str, Any]] = {}
        self._thoughts = 0
        self._head = b""

    def planned(self, plan: Plan) -> bytes:
        """The opening of a run of several models, and its plan where progress is wanted."""
        self._response.model = (plan.aggregator or plan.models[-1]).id
        return self._opening() + self._progress(plan_event(plan)) if self._at_once else b""

    def progress(self, event: StageStarted | StageFinished) -> bytes:
        """A step, where progress is wanted."""
        return self._progress(step_event(event))

    def piece(self, piece: Piece, choice: int) -> bytes:  # noqa: ARG002 - this API has one version of an answer
        """The next piece of an item, after what opens the item.

        Text is the hot line of a stream: the event's frame is made once, only number and text are written each time.
        """
        if self._head and isinstance(piece, TextDelta) and not piece.refusal and not piece.logprobs:
            self._sequence += 1
            return self._head + b'%d,"delta":%b}\n\n' % (self._sequence - 1, orjson.dumps(piece.text))
        opening = b"" if self._begun else self._opening()
        match piece:
            case TextDelta():
                return opening + self._text(piece)
            case ThinkingDelta():
                return opening + self._thought(piece)
            case ToolCallDelta():
                return opening + self._call(piece)

    def ending(self, answer: Answer) -> bytes:
        """What closes each item, then the whole response with its receipt."""
        told = b"" if self._begun else self._opening()
        for index, slot, item in self._response.items(answer.verdict.candidate.completion):
            told += self._closing(index, slot, item)
        response = self._response.finished(answer)
        return told + self._event(f"response.{response['status']}", response=response)

    def failure(self, error: PrysmError) -> bytes:
        """`response.failed`, and nothing completed."""
        opening = b"" if self._begun else self._opening()
        return opening + self._event("response.failed", response=self._response.failed(error))

    def _opening(self) -> bytes:
        self._begun = True
        begun = self._response.begun()
        return self._event("response.created", response=begun) + self._event("response.in_progress", response=begun)

    def _progress(self, told: dict[str, Any]) -> bytes:
        return self._event("response.prysm_event", prysm_event=told) if self._events else b""

    def _text(self, piece: TextDelta) -> bytes:
        opening = self._added(MESSAGE, {"type": "message", "role": "assistant", "content": []})
        at = self._open[MESSAGE] | {"content_index": 0}
        if opening:
            part = refusal("") if piece.refusal else output_text("")
            opening += self._event("response.content_part.added", **at, part=part)
        if not piece.text:
            return opening
        if piece.refusal:
            return opening + self._event("response.refusal.delta", **at, delta=piece.text)
        kind = "response.output_text.delta"
        frame = event(kind, {"type": kind, **at, "logprobs": []}).removesuffix(b"}\n\n")
        self._head = frame + b',"sequence_number":'
        logprobs = logprobs_of(piece.logprobs) if self._response.shows_logprobs else []
        return opening + self._event(kind, **at, delta=piece.text, logprobs=logprobs)

    def _thought(self, piece: ThinkingDelta) -> bytes:
        slot: Slot = ("thought", self._thoughts)
        if piece.signature is not None or piece.redacted:
            self._thoughts += 1
        opening = self._added(slot, {"type": "reasoning", "summary": []})
        if piece.redacted:
            return opening
        at = self._open[slot] | {"summary_index": 0}
        if opening:
            opening += self._event("response.reasoning_summary_part.added", **at, part=summary(""))
        if not piece.text:
            return opening
        return opening + self._event("response.reasoning_summary_text.delta", **at, delta=piece.text)

    def _call(self, piece: ToolCallDelta) -> bytes:
        slot: Slot = ("call", piece.index)
        begun = ToolCall(piece.id or "", piece.name or "", "", piece.custom, piece.signature)
        opening = self._added(slot, call_item(begun, "in_progress"))
        if not piece.arguments:
            return opening
        at = self._open[slot]
        return opening + self._event(f"{_input_of(at)}.delta", **at, delta=piece.arguments)

    def _added(self, slot: Slot, item: dict[str, Any]) -> bytes:
        """What opens the item of a part of the answer; empty when it is open."""
        if slot in self._open:
            return b""
        index = self._response.place(slot)
        item_id = self._response.item_id(item["type"], index)
        self._open[slot] = {"item_id": item_id, "output_index": index}
        begun = {"id": item_id} | item | {"status": "in_progress"}
        return self._event("response.output_item.added", output_index=index, item=begun)

    def _closing(self, index: int, slot: Slot, item: dict[str, Any]) -> bytes:
        """What ends an item: its text whole, then the item; and before it what opens one that no piece opened."""
        late = self._text(TextDelta("")) if slot == MESSAGE else self._added(slot, item)
        at = self._open[slot]
        match item["type"]:
            case "message":
                told = self._part_done(at | {"content_index": 0}, item["content"][0])
            case "reasoning":
                told = b"".join(self._summary_done(at | {"summary_index": 0}, part) for part in item["summary"])
            case _:
                text = "input" if "input" in item else "arguments"
                told = self._event(f"{_input_of(at)}.done", **at, **{text: item[text]})
        return late + told + self._event("response.output_item.done", output_index=index, item=item)

    def _part_done(self, at: dict[str, Any], part: dict[str, Any]) -> bytes:
        if part["type"] == "refusal":
            told = self._event("response.refusal.done", **at, refusal=part["refusal"])
        else:
            told = self._event("response.output_text.done", **at, text=part["text"], logprobs=part["logprobs"])
        return told + self._event("response.content_part.done", **at, part=part)

    def _summary_done(self, at: dict[str, Any], part: dict[str, Any]) -> bytes:
        told = self._event("response.reasoning_summary_text.done", **at, text=part["text"])
        return told + self._event("response.reasoning_summary_part.done", **at, part=part)

    def _event(self, kind: str, **fields: Any) -> bytes:
        self._sequence += 1
        return event(kind, {"type": kind, "sequence_number": self._sequence - 1, **fields})


def _input_of(at: dict[str, Any]) -> str:
    """How the events are called that bring what a tool is called with."""
    custom = at["item_id"].startswith(PREFIX["custom_tool_call"])
    return "response.custom_tool_call_input" if custom else "response.function_call_arguments"
