"""The process's one way out: pooled HTTP/1.1 over TLS, behind httpx's transport interface.

aiohttp does the work: cancelling a call hangs up on the provider at once, also while it is still thinking. A loser
of a race, or the call of a client who left, would otherwise be generated, and billed, to its end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import lru_cache
from typing import TYPE_CHECKING, Self

import aiohttp
import httpx
from aiohttp.http_exceptions import ContentEncodingError
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Mapping

POOL_IDLE_S = 60.0
CONNECT_TIMEOUT_S = 5.0
MAX_HEADER_BYTES = 16 * 1024


def open_transport() -> httpx.AsyncBaseTransport:
    """Open the transport that every provider of this process shares; `aclose()` it at the end."""
    return PooledTransport()


class PooledTransport(httpx.AsyncBaseTransport):
    """No redirects, no proxy from the environment, no cookies; certificates are verified.

    Bodies come decompressed. The connect timeout of a request is read where httpx keeps it, in
    `request.extensions["timeout"]["connect"]` (seconds); the other limits are the caller's.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None  # opened by the first request, inside the running loop

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send and return as soon as the head is there; raise `httpx.TransportError` or `DecodingError`."""
        session = self._session = self._session or _open()
        timeouts: Mapping[str, float] = request.extensions.get("timeout", {})
        try:
            response = await session.request(
                request.method,
                _url(str(request.url)),
                headers=[(name.decode("ascii"), value.decode("ascii")) for name, value in request.headers.raw],
                data=request.read(),
                allow_redirects=False,
                timeout=_timeout(timeouts.get("connect", CONNECT_TIMEOUT_S)),
            )
        except (aiohttp.ClientError, OSError) as error:
            raise _before_the_head(error, request) from error
        return httpx.Response(response.status, headers=response.raw_headers, stream=Body(response))

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()


class Body(httpx.AsyncByteStream, AsyncIterator[bytes]):
    """A response body, one network read at a time."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    def __aiter__(self) -> Self:
        """Give each read as it comes; raise `httpx.RemoteProtocolError` when the connection cut the body short."""
        return self

    async def __anext__(self) -> bytes:
        try:
            read = await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise _in_the_body(error) from error
        if not read:
            raise StopAsyncIteration
        return read

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else close it."""
        self._response.close()


@lru_cache(maxsize=1024)
def _url(url: str) -> URL:
    return URL(url, encoded=True)


@lru_cache(maxsize=64)
def _timeout(connect: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=connect)


def _open() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=POOL_IDLE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"user-agent": "prysm"},
        timeout=_timeout(CONNECT_TIMEOUT_S),
        max_line_size=MAX_HEADER_BYTES,
        max_field_size=MAX_HEADER_BYTES,
        trust_env=False,
    )


def _before_the_head(error: Exception, request: httpx.Request) -> httpx.RequestError:
    match error:
        case aiohttp.ConnectionTimeoutError():
            return httpx.ConnectTimeout("connect timeout", request=request)
        case aiohttp.ClientConnectorError():
            return httpx.ConnectError("no connection", request=request)
        case aiohttp.ClientResponseError():
            return httpx.DecodingError("not an HTTP response", request=request)
    return httpx.RemoteProtocolError("closed without an answer", request=request)


def _in_the_body(error: Exception) -> httpx.RequestError:
    cause = error.__cause__ or error.__context__
    if isinstance(error, aiohttp.ClientPayloadError) and isinstance(cause, ContentEncodingError):
        return httpx.DecodingError("body does not decompress")
    return httpx.RemoteProtocolError("body cut short")
