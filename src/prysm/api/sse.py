"""A run as server-sent events: OpenAI's chunks, heartbeats while members work, the receipt on the last chunk."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import orjson

from prysm.api import problems, render
from prysm.core.events import Delta, Planned, StageFinished, StageStarted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from starlette.types import Send

    from prysm.core.events import Event
    from prysm.core.plan import ChatRequest
    from prysm.errors import PrysmError
    from prysm.gateway import Answer

HEARTBEAT_S = 5.0
_COMMENT = b": working\n\n"


class EventStream:
    """Writes one streamed answer. The response starts with the first thing there is to say.

    A run of one model starts with its first delta, so a failure before it is an ordinary error answer; a run of
    several starts at once with a heartbeat.
    """

    def __init__(
        self, send: Send, request_id: UUID, request: ChatRequest, created: int, *, events: bool, usage: bool
    ) -> None:
        self.started = False
        self._send = send
        self._request_id = str(request_id)
        self._request = request
        self._created = created
        self._events = events
        self._usage = usage
        self._model = ""
        self._head = b""
        self._heartbeat: asyncio.Task[None] | None = None

    async def emit(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Delta):
            await self._delta(event.text)
        elif isinstance(event, Planned):
            await self._planned(event)
        elif self._events:
            await self._write(_data(self._chunk([]) | {"prysm_event": _progress(event)}))

    async def finish(self, answer: Answer, *, trace: bool) -> None:
        """The chunk with `finish_reason` and the `prysm` block, then usage where asked for, then the end."""
        prysm = render.block(answer)
        if trace:
            prysm["stages"] = [render.stage(item) for item in answer.stages]
        self._model = answer.verdict.candidate.model.id
        last = {"index": 0, "delta": {}, "logprobs": None}
        reason = answer.verdict.candidate.completion.finish_reason
        tail = _data(self._chunk([last | {"finish_reason": reason}]) | {"prysm": prysm})
        if self._usage:
            tail += _data(self._chunk([]) | {"usage": render.usage(answer)})
        await self._write(tail + b"data: [DONE]\n\n")
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def fail(self, error: PrysmError) -> None:
        """An error event and no `[DONE]`: what came before it is not an answer."""
        await self._write(_data(problems.envelope(error)))
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def close(self) -> None:
        """Stop the heartbeat."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._heartbeat

    async def _planned(self, event: Planned) -> None:
        plan = event.plan
        self._model = (plan.aggregator or plan.models[-1]).id
        if not self._request.orchestrated:
            return
        self._heartbeat = asyncio.create_task(self._beat())
        await self._write(_COMMENT)
        if self._events:
            await self._write(_data(self._chunk([]) | {"prysm_event": _planned(event)}))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await self._write(_COMMENT)

    async def _delta(self, text: str) -> None:
        """The hot line of a stream: the chunk's frame is made once, only the text is encoded each time."""
        if not self._head:
            opening = {"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": None}
            frame = orjson.dumps(self._chunk([]))[: -len(b"[]}")]
            self._head = b"data: " + frame + b'[{"index":0,"delta":{"content":'
            await self._write(_data(self._chunk([opening | {"finish_reason": None}])))
        await self._write(self._head + orjson.dumps(text) + b'},"logprobs":null,"finish_reason":null}]}\n\n')

    def _chunk(self, choices: list[Mapping[str, Any]]) -> dict[str, Any]:
        return {
            "id": f"prysm-{self._request_id}",
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }

    async def _write(self, data: bytes) -> None:
        if not self.started:
            self.started = True
            await self._send({"type": "http.response.start", "status": 200, "headers": self._headers()})
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    def _headers(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-cache"),
            (b"x-accel-buffering", b"no"),
            (b"x-prysm-proof-url", f"/v1/proof/{self._request_id}".encode()),
        ]


def _data(value: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


def _planned(event: Planned) -> dict[str, Any]:
    block = render.planned(event.plan)
    return {
        "type": "plan",
        "strategy": block["strategy"],
        "policy": block["policy"],
        "models": block["models_used"],
        "reason": block["reason"],
    }


def _progress(event: StageStarted | StageFinished) -> dict[str, Any]:
    if isinstance(event, StageStarted):
        return {"type": "stage_started", "kind": event.kind, "model": event.model}
    return {"type": "stage", "stage": render.stage(event.stage)}
