"""The process's one way out: pooled HTTP/1.1 over TLS, behind httpx's transport interface.

pyreqwest (Rust) does the work. Its own httpx adapter does not fit here: it holds back up to 64 KiB of a stream,
lets raw errors out of a body, and costs twice the CPU.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

import httpx
from pyreqwest import exceptions
from pyreqwest.client import ClientBuilder

if TYPE_CHECKING:
    from pyreqwest.client import Client
    from pyreqwest.request import StreamRequest
    from pyreqwest.response import Response

CONNECT_TIMEOUT_S = 5.0
POOL_IDLE_S = 60.0
LAST_RESORT_S = 600.0
CUT = "error reading a body from connection"
DROPPED = "connection closed before message completed"


def open_transport() -> httpx.AsyncBaseTransport:
    """Open the transport that every provider of this process shares; `aclose()` it at the end."""
    return PooledTransport()


class PooledTransport(httpx.AsyncBaseTransport):
    """No redirects, no proxy from the environment, no cookies; certificates are verified.

    Bodies come decompressed. The connect timeout of a request is read where httpx keeps it, in
    `request.extensions["timeout"]["connect"]` (seconds); the other limits are the caller's.
    """

    def __init__(self) -> None:
        self._clients: dict[float, Client] = {}  # by connect timeout, which only a whole client can have

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send and return as soon as the head is there; raise `httpx.TransportError` or `DecodingError`."""
        timeouts: dict[str, float] = request.extensions.get("timeout", {})
        exchange = (
            self._client(timeouts.get("connect", CONNECT_TIMEOUT_S))
            .request(request.method, str(request.url))
            .headers(request.headers.multi_items())
            .body_bytes(request.read())
            .timeout(timedelta(seconds=timeouts.get("read", LAST_RESORT_S)))
            .streamed_read_buffer_limit(0)
            .build_streamed()
        )
        try:
            response = await exchange.__aenter__()
        except exceptions.PyreqwestError as error:
            raise _before_the_head(error, request) from error
        headers = list(response.headers.items())
        return httpx.Response(response.status, headers=headers, stream=Body(exchange, response))

    async def aclose(self) -> None:
        """Close idle connections and refuse new requests."""
        for client in self._clients.values():
            await client.close()

    def _client(self, connect_timeout_s: float) -> Client:
        client = self._clients.get(connect_timeout_s)
        if client is None:
            client = self._clients[connect_timeout_s] = _build(connect_timeout_s)
        return client


class Body(httpx.AsyncByteStream, AsyncIterator[bytes]):
    """A response body, one network read at a time."""

    def __init__(self, exchange: StreamRequest, response: Response) -> None:
        self._exchange = exchange
        self._reader = response.body_reader

    def __aiter__(self) -> Self:
        """Give each read as it comes; raise `httpx.RemoteProtocolError` when the connection cut the body short."""
        return self

    async def __anext__(self) -> bytes:
        try:
            read = await self._reader.read_chunk()
        except exceptions.PyreqwestError as error:
            raise _in_the_body(error) from error
        if read is None:
            raise StopAsyncIteration
        return bytes(read)

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else close it."""
        await self._exchange.__aexit__(None, None, None)


def _build(connect_timeout_s: float) -> Client:
    return (
        ClientBuilder()
        .no_proxy()
        .follow_redirects(enable=False)
        .connect_timeout(timedelta(seconds=connect_timeout_s))
        .pool_idle_timeout(timedelta(seconds=POOL_IDLE_S))
        .tcp_nodelay(enabled=True)
        .user_agent("prysm")
        .build()
    )


def _causes(error: exceptions.PyreqwestError) -> str:
    details: Any = getattr(error, "details", None) or {}
    return " ".join(cause["message"] for cause in details.get("causes") or ())


def _before_the_head(error: exceptions.PyreqwestError, request: httpx.Request) -> httpx.RequestError:
    causes = _causes(error)
    if isinstance(error, exceptions.ConnectTimeoutError):
        return httpx.ConnectTimeout("connect timeout", request=request)
    if isinstance(error, exceptions.RequestTimeoutError):
        return httpx.ReadTimeout("no head in time", request=request)
    if isinstance(error, exceptions.ConnectError) and DROPPED not in causes:
        return httpx.ConnectError("no connection", request=request)
    if isinstance(error, exceptions.DecodeError):
        return httpx.DecodingError("not an HTTP response", request=request)
    return httpx.RemoteProtocolError("closed without an answer", request=request)


def _in_the_body(error: exceptions.PyreqwestError) -> httpx.RequestError:
    if isinstance(error, exceptions.RequestTimeoutError):
        return httpx.ReadTimeout("body not read in time")
    if isinstance(error, exceptions.DecodeError) and CUT not in _causes(error):
        return httpx.DecodingError("body does not decompress")
    return httpx.RemoteProtocolError("body cut short")
