"""The yardstick: a Starlette handler that forwards a request over the gateway's own transport, and does no more.

A streamed answer it relays as it comes, read by read, without a look at it.

It forwards to the URL in `BENCH_UPSTREAM`.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypedDict, cast

import httpx
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from prysm.providers.transport import open_transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

URL = httpx.URL(os.environ["BENCH_UPSTREAM"])
HEADERS = httpx.Headers({"content-type": "application/json"})


class State(TypedDict):
    """What a request finds in `request.state`."""

    transport: httpx.AsyncBaseTransport


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[State]:
    """Open one transport for all requests."""
    transport = open_transport()
    try:
        yield {"transport": transport}
    finally:
        await transport.aclose()


async def forward(request: Request) -> Response:
    """Send the body on and the answer back."""
    transport: httpx.AsyncBaseTransport = request.state.transport
    sent = httpx.Request("POST", URL, headers=HEADERS, content=await request.body())
    answer = await transport.handle_async_request(sent)
    media = answer.headers["content-type"]
    if media == "text/event-stream":
        return StreamingResponse(_relayed(answer), answer.status_code, media_type=media)
    parts = [part async for part in _relayed(answer)]
    return Response(b"".join(parts), answer.status_code, media_type=media)


async def _relayed(answer: httpx.Response) -> AsyncIterator[bytes]:
    async for part in cast("httpx.AsyncByteStream", answer.stream):
        yield part
    await answer.aclose()


app = Starlette(routes=[Route("/v1/chat/completions", forward, methods=["POST"])], lifespan=lifespan)
