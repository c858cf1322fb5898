"""The asyncio client. What each call does is said in `sync.py`; here only the waiting differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

import httpx

from prysm.client import wire
from prysm.client.allowance import Allowance
from prysm.client.errors import PrysmClientError, transport_errors_named
from prysm.client.events import ChunkReader
from prysm.client.keys import Keys
from prysm.client.money import Budgets, Credits
from prysm.client.provider_keys import ProviderKeys
from prysm.client.receipt import verification, whole_document
from prysm.client.wire import DEFAULT_TIMEOUT, Call, Prompt, Target

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from prysm.client.receipt import Asking
    from prysm.client.reply import Reply
    from prysm.proof.report import Report
    from prysm.proof.trust import Trust


class AsyncPrysm:
    """`Prysm` for asyncio: the same arguments, methods, replies and errors; `aclose()` closes it."""

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float | httpx.Timeout | None = DEFAULT_TIMEOUT,
    ) -> None:
        self._target = Target.resolve(api_key, base_url)
        self._http = httpx.AsyncClient(**self._target.options(timeout))
        self.chat = AsyncChat(self._answer)
        self.keys = Keys(self._send)
        self.provider_keys = ProviderKeys(self._send)
        self.budgets = Budgets(self._send)
        self.credits = Credits(self._send)

    @overload
    async def orchestrate(
        self,
        prompt: Prompt,
        *,
        policy: str | None = ...,
        strategy: str | None = ...,
        stream: Literal[False] = ...,
        **fields: Any,
    ) -> Reply: ...
    @overload
    async def orchestrate(
        self,
        prompt: Prompt,
        *,
        policy: str | None = ...,
        strategy: str | None = ...,
        stream: Literal[True],
        **fields: Any,
    ) -> AsyncStream: ...
    async def orchestrate(
        self,
        prompt: Prompt,
        *,
        policy: str | None = None,
        strategy: str | None = None,
        stream: bool = False,
        **fields: Any,
    ) -> Reply | AsyncStream:
        """As `Prysm.orchestrate`; with `stream=True` the awaited value is an async iterator of chunks."""
        body = {"policy": policy, "strategy": strategy, "stream": stream or None, **fields}
        return await self._answer(wire.orchestrate(prompt, body), stream)

    async def route(self, prompt: Prompt, routing_mode: str | None = None, **fields: Any) -> Reply:
        """As `Prysm.route`."""
        return await self._send(wire.route(prompt, {"routing_mode": routing_mode, **fields}))

    async def models_catalog(self) -> Reply:
        """As `Prysm.models_catalog`."""
        return await self._send(wire.models())

    async def usage(self, by: str | None = None, *, since: str | None = None, until: str | None = None) -> Reply:
        """As `Prysm.usage`."""
        return await self._send(wire.usage(by=by, since=since, until=until))

    async def usage_csv(self, by: str = "day", *, since: str | None = None, until: str | None = None) -> str:
        """As `Prysm.usage_csv`."""
        call = wire.usage(by=by, since=since, until=until, format="csv")
        with transport_errors_named(self._target.base_url):
            response = await self._http.send(call.request(self._http))
        return wire.read_text(response)

    async def feedback(
        self,
        request_id: str,
        *,
        score: float | None = None,
        correct: bool | None = None,
        comment: str | None = None,
    ) -> Reply:
        """As `Prysm.feedback`."""
        said = {"score": score, "correct": correct, "comment": comment}
        return await self._send(wire.feedback(request_id, said))

    async def outcomes(self, *, limit: int = 1000, after: int | None = None) -> Reply:
        """As `Prysm.outcomes`."""
        return await self._send(wire.outcomes(limit, after))

    async def audit(self, *, limit: int = 1000, after: str | None = None) -> Reply:
        """As `Prysm.audit`."""
        return await self._send(wire.audit(limit, after))

    async def audit_event(self, event_id: str) -> Reply:
        """As `Prysm.audit_event`."""
        return await self._send(wire.audit_event(event_id))

    async def proof(self, request_id: str) -> Reply:
        """As `Prysm.proof`."""
        return await self._send(wire.proof(request_id))

    async def proof_document(self, request_id: str) -> Reply:
        """As `Prysm.proof_document`."""
        document: Reply = await self._follow(whole_document(request_id))
        return document

    async def verify_proof(self, request_id: str, *, trust: Trust | None = None, **given: Any) -> Report:
        """As `Prysm.verify_proof`."""
        report: Report = await self._follow(verification(request_id, trust, given))
        return report

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._target.base_url!r})"

    async def _answer(self, call: Call, stream: bool) -> Reply | AsyncStream:
        return await (self._open(call) if stream else self._send(call))

    async def _send(self, call: Call) -> Reply:
        with transport_errors_named(self._target.base_url):
            response = await self._http.send(call.request(self._http))
        return wire.read(response, response.content)

    async def _follow(self, asking: Asking) -> Any:
        allowed = Allowance(self._target.base_url)
        try:
            call = next(asking)
            while True:
                try:
                    reply = await self._fetch(call, allowed)
                except PrysmClientError as error:
                    call = asking.throw(error)
                else:
                    call = asking.send(reply)
        except StopIteration as done:
            return done.value

    async def _fetch(self, call: Call, allowed: Allowance) -> Reply:
        with transport_errors_named(self._target.base_url):
            response = await self._http.send(call.request(self._http, allowed.timeout()), stream=True)
            try:
                body = b"".join([allowed.taken(data) async for data in response.aiter_bytes()])
            finally:
                await response.aclose()
        return wire.read(response, body)

    async def _open(self, call: Call) -> AsyncStream:
        with transport_errors_named(self._target.base_url):
            response = await self._http.send(call.request(self._http), stream=True)
            if not response.is_success:
                await response.aread()
        if not response.is_success:
            wire.read(response, response.content)
        return AsyncStream(response, self._target.base_url)


class AsyncStream:
    """The chunks of a streamed answer, in order. Iterate over it once with `async for`; an async context manager.

    Raises `GatewayError` where the gateway reports a failure, `BadAnswer` where the stream is cut.
    """

    def __init__(self, response: httpx.Response, base_url: str) -> None:
        self._response = response
        self._base_url = base_url
        self._chunks = self._read()

    def __aiter__(self) -> AsyncIterator[Reply]:
        return self

    async def __anext__(self) -> Reply:
        return await anext(self._chunks)

    async def _read(self) -> AsyncGenerator[Reply]:
        reader = ChunkReader(self._response.headers.get("x-request-id"))
        try:
            with transport_errors_named(self._base_url):
                async for data in self._response.aiter_bytes():
                    for chunk in reader.feed(data):
                        yield chunk
                    if reader.done:
                        return
            reader.close()
        finally:
            await self._response.aclose()

    async def aclose(self) -> None:
        """Stop reading; the gateway then stops the run."""
        await self._chunks.aclose()
        await self._response.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class AsyncCompletions:
    """`client.chat.completions`, as in the OpenAI client."""

    def __init__(self, answer: Callable[[Call, bool], Awaitable[Reply | AsyncStream]]) -> None:
        self._answer = answer

    @overload
    async def create(
        self,
        *,
        messages: Sequence[Mapping[str, Any]],
        model: str = ...,
        stream: Literal[False] = ...,
        **fields: Any,
    ) -> Reply: ...
    @overload
    async def create(
        self,
        *,
        messages: Sequence[Mapping[str, Any]],
        model: str = ...,
        stream: Literal[True],
        **fields: Any,
    ) -> AsyncStream: ...
    async def create(
        self,
        *,
        messages: Sequence[Mapping[str, Any]],
        model: str = "auto",
        stream: bool = False,
        **fields: Any,
    ) -> Reply | AsyncStream:
        """As `Completions.create` of the blocking client."""
        return await self._answer(wire.chat(model, messages, {"stream": stream or None, **fields}), stream)


class AsyncChat:
    """`client.chat`."""

    def __init__(self, answer: Callable[[Call, bool], Awaitable[Reply | AsyncStream]]) -> None:
        self.completions = AsyncCompletions(answer)
