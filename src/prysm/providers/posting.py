"""Posts over any of httpx's transports; over ours without httpx's objects, which cost more than all else above it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

import httpx

from prysm.providers.transport import PooledTransport, Ready

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    Post: TypeAlias = Callable[[bytes], Coroutine[object, object, "Answer"]]
    """Sends a body, and returns as soon as the head of the answer is there; raises `httpx.HTTPError`."""


class Answer(Protocol):
    """An answer, to be closed: its head, and its body one network read at a time."""

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def over(self) -> bool:
        """Whether nothing is left to read, as far as the transport knows."""
        ...

    def header(self, name: str) -> str | None:
        """A header; one that was sent more than once is joined by commas."""
        ...

    def __anext__(self) -> Awaitable[bytes]:
        """The next read."""
        ...

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else close it."""
        ...


class Foreign:
    """An answer over another transport than ours."""

    over = False

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self._headers: Mapping[str, str] = response.headers
        self._stream = cast("httpx.AsyncByteStream", response.stream)
        self._reads = aiter(self._stream)

    def header(self, name: str) -> str | None:
        """A header of its head."""
        return self._headers.get(name)

    def __anext__(self) -> Awaitable[bytes]:
        """The next read."""
        return anext(self._reads)

    async def aclose(self) -> None:
        """Close the body; the response's own `aclose` would do the same by way of a context manager."""
        await self._stream.aclose()


def posting(
    transport: httpx.AsyncBaseTransport, url: str, headers: httpx.Headers, extensions: dict[str, Any]
) -> Post:
    """Make ready to post to one URL."""
    request = partial(httpx.Request, "POST", httpx.URL(url), headers=headers, extensions=extensions)
    # With `content=` in place of `stream=` httpx would build the headers anew.
    if isinstance(transport, PooledTransport):
        return partial(transport.send, Ready(request(stream=httpx.ByteStream(b""))))

    async def post(content: bytes) -> Answer:
        return Foreign(await transport.handle_async_request(request(stream=httpx.ByteStream(content))))

    return post
