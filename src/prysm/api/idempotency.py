"""`Idempotency-Key` on any POST: the same key gives the same answer, and nothing runs or is paid for twice.

Requests without the header pass by untouched.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, TypeVar

from starlette.requests import ClientDisconnect, Request

from prysm.api.one_write import SAID
from prysm.api.recording import Recorded, Recorder
from prysm.api.respond import problem_response
from prysm.api.services import raw_body, services
from prysm.api.unkept import forbids_keeping
from prysm.errors import InvalidRequest, ProofUnavailable, PrysmError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from prysm.api.replays import Asked, Fate, Replays, Turn
    from prysm.core.caller import Caller

HEADER = b"idempotency-key"
KEY = re.compile(rb"[\x20-\x7e]{1,255}")
SECRETS = re.compile(r"/v1/(providers/)?keys(/.*)?", re.DOTALL)
"""Routes that answer with a secret, or are sent one: nothing of theirs is stored."""
FAILED = 400
DEFECT = 500

T = TypeVar("T")


class Idempotency:
    """Wraps the application, within the edge: who calls is known. Public routes have no use for it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] == "POST" and "caller" in scope["state"]:
            said = scope.get(SAID)
            if said is None or HEADER in said:
                given = [value for name, value in scope["headers"] if name == HEADER]
                if given:
                    return self._once(scope, receive, send, _key(given))
        return self._app(scope, receive, send)

    async def _once(self, scope: Scope, receive: Receive, send: Send, key: str) -> None:
        request = Request(scope, receive)
        replays, caller = services(request).replays, scope["state"]["caller"]
        body = await raw_body(request)
        target = scope["path"].encode() + b"?" + scope["query_string"]
        asked = replays.asked(
            caller,
            key,
            scope["state"]["request_id"],
            (scope["method"], target, body),
            kept=_may_be_kept(scope["path"], body, caller),
        )
        begun = await _while_there(replays.begin(asked), receive)
        if isinstance(begun, Recorded):
            await begun.replay(scope, send)
        else:
            await _First(replays, asked, begun, scope).run(self._app, _handed(body, receive), send)


class _First:
    """The request that claimed its key."""

    def __init__(self, replays: Replays, asked: Asked, turn: Turn, scope: Scope) -> None:
        self._replays = replays
        self._asked = asked
        self._turn = turn
        self._scope = scope
        self._refusal: PrysmError | None = None
        self._withheld: ProofUnavailable | None = None

    async def run(self, app: ASGIApp, receive: Receive, send: Send) -> None:
        """Have it answered, and end the turn in any case."""
        recorder = Recorder(self._scope, send, self._ended)
        fate: Fate | None = None
        try:
            await app(self._scope, receive, recorder.send)
        except PrysmError as error:
            if recorder.started or recorder.over:
                raise
            self._refusal = error
            path, request_id = self._scope["path"], self._asked.request_id
            await problem_response(error, path, request_id)(self._scope, receive, recorder.send)
        except Exception:
            if self._withheld is not None:  # the router takes it for a defect that an answer broke off
                raise self._withheld from None
            fate = "gone"  # a defect: nobody knows what it did before
            raise
        finally:
            if not recorder.over:
                await self._replays.settle(self._asked, self._turn, None, fate)

    async def _ended(self, answer: Recorded) -> None:
        try:
            await self._replays.settle(self._asked, self._turn, answer, self._fate(answer))
        except ProofUnavailable as error:
            self._withheld = error
            raise

    def _fate(self, answer: Recorded) -> Fate:
        """Kept is what succeeded and what was paid for; what nobody was charged for may be tried again."""
        broken: PrysmError | None = self._scope["state"].get("failure")
        if broken is not None:
            return "gone" if broken.spent else "free"
        if self._refusal is not None:
            final = self._refusal.spent
        else:
            final = answer.status < FAILED or answer.header(b"x-should-retry") == b"false"
        if final:
            return "keep" if self._asked.kept else "gone"
        return "gone" if answer.status == DEFECT else "free"


def _key(given: list[bytes]) -> str:
    if len(given) > 1 or KEY.fullmatch(given[0]) is None:
        raise InvalidRequest(
            "'Idempotency-Key' must be sent once, with 1 to 255 printable ASCII characters: a random UUID will do.",
            param="Idempotency-Key",
        )
    return given[0].decode("ascii")


def _may_be_kept(path: str, body: bytes, caller: Caller) -> bool:
    """Whether the answer may be stored: it holds no secret, and neither the key nor the request forbids it."""
    return not (caller.retention_zero or SECRETS.fullmatch(path) or forbids_keeping(body))


def _handed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body, which was read, and then what comes after it."""
    rest = [body]

    async def handed() -> Message:
        if rest:
            return {"type": "http.request", "body": rest.pop(), "more_body": False}
        return await receive()

    return handed


async def _while_there(work: Coroutine[object, object, T], receive: Receive) -> T:
    """What `work` returns; raises `ClientDisconnect` when the caller hangs up before."""
    waiting, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((waiting, gone), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise ClientDisconnect
        return waiting.result()
    finally:
        gone.cancel()
        waiting.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
