"""One provider's HTTP: a request out, a bounded answer in, every failure typed.

The transport is used directly. An `httpx.AsyncClient` around it would cost ten times the CPU and add what we do not
want: redirects, cookies, proxies from the environment.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import httpx
import orjson

from prysm.errors import ConfigError, ProviderError
from prysm.providers.failures import refusal, retry_after
from prysm.providers.sse import EventTooLarge, SseEvent, SseParser

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from prysm.core.provider import ProviderSpec
    from prysm.errors import FailureKind

MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
DRAIN_S = 0.02
OK = 200
JSON = "application/json"
SSE = "text/event-stream"


class Wire:
    """The way to one provider, made once: URL, headers and slots are ready before the first call."""

    def __init__(self, spec: ProviderSpec, transport: httpx.AsyncBaseTransport, headers: Mapping[str, str]) -> None:
        self.spec = spec
        self._transport = transport
        self._base = _base_url(spec)
        self._urls: dict[str, httpx.URL] = {}
        self._headers = _headers(spec, headers)
        self._extensions = {"timeout": {"connect": spec.connect_timeout_s, "read": spec.timeout_s}}
        self._slots = asyncio.Semaphore(spec.max_concurrency)

    def fail(self, kind: FailureKind, why: str, status: int | None = None) -> ProviderError:
        """Make an error that names the provider; `why` continues the sentence."""
        return ProviderError(kind, f"{self.spec.id} {why}.", upstream_status=status)

    async def post_json(self, path: str, body: dict[str, Any]) -> Any:
        """Post and return the decoded JSON answer; raise `ProviderError`."""
        async with self._exchange(path, body, JSON) as reads:
            whole = await reads.whole(MAX_BODY_BYTES)
        return self.decode(whole)

    @asynccontextmanager
    async def post_sse(self, path: str, body: dict[str, Any]) -> AsyncGenerator[EventReads]:
        """Post and give the event stream of the answer; leaving the block early closes the connection."""
        async with self._exchange(path, body, SSE) as reads:
            yield EventReads(reads)

    def decode(self, data: bytes) -> Any:
        """Decode JSON, strictly: no NaN, no invalid UTF-8, no lone surrogate, no nesting beyond 1,024 levels."""
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            raise self.fail("malformed", "sent an answer that is not valid JSON; try another model") from None

    def _encode(self, body: dict[str, Any]) -> bytes:
        try:
            return orjson.dumps(body)
        except orjson.JSONEncodeError:
            raise self.fail("rejected", "cannot be sent text that is not valid Unicode; remove it") from None

    @asynccontextmanager
    async def _exchange(self, path: str, body: dict[str, Any], media: str) -> AsyncGenerator[Reads]:
        content = self._encode(body)
        limits = Limits(self.spec)
        await self._take_slot(limits)
        try:
            response = await self._send(path, content, limits)
            try:
                reads = Reads(self, response, limits)
                if response.status_code != OK:
                    raise await self._refusal(response, reads)
                self._check_media(response, media)
                yield reads
            finally:
                await response.aclose()
        finally:
            self._slots.release()

    async def _take_slot(self, limits: Limits) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        try:
            async with limits.whole_call():
                await self._slots.acquire()
        except TimeoutError:
            why = "has had no free slot in time; raise max_concurrency or add a fallback model"
            raise self.fail("timeout", why) from None

    async def _send(self, path: str, content: bytes, limits: Limits) -> httpx.Response:
        request = httpx.Request(
            "POST", self._url(path), headers=self._headers, content=content, extensions=self._extensions
        )
        try:
            async with limits.next_byte():
                return await self._transport.handle_async_request(request)
        except (TimeoutError, httpx.HTTPError) as error:
            raise self.failed(error, limits, answered=False) from None

    def _url(self, path: str) -> httpx.URL:
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = httpx.URL(self._base + path)
        return url

    async def _refusal(self, response: httpx.Response, reads: Reads) -> ProviderError:
        try:
            body = orjson.loads(await reads.whole(MAX_ERROR_BYTES))
        except (ProviderError, orjson.JSONDecodeError):
            body = None
        wait = retry_after(response.headers.get("retry-after"))
        return refusal(self.spec.id, response.status_code, body, wait)

    def _check_media(self, response: httpx.Response, wanted: str) -> None:
        media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media != wanted:
            why = f"answered with a content type other than {wanted}; check its base_url"
            raise self.fail("malformed", why, OK)

    def failed(self, error: Exception, limits: Limits, *, answered: bool) -> ProviderError:
        """Type a failure of the transport; nothing of its text is kept."""
        match error:
            case httpx.ConnectError() | httpx.ConnectTimeout():
                return self.fail("connect", "could not be reached; check its base_url and the network")
            case TimeoutError() | httpx.TimeoutException():
                return self.fail("timeout", limits.which())
            case httpx.DecodingError():
                return self.fail("malformed", "sent bytes that cannot be decoded; check its base_url")
        if answered:
            return self.fail("truncated", "cut its answer short; try again or choose another model")
        return self.fail("unavailable", "hung up without an answer; try again or choose another model")


class Limits:
    """The time limits of one call: the total, the first byte, the silence between two reads."""

    __slots__ = ("_end", "_first", "_spec", "_time", "heard")

    def __init__(self, spec: ProviderSpec) -> None:
        self._spec = spec
        self._time = asyncio.get_running_loop().time
        self._end = self._time() + spec.timeout_s
        self._first: float | None = None
        self.heard = False

    def whole_call(self) -> asyncio.Timeout:
        """Bound what is left of the whole call."""
        return asyncio.timeout_at(self._end)

    def next_byte(self) -> asyncio.Timeout:
        """Bound the wait for the next byte; the wait for the first begins when this is first asked."""
        now = self._time()
        if self.heard:
            return asyncio.timeout_at(min(now + self._spec.idle_timeout_s, self._end))
        if self._first is None:
            self._first = min(now + self._spec.first_byte_timeout_s, self._end)
        return asyncio.timeout_at(self._first)

    def which(self) -> str:
        """Say which limit ran out and where to raise it."""
        spec = self._spec
        if self._time() >= self._end:
            return f"did not finish within timeout_s = {spec.timeout_s:g}; raise it or ask for a shorter answer"
        if self.heard:
            return f"fell silent for idle_timeout_s = {spec.idle_timeout_s:g}; try again or choose another model"
        return f"sent nothing within first_byte_timeout_s = {spec.first_byte_timeout_s:g}; raise it or try again"


class Reads:
    """A response body, read by read, bounded in time and in decompressed bytes."""

    __slots__ = ("_limits", "_size", "_stream", "wire")

    def __init__(self, wire: Wire, response: httpx.Response, limits: Limits) -> None:
        self.wire = wire
        self._limits = limits
        self._stream = aiter(cast("httpx.AsyncByteStream", response.stream))
        self._size = 0

    async def next(self) -> bytes | None:
        """Return the next read, `None` at the end; raise `ProviderError`."""
        try:
            async with self._limits.next_byte():
                read = await anext(self._stream, None)
        except (TimeoutError, httpx.HTTPError) as error:
            raise self.wire.failed(error, self._limits, answered=True) from None
        self._limits.heard = True
        return read

    async def whole(self, cap: int) -> bytes:
        """Read to the end, at most `cap` bytes."""
        parts = []
        while (part := await self.next()) is not None:
            parts.append(part)
            self.count(part, cap)
        return b"".join(parts)

    def count(self, part: bytes, cap: int) -> None:
        """Raise `ProviderError` once more than `cap` bytes came."""
        self._size += len(part)
        if self._size > cap:
            raise self.wire.fail("too_large", f"sent more than {cap} bytes; ask for a shorter answer")


class EventReads:
    """The events of a streamed answer, all that one network read completed at a time."""

    __slots__ = ("_parser", "_reads")

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._parser = SseParser()

    async def next(self) -> list[SseEvent] | None:
        """Return the events of the next read (there may be none), `None` at a clean end; raise `ProviderError`."""
        read = await self._reads.next()
        if read is None:
            return None
        self._reads.count(read, MAX_BODY_BYTES)
        try:
            return self._parser.feed(read)
        except EventTooLarge:
            raise self._reads.wire.fail("too_large", "sent one event of more than 4 MiB") from None

    async def drain(self) -> None:
        """Read the end of a finished stream if it is there, so that the connection can be used again."""
        try:
            async with asyncio.timeout(DRAIN_S):
                while await self._reads.next() is not None:
                    pass
        except (TimeoutError, ProviderError):
            return


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
    return httpx.Headers({**headers, "content-type": JSON, "accept": f"{JSON}, {SSE}"})
