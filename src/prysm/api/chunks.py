"""OpenAI's `chat.completion.chunk`s: the stream of `/v1/chat/completions` and `/v2/orchestrate`.

https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson

from prysm.api import choices, problems, render
from prysm.api.sse import Writer, data
from prysm.core.chat import TextDelta, ThinkingDelta, ToolCallDelta
from prysm.core.events import StageStarted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from prysm.core.chat import Piece
    from prysm.core.events import StageFinished
    from prysm.core.plan import Plan
    from prysm.core.run import Candidate
    from prysm.errors import PrysmError
    from prysm.gateway import Answer


_REST = b'},"logprobs":null,"finish_reason":null}]}\n\n'
"""What comes behind the text of a chunk."""


class ChunkWriter(Writer):
    """`events`: typed progress beside the answer. `usage`: a last chunk with the usage. `trace`: every stage.

    `logprobs`: the log probabilities of the tokens, which models may have been asked for on our own account.
    `legacy`: a tool call as the `function_call` that callers expect who gave `functions`.
    """

    def __init__(
        self, request_id: UUID, *, events: bool, usage: bool, trace: bool, logprobs: bool, legacy: bool = False
    ) -> None:
        self._id = f"prysm-{request_id}"
        self._events = events
        self._usage = usage
        self._trace = trace
        self._logprobs = logprobs
        self._legacy = legacy
        self._created = int(time.time())
        self._head = b""
        self._opened: set[int] = set()

    def planned(self, plan: Plan) -> bytes:
        """The plan, where progress is wanted."""
        return data(self._chunk([]) | {"prysm_event": plan_event(plan)}) if self._events else b""

    def progress(self, event: StageStarted | StageFinished) -> bytes:
        """A step, where progress is wanted."""
        return data(self._chunk([]) | {"prysm_event": step_event(event)}) if self._events else b""

    def piece(self, piece: Piece, choice: int) -> bytes:
        """The hot line of a stream: the chunk's frame is made once, only the text is encoded each time."""
        opening = b"" if choice in self._opened else self._opening(piece, choice)
        logprobs: dict[str, Any] | None = None
        if isinstance(piece, TextDelta):
            if self._logprobs and piece.logprobs:
                logprobs = choices.logprobs(piece.logprobs, refused=piece.refusal)
            elif choice == 0 and not piece.refusal:
                return opening + self._head + orjson.dumps(piece.text) + _REST
        elif isinstance(piece, ThinkingDelta) and (piece.redacted or not piece.text):
            return opening  # a seal: the whole thought stands at the end
        shown = {"index": choice, "delta": self._delta(piece), "logprobs": logprobs, "finish_reason": None}
        return opening + data(self._chunk([shown]))

    def ending(self, answer: Answer) -> bytes:
        """The chunk with `finish_reason` and the `prysm` block, then usage where asked for, then the end."""
        prysm = render.block(answer)
        if self._trace:
            prysm["stages"] = [render.stage(item) for item in answer.stages]
        self.model = answer.verdict.candidate.model.id
        first, *others = [self._end(answer, choice) for choice in answer.verdict.choices]
        tail = [self._opening(None, end["index"]) for end in (first, *others) if end["index"] not in self._opened]
        if others:
            tail += [data(self._chunk([end])) for end in others]
        last = self._chunk([first])
        last["service_tier"], last["prysm"] = answer.verdict.candidate.completion.service_tier, prysm
        tail.append(data(last))
        if self._usage:
            tail.append(data(self._chunk([]) | {"usage": choices.usage(answer)}))
        tail.append(b"data: [DONE]\n\n")
        return b"".join(tail)

    def failure(self, error: PrysmError) -> bytes:
        """An error event and no `[DONE]`."""
        return data(problems.envelope(error))

    def _opening(self, first: Piece | None, choice: int) -> bytes:
        """Who speaks, before anything is said; of a version that says nothing, all that there is before its end."""
        self._opened.add(choice)
        if not self._head:
            frame = orjson.dumps(self._chunk([]))[: -len(b"[]}")]
            self._head = b"data: " + frame + b'[{"index":0,"delta":{"content":'
        content = "" if first is None or (isinstance(first, TextDelta) and not first.refusal) else None
        opening = {"index": choice, "delta": {"role": "assistant", "content": content}, "logprobs": None}
        return data(self._chunk([opening | {"finish_reason": None}]))

    def _end(self, answer: Answer, choice: Candidate) -> dict[str, Any]:
        """The end of one version; where several were asked for, some may be missing.

        Sealed thoughts stand here, all at once: SDKs cannot put a list together that comes in parts.
        """
        done = choice.completion
        delta = dict(done.own or {}) | choices.sealed(done.thinking)
        return {
            "index": answer.stages[choice.stage].sample if answer.request.n > 1 else 0,
            "delta": delta,
            "logprobs": None,
            "finish_reason": choices.finish_reason(done.finish_reason, legacy=self._legacy),
        }

    def _delta(self, piece: Piece) -> dict[str, Any]:
        match piece:
            case TextDelta():
                return {"refusal" if piece.refusal else "content": piece.text}
            case ThinkingDelta():
                return {"reasoning_content": piece.text}
            case ToolCallDelta() if self._legacy and piece.index == 0:
                named = {} if piece.name is None else {"name": piece.name}
                return {"function_call": named | {"arguments": piece.arguments}}
            case ToolCallDelta():
                return {"tool_calls": [_tool_call(piece)]}

    def _chunk(self, listed: list[Mapping[str, Any]]) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self.model,
            "choices": listed,
        }


def _tool_call(piece: ToolCallDelta) -> dict[str, Any]:
    """The first piece of a call says what it is; the rest only add to its arguments."""
    kind, text = ("custom", "input") if piece.custom else ("function", "arguments")
    form: dict[str, Any] = {"index": piece.index, kind: {text: piece.arguments}}
    if piece.id is not None:
        form |= {"id": piece.id, "type": kind, kind: {"name": piece.name, text: piece.arguments}}
    if piece.signature is not None:
        form["extra_content"] = {"google": {"thought_signature": piece.signature}}
    return form


def plan_event(plan: Plan) -> dict[str, Any]:
    """The plan, as progress tells it."""
    block = render.planned(plan)
    return {
        "type": "plan",
        "strategy": block["strategy"],
        "policy": block["policy"],
        "models": block["models_used"],
        "reason": block["reason"],
    }


def step_event(event: StageStarted | StageFinished) -> dict[str, Any]:
    """A step, as progress tells it."""
    if isinstance(event, StageStarted):
        return {"type": "stage_started", "kind": event.kind, "model": event.model}
    return {"type": "stage", "stage": render.stage(event.stage)}
