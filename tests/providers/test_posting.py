"""Our transport read without httpx's objects says what httpx would have said."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.providers.upstream import answer

from prysm.providers.posting import posting
from prysm.providers.transport import PooledTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.providers.upstream import Upstream

HEADERS = httpx.Headers({"host": "acme.test", "authorization": "Bearer k"})


@pytest.fixture
async def pool() -> AsyncIterator[PooledTransport]:
    async with PooledTransport() as transport:
        yield transport


@pytest.mark.parametrize(
    "head",
    [
        b"x-it: one",
        b"x-it: one\r\nX-It: two",
        b"x-it: \xe9\xa0",
        b"x-it: \xc3\xa9",
        b"x-it: one\r\nx-other: \xe9",
        b"x-other: one",
        b"x-it:",
    ],
)
async def test_a_header_is_read_as_httpx_reads_it(head: bytes, upstream: Upstream, pool: PooledTransport) -> None:
    upstream.plays(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n" + head + b"\r\n\r\n")
    body = await posting(pool, upstream.url, HEADERS, {})(b"{}")
    whole = await pool.handle_async_request(httpx.Request("POST", upstream.url, content=b"{}"))
    assert body.header("x-it") == whole.headers.get("x-it")


async def test_what_is_sent_is_the_same_over_any_transport(upstream: Upstream, pool: PooledTransport) -> None:
    upstream.plays(answer(b"{}"))
    for transport in (pool, Other(pool)):
        got = await posting(transport, upstream.url, HEADERS, {})(b'{"a": 1}')
        assert (got.status, got.header("content-length"), await got.__anext__()) == (200, "2", b"{}")
        await got.aclose()
    first, second = upstream.seen
    assert first == second
    assert first.headers["authorization"] == "Bearer k"


async def test_a_packed_body_is_over_when_all_of_it_was_unpacked(upstream: Upstream, pool: PooledTransport) -> None:
    text = b"x" * 1_000_000
    upstream.plays(answer(gzip.compress(text), content_encoding="gzip"))
    body = await posting(pool, upstream.url, HEADERS, {})(b"{}")
    parts = [await body.__anext__()]
    while not body.over:
        parts.append(await body.__anext__())
    assert b"".join(parts) == text
    assert len(parts) > 1


async def test_an_error_of_the_transport_names_the_request(pool: PooledTransport) -> None:
    request = httpx.Request("GET", "http://127.0.0.1:1/")
    with pytest.raises(httpx.ConnectError) as caught:
        await pool.handle_async_request(request)
    assert caught.value.request is request


class Other(httpx.AsyncBaseTransport):
    """Not ours, as far as anyone can see."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass it on."""
        return await self._inner.handle_async_request(request)
