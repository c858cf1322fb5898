"""Carries one run between the wire and the gateway: JSON or stream, and a caller who may hang up at any moment."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import orjson
from starlette.responses import Response

from prysm.api import cached, problems
from prysm.api.one_write import CONNECTION
from prysm.api.ratelimit_headers import told
from prysm.api.sse import EventStream
from prysm.core.events import ignore
from prysm.core.values import dataclass
from prysm.errors import PrysmError
from prysm.gateway import CLIENT_GONE

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from starlette.types import Receive, Scope, Send

    from prysm.api.one_write import Protocol as Connection
    from prysm.api.sse import Writer
    from prysm.core.caller import Caller
    from prysm.core.events import Emit
    from prysm.core.plan import ChatRequest
    from prysm.gateway import Answer

WATCH_AFTER_S = 0.03

Render: TypeAlias = "Callable[[Answer], dict[str, Any]]"


class Runs(Protocol):
    """The gateway, or what stands before it."""

    async def run(self, request: ChatRequest, request_id: UUID, emit: Emit, caller: Caller) -> Answer:
        """Answer `request` to `caller`; raises a `PrysmError`."""
        ...


@dataclass(frozen=True, slots=True)
class Shape:
    """How one surface shows a run: a whole answer as JSON, or a stream by a writer of its own, if it has streams."""

    render: Render
    writer: Callable[[UUID], Writer] | None = None


class RunResponse(Response):
    """An ASGI response that runs the gateway while it watches for the caller hanging up."""

    def __init__(self, gateway: Runs, request: ChatRequest, shape: Shape) -> None:
        self.background = None
        self._gateway = gateway
        self._request = request
        self._shape = shape

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or stop quietly when nobody is left to answer."""
        work = asyncio.current_task()
        unwatch = _watch(scope, receive, work)
        state = scope["state"]
        request_id: UUID = state["request_id"]
        try:
            if self._request.stream and self._shape.writer is not None:
                await self._stream(send, state, self._shape.writer(request_id))
            else:
                await self._whole(send, await self._gateway.run(self._request, request_id, ignore, state["caller"]))
        except asyncio.CancelledError as error:
            if CLIENT_GONE not in error.args or work is None:
                raise
            work.uncancel()
        finally:
            unwatch()

    async def _whole(self, send: Send, answer: Answer) -> None:
        body = orjson.dumps(self._shape.render(answer))
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"x-prysm-proof-url", b"/v1/proof/" + answer.receipt.request_id.encode()),
            *told(answer.admitted),
            *cached.headers(answer.cache),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _stream(self, send: Send, state: dict[str, Any], writer: Writer) -> None:
        """`state` gets the `failure` of a stream that breaks off: its status, which is out, does not tell."""
        request_id: UUID = state["request_id"]
        stream = EventStream(send, request_id, self._request, writer)
        try:
            answer = await self._gateway.run(self._request, request_id, stream.emit, state["caller"])
            await stream.finish(answer)
        except PrysmError as error:
            if not stream.started:
                raise
            state["failure"] = error
            await stream.fail(error)
        except Exception:
            if stream.started:  # else the edge answers; it logs the defect in any case
                defect = PrysmError("Something went wrong in the gateway. It is logged under this request's id.")
                defect.spent = True
                state["failure"] = defect
                await stream.fail(defect)
            raise
        finally:
            await stream.close()


def _watch(scope: Scope, receive: Receive, work: asyncio.Task[Any] | None) -> Callable[[], None]:
    """Cancel the run when its caller hangs up, so that no upstream call outlives who asked for it, until called."""
    connection: Connection | None = scope.get(CONNECTION)
    if connection is None or work is None:
        return _Watch(receive, work).cancel
    connection.call_when_lost(partial(work.cancel, CLIENT_GONE))
    return partial(connection.call_when_lost, None)


class _Watch:
    """Asks whether the caller has hung up, where a server of another kind is at work.

    It begins a moment late: most short answers are gone by then, and never pay for the task it takes.
    """

    __slots__ = ("_receive", "_task", "_timer", "_work")

    def __init__(self, receive: Receive, work: asyncio.Task[Any] | None) -> None:
        self._receive = receive
        self._work = work
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, self._begin)

    def cancel(self) -> None:
        """Stop watching."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.ensure_future(self._cancel_when_gone())

    async def _cancel_when_gone(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            while (await self._receive())["type"] != "http.disconnect":
                pass
            if self._work is not None:
                self._work.cancel(CLIENT_GONE)


def problem_response(error: PrysmError, path: str, request_id: UUID | None) -> Response:
    """An error as an HTTP answer."""
    return Response(
        problems.body_of(error, path, request_id),
        status_code=problems.status_of(error, path),
        headers=dict(problems.headers_of(error, request_id)),
        media_type="application/json",
    )
