"""The blocking client."""

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
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from prysm.client.receipt import Asking
    from prysm.client.reply import Reply
    from prysm.proof.report import Report
    from prysm.proof.trust import Trust


class Prysm:
    """A client of one gateway. Thread-safe; a context manager.

    `api_key` and `base_url` default to PRYSM_API_KEY and PRYSM_BASE_URL, then to no key and `http://127.0.0.1:8080`;
    a trailing `/v1` of the address is dropped. `timeout`, in seconds, is how long the gateway may be silent (10
    minutes; 5 s to connect), None for ever. Raises `ConfigError` for an address or a key that cannot be used, and
    from each call `PrysmClientError`. Nothing is retried.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float | httpx.Timeout | None = DEFAULT_TIMEOUT,
    ) -> None:
        self._target = Target.resolve(api_key, base_url)
        self._http = httpx.Client(**self._target.options(timeout))
        self.chat = Chat(self._answer)
        self.keys = Keys(self._send)
        self.provider_keys = ProviderKeys(self._send)
        self.budgets = Budgets(self._send)
        self.credits = Credits(self._send)

    @overload
    def orchestrate(
        self,
        prompt: Prompt,
        *,
        policy: str | None = ...,
        strategy: str | None = ...,
        stream: Literal[False] = ...,
        **fields: Any,
    ) -> Reply: ...
    @overload
    def orchestrate(
        self,
        prompt: Prompt,
        *,
        policy: str | None = ...,
        strategy: str | None = ...,
        stream: Literal[True],
        **fields: Any,
    ) -> Stream: ...
    def orchestrate(
        self,
        prompt: Prompt,
        *,
        policy: str | None = None,
        strategy: str | None = None,
        stream: bool = False,
        **fields: Any,
    ) -> Reply | Stream:
        """Put several models on a prompt (text, or a list of messages).

        `policy`: efficiency, balanced, depth. `strategy` forces one. Further fields (`k`, `samples`, `models`,
        `max_cost_usd`, `deadline_s`, `dry_run` …) go into the body as they are; one that is None is left out.
        With `stream=True`: an iterator of chunks, progress (`prysm_event`) among them.
        """
        body = {"policy": policy, "strategy": strategy, "stream": stream or None, **fields}
        return self._answer(wire.orchestrate(prompt, body), stream)

    def route(self, prompt: Prompt, routing_mode: str | None = None, **fields: Any) -> Reply:
        """Ask which model would answer, and why. No model is called."""
        return self._send(wire.route(prompt, {"routing_mode": routing_mode, **fields}))

    def models_catalog(self) -> Reply:
        """List the models: `{"object": "list", "data": [...]}`."""
        return self._send(wire.models())

    def usage(self, by: str | None = None, *, since: str | None = None, until: str | None = None) -> Reply:
        """Tell what the calling key has used, or its organisation if it is an admin's, or everybody if it is root.

        `by` groups it: key, model, strategy, task, tag, day. From `since` on and before `until` (RFC 3339).
        """
        return self._send(wire.usage(by=by, since=since, until=until))

    def usage_csv(self, by: str = "day", *, since: str | None = None, until: str | None = None) -> str:
        """Tell the same groups as CSV, with exact amounts."""
        call = wire.usage(by=by, since=since, until=until, format="csv")
        with transport_errors_named(self._target.base_url):
            response = self._http.send(call.request(self._http))
        return wire.read_text(response)

    def feedback(
        self,
        request_id: str,
        *,
        score: float | None = None,
        correct: bool | None = None,
        comment: str | None = None,
    ) -> Reply:
        """Say how good an answer was: either `score`, 0–1, or `correct`; saying it again replaces it.

        Routing learns from it. The gateway takes a `comment` and does not store it.
        """
        said = {"score": score, "correct": correct, "comment": comment}
        return self._send(wire.feedback(request_id, said))

    def outcomes(self, *, limit: int = 1000, after: int | None = None) -> Reply:
        """List what was said of answers, newest first, with what their receipts say; `after`: the last id seen."""
        return self._send(wire.outcomes(limit, after))

    def audit(self, *, limit: int = 1000, after: str | None = None) -> Reply:
        """List what administrators did, newest first; `after`: the last id seen. Takes an admin's key."""
        return self._send(wire.audit(limit, after))

    def audit_event(self, event_id: str) -> Reply:
        """Fetch what an administrator did, with the proof of its place in the log."""
        return self._send(wire.audit_event(event_id))

    def proof(self, request_id: str) -> Reply:
        """Fetch a receipt as the gateway shows it."""
        return self._send(wire.proof(request_id))

    def proof_document(self, request_id: str) -> Reply:
        """Fetch a receipt with all its stages and the gateway's keys: what `verify_document` checks offline.

        A receipt that is not in the log yet is waited for, up to two seconds.
        """
        document: Reply = self._follow(whole_document(request_id))
        return document

    def verify_proof(self, request_id: str, *, trust: Trust | None = None, **given: Any) -> Report:
        """Fetch a receipt with its stages and recompute it here; the gateway's own verdict is not believed.

        `trust`: what `prysm.proof.trust` remembers of logs. Pinned `keys`, `witnesses`, `openings` and `texts` are
        taken as by `verify_document`. Without `keys` the gateway's own are used, and the report says so.
        """
        report: Report = self._follow(verification(request_id, trust, given))
        return report

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._target.base_url!r})"

    def _answer(self, call: Call, stream: bool) -> Reply | Stream:
        return self._open(call) if stream else self._send(call)

    def _send(self, call: Call) -> Reply:
        with transport_errors_named(self._target.base_url):
            response = self._http.send(call.request(self._http))
        return wire.read(response, response.content)

    def _follow(self, asking: Asking) -> Any:
        allowed = Allowance(self._target.base_url)
        try:
            call = next(asking)
            while True:
                try:
                    reply = self._fetch(call, allowed)
                except PrysmClientError as error:
                    call = asking.throw(error)
                else:
                    call = asking.send(reply)
        except StopIteration as done:
            return done.value

    def _fetch(self, call: Call, allowed: Allowance) -> Reply:
        with transport_errors_named(self._target.base_url):
            response = self._http.send(call.request(self._http, allowed.timeout()), stream=True)
            try:
                body = b"".join(map(allowed.taken, response.iter_bytes()))
            finally:
                response.close()
        return wire.read(response, body)

    def _open(self, call: Call) -> Stream:
        with transport_errors_named(self._target.base_url):
            response = self._http.send(call.request(self._http), stream=True)
            if not response.is_success:
                response.read()
        if not response.is_success:
            wire.read(response, response.content)
        return Stream(response, self._target.base_url)


class Stream:
    """The chunks of a streamed answer, in order. Iterate over it once; a context manager.

    Raises `GatewayError` where the gateway reports a failure, `BadAnswer` where the stream is cut.
    """

    def __init__(self, response: httpx.Response, base_url: str) -> None:
        self._response = response
        self._base_url = base_url
        self._chunks = self._read()

    def __iter__(self) -> Iterator[Reply]:
        return self

    def __next__(self) -> Reply:
        return next(self._chunks)

    def _read(self) -> Generator[Reply]:
        reader = ChunkReader(self._response.headers.get("x-request-id"))
        try:
            with transport_errors_named(self._base_url):
                for data in self._response.iter_bytes():
                    yield from reader.feed(data)
                    if reader.done:
                        return
            reader.close()
        finally:
            self._response.close()

    def close(self) -> None:
        """Stop reading; the gateway then stops the run."""
        self._chunks.close()
        self._response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Completions:
    """`client.chat.completions`, as in the OpenAI client."""

    def __init__(self, answer: Callable[[Call, bool], Reply | Stream]) -> None:
        self._answer = answer

    @overload
    def create(
        self,
        *,
        messages: Sequence[Mapping[str, Any]],
        model: str = ...,
        stream: Literal[False] = ...,
        **fields: Any,
    ) -> Reply: ...
    @overload
    def create(
        self,
        *,
        messages: Sequence[Mapping[str, Any]],
        model: str = ...,
        stream: Literal[True],
        **fields: Any,
    ) -> Stream: ...
    def create(
        self,
        *,
        messages: Sequence[Mapping[str, Any]],
        model: str = "auto",
        stream: bool = False,
        **fields: Any,
    ) -> Reply | Stream:
        """Answer a conversation. `model`: auto, a model's id, `prysm/<policy>` or `prysm/<strategy>`.

        Prysm's own fields are taken by name or in `extra_body`.
        """
        return self._answer(wire.chat(model, messages, {"stream": stream or None, **fields}), stream)


class Chat:
    """`client.chat`."""

    def __init__(self, answer: Callable[[Call, bool], Reply | Stream]) -> None:
        self.completions = Completions(answer)
