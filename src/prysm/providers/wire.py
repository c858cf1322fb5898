"""One provider's HTTP: a request out, a bounded answer in, every failure typed.

The transport is used directly. An `httpx.AsyncClient` around it would cost ten times the CPU and add what we do not
want: redirects, cookies, proxies from the environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import orjson

from prysm.errors import ConfigError, ProviderError
from prysm.providers.failures import refusal, retry_after
from prysm.providers.limits import Limits
from prysm.providers.posting import posting
from prysm.providers.reads import EventReads, Reads, how_it_failed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.core.provider import ProviderSpec
    from prysm.errors import FailureKind
    from prysm.providers.posting import Answer, Post

MAX_ERROR_BYTES = 64 * 1024
OK = 200
JSON = "application/json"
SSE = "text/event-stream"


class Wire:
    """The way to one provider, made once: URL and headers are ready before the first call."""

    def __init__(self, spec: ProviderSpec, transport: httpx.AsyncBaseTransport, headers: Mapping[str, str]) -> None:
        self.spec = spec
        self._transport = transport
        self._base = _base_url(spec)
        self._posts: dict[str, Post] = {}
        self._headers = _headers(spec, headers)
        self._extensions = {
            "timeout": {"connect": spec.connect_timeout_s, "read": spec.timeout_s},
            "proxy": spec.proxy,
        }

    def fail(self, kind: FailureKind, why: str, status: int | None = None) -> ProviderError:
        """Make an error that names the provider; `why` continues the sentence."""
        return ProviderError(kind, f"{self.spec.id} {why}.", upstream_status=status)

    async def post_json(self, path: str, body: dict[str, Any]) -> Any:
        """Post and return the decoded JSON answer; raise `ProviderError`."""
        limits = Limits(self.spec, streamed=False)
        reads = Reads(await self._ask(path, body, limits), limits, self.fail)
        try:
            if not _fits(reads.answer, JSON):
                raise await self._unfit(reads, JSON)
            whole = await reads.whole()
        finally:
            await reads.aclose()
        return self.decode(whole)

    async def post_sse(self, path: str, body: dict[str, Any]) -> EventReads:
        """Post and give the event stream of the answer, to be closed: early, that closes the connection."""
        limits = Limits(self.spec, streamed=True)
        reads = EventReads(await self._ask(path, body, limits), limits, self.fail)
        if _fits(reads.answer, SSE):
            return reads
        try:
            error = await self._unfit(reads, SSE)
        finally:
            await reads.aclose()
        raise error

    def decode(self, body: bytes) -> Any:
        """Decode JSON, strictly: no NaN, no invalid UTF-8, no lone surrogate, no nesting beyond 1,024 levels."""
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass  # it holds the body: no error of ours may have it as its context
        raise self.fail("malformed", "sent an answer that is not valid JSON; try another model")

    def _encode(self, body: dict[str, Any]) -> bytes:
        try:
            return orjson.dumps(body)
        except orjson.JSONEncodeError:
            pass  # it holds the body as well
        raise self.fail("rejected", "cannot be sent text that is not valid Unicode; remove it")

    async def _ask(self, path: str, body: dict[str, Any], limits: Limits) -> Answer:
        """Any answer, to be closed; raise `ProviderError` where there is none."""
        content = self._encode(body)
        post = self._posts.get(path) or self._made_ready(path)
        try:
            with limits:
                return await post(content)
        except (TimeoutError, httpx.HTTPError) as error:
            failed = how_it_failed(error, limits, answered=False)
        raise self.fail(*failed)  # outside the `except`: httpx errors hold the request, and the request the key

    def _made_ready(self, path: str) -> Post:
        post = self._posts[path] = posting(self._transport, self._base + path, self._headers, self._extensions)
        return post

    async def _unfit(self, reads: Reads, wanted: str) -> ProviderError:
        if reads.answer.status == OK:
            return self.fail(
                "malformed", f"answered with a content type other than {wanted}; check its base_url", OK
            )
        try:
            body = orjson.loads(await reads.whole(MAX_ERROR_BYTES))
        except (ProviderError, orjson.JSONDecodeError):
            body = None
        wait = retry_after(reads.answer.header("retry-after"))
        return refusal(self.spec.id, reads.answer.status, body, wait)


def _fits(answer: Answer, wanted: str) -> bool:
    media = answer.header("content-type") or ""
    return answer.status == OK and media.partition(";")[0].strip().lower() == wanted


def _base_url(spec: ProviderSpec) -> str:
    try:
        url = httpx.URL(spec.base_url)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigError(f"Provider {spec.id}: base_url must be an http or https URL.", param="providers.base_url")
    return spec.base_url.rstrip("/")


def _headers(spec: ProviderSpec, headers: Mapping[str, str]) -> httpx.Headers:
    if not all(value.isascii() and value.isprintable() for value in headers.values()):
        raise ConfigError(f"Provider {spec.id}: its API key holds characters that no key has.", param="api_key")
    host = httpx.URL(spec.base_url).netloc.decode()
    return httpx.Headers({**headers, "host": host, "content-type": JSON, "accept": f"{JSON}, {SSE}"})
