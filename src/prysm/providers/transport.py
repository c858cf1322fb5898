"""The process's one way out: pooled HTTP/1.1 over TLS, behind httpx's transport interface.

aiohttp does the work: cancelling a call hangs up on the provider at once, also while it is still thinking. A loser
of a race, or the call of a client who left, would otherwise be generated, and billed, to its end.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Self

import aiohttp
import httpx
from aiohttp.client_proto import ResponseHandler
from aiohttp.hdrs import CONTENT_ENCODING
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict
from yarl import URL

from prysm.providers.encoding import Undecodable, unpacker

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from aiohttp.connector import Connection
    from aiohttp.http import RawResponseMessage
    from aiohttp.tracing import Trace

    from prysm.providers.encoding import Unpacker

POOL_IDLE_S = 60.0
CONNECT_TIMEOUT_S = 5.0
MAX_HEADER_BYTES = 16 * 1024
MAX_HEADERS = 128
MAX_UNCLEAN = 8
MAX_WAITING_HEADS = 16


def open_transport() -> httpx.AsyncBaseTransport:
    """Open the transport that every provider of this process shares; `aclose()` it at the end."""
    return PooledTransport()


class PooledTransport(httpx.AsyncBaseTransport):
    """No redirects, no cookies, no proxy but `request.extensions["proxy"]`; certificates are verified.

    Bodies come unpacked, in pieces of bounded size. The connect timeout of a request is read where httpx keeps it, in
    `request.extensions["timeout"]["connect"]` (seconds); the other limits are the caller's.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None  # opened by the first request, inside the running loop

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send and return as soon as the head is there; raise `httpx.TransportError` or `DecodingError`."""
        try:
            body = await self.send(Ready(request), request.read())
        except httpx.RequestError as error:
            error.request = request
            raise
        return httpx.Response(body.status, headers=body.raw_headers, stream=body)

    async def send(self, ready: Ready, content: bytes) -> Body:
        """Send a request that was made ready, with this for a body: the same without the cost of httpx's objects."""
        session = self._session = self._session or _open()
        try:
            response = await session.request(
                ready.method,
                ready.url,
                headers=ready.headers,
                data=content,
                allow_redirects=False,
                proxy=ready.proxy,
                timeout=ready.timeout,
            )
        except (aiohttp.ClientError, OSError) as error:
            raise _before_the_head(error) from error
        return _body(response)

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()


class Ready:
    """A request as aiohttp takes it, but for the body; what is sent often is made ready once."""

    __slots__ = ("headers", "method", "proxy", "timeout", "url")

    def __init__(self, request: httpx.Request) -> None:
        timeouts: Mapping[str, float] = request.extensions.get("timeout", {})
        self.method = request.method
        self.url = _url(str(request.url))
        self.headers = CIMultiDict(
            (name.decode("ascii"), value.decode("ascii")) for name, value in request.headers.raw
        )
        self.proxy: str | None = request.extensions.get("proxy")
        self.timeout = _timeout(timeouts.get("connect", CONNECT_TIMEOUT_S))


class Body(httpx.AsyncByteStream, AsyncIterator[bytes]):
    """A response body, one network read at a time, and what the head said of it."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status

    @property
    def raw_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The headers as they came."""
        return self._response.raw_headers

    def header(self, name: str) -> str | None:
        """A header as httpx reads it; where there is one of the name, in ASCII, that is how aiohttp reads it too."""
        values = self._response.headers.getall(name, ())
        if len(values) == 1 and values[0].isascii():
            return values[0]
        read: str | None = httpx.Headers(self.raw_headers).get(name) if values else None
        return read

    def __aiter__(self) -> Self:
        """Give each read as it comes; raise `httpx.RemoteProtocolError` when the connection cut the body short."""
        return self

    async def __anext__(self) -> bytes:
        try:
            read = await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise httpx.RemoteProtocolError("body cut short") from error
        if not read:
            raise StopAsyncIteration
        return read

    @property
    def over(self) -> bool:
        """Whether its end is there, with nothing left to read: then the connection is given back already."""
        return self._response.content.at_eof()

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else close it."""
        self._response.close()


class PackedBody(Body):
    """A body in an encoding, a bounded piece of what it unpacks to at a time."""

    def __init__(self, response: aiohttp.ClientResponse, unpacks: Unpacker) -> None:
        super().__init__(response)
        self._unpacks = unpacks

    @property
    def over(self) -> bool:
        """Whether its end is there, and all of it unpacked and taken."""
        return super().over and self._unpacks.finished and not self._unpacks.waiting

    async def __anext__(self) -> bytes:
        try:
            piece = self._unpacks.take() if self._unpacks.waiting else b""
            while not piece:
                piece = self._unpacks.take(await super().__anext__())
        except Undecodable as error:
            raise httpx.DecodingError("body does not unpack") from error
        except StopAsyncIteration:
            if self._unpacks.finished:
                raise
            raise httpx.RemoteProtocolError("packed body cut short") from None
        return piece


def _body(response: aiohttp.ClientResponse) -> Body:
    encoding = response.headers.get(CONTENT_ENCODING)
    if encoding is None:
        return Body(response)
    try:
        unpacks = unpacker(encoding)
    except Undecodable as error:
        response.close()
        raise httpx.DecodingError("encoded in a way that was not asked for") from error
    return PackedBody(response, unpacks) if unpacks else Body(response)


@lru_cache(maxsize=1024)
def _url(url: str) -> URL:
    return URL(url, encoded=True)


@lru_cache(maxsize=64)
def _timeout(connect: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=connect)


class Connector(aiohttp.TCPConnector):
    """Gives no connection out again on which something came that nobody had asked for.

    aiohttp would read it as the answer to the next request, which may be another caller's.
    """

    def __init__(self) -> None:
        super().__init__(limit=0, keepalive_timeout=POOL_IDLE_S, ssl=ssl.create_default_context())
        self._factory = partial(_heads, loop=self._loop)

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> Connection:
        """Connect, or take a connection from the pool that is as quiet as a new one."""
        for _ in range(MAX_UNCLEAN):
            connection = await super().connect(req, traces, timeout)
            if connection.protocol is None or not connection.protocol.should_close:
                return connection
            connection.close()
        raise aiohttp.ServerDisconnectedError


class Heads(ResponseHandler):
    """Hangs up on a flood of heads: "103 Early Hints" for ever would keep the loop busy for seconds on end."""

    def feed_data(self, data: tuple[RawResponseMessage, aiohttp.StreamReader], size: int = 0) -> None:
        """Queue a head for whoever waits for it."""
        if len(self) < MAX_WAITING_HEADS:
            super().feed_data(data, size)
        elif self.transport is not None:
            self.set_exception(HttpProcessingError(message="too many heads"))
            self.transport.abort()


def _heads(loop: asyncio.AbstractEventLoop) -> ResponseHandler:
    return Heads(loop)


def _open() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=Connector(),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"user-agent": "prysm", "accept-encoding": "identity"},
        auto_decompress=False,  # what it unpacks, and how far, depends on what is installed
        timeout=_timeout(CONNECT_TIMEOUT_S),
        max_line_size=MAX_HEADER_BYTES,
        max_field_size=MAX_HEADER_BYTES,
        max_headers=MAX_HEADERS,
        trust_env=False,
    )


def _before_the_head(error: Exception) -> httpx.RequestError:
    match error:
        case aiohttp.ConnectionTimeoutError():
            return httpx.ConnectTimeout("connect timeout")
        case aiohttp.ClientConnectorError() | aiohttp.ClientHttpProxyError():
            return httpx.ConnectError("no connection")
        case aiohttp.ClientResponseError():
            return httpx.DecodingError("not an HTTP response")
    return httpx.RemoteProtocolError("closed without an answer")
