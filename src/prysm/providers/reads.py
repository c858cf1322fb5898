"""An answer as it comes in: bounded in time and in bytes, cut into events where it is a stream."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast

import httpx

from prysm.errors import ProviderError
from prysm.providers.sse import EventTooLarge, SseParser
from prysm.providers.transport import Body

if TYPE_CHECKING:
    from prysm.errors import FailureKind
    from prysm.providers.limits import Limits

MAX_BODY_BYTES = 32 * 1024 * 1024
DRAIN_S = 0.02


class Fail(Protocol):
    """Makes an error that names the provider; `why` continues the sentence."""

    def __call__(self, kind: FailureKind, why: str) -> ProviderError:
        """Make the error; the caller raises it."""
        ...


class Reads:
    """A response body, read by read, bounded in time and in decompressed bytes."""

    __slots__ = ("_body", "_limits", "_size", "_stream", "fail")

    def __init__(self, response: httpx.Response, limits: Limits, fail: Fail) -> None:
        self.fail = fail
        self._limits = limits
        self._body = cast("httpx.AsyncByteStream", response.stream)
        self._stream = aiter(self._body)
        self._size = 0

    @property
    def over(self) -> bool:
        """Whether the transport knows that nothing is left to read."""
        return isinstance(self._stream, Body) and self._stream.over

    async def next(self) -> bytes | None:
        """Return the next read, `None` at the end; raise `ProviderError`."""
        try:
            with self._limits:
                read = await anext(self._stream, None)
        except (TimeoutError, httpx.HTTPError) as error:
            failed = how_it_failed(error, self._limits, answered=True)
        else:
            self._limits.heard = True
            if read is not None:
                self._count(read, MAX_BODY_BYTES)
            return read
        raise self.fail(*failed)

    async def whole(self, cap: int | None = None) -> bytes:
        """Read to the end, at most `cap` bytes (`MAX_BODY_BYTES` by default)."""
        parts = []
        try:
            with self._limits:
                while (part := await anext(self._stream, None)) is not None:
                    self._limits.heard = True
                    parts.append(part)
                    self._count(part, cap or MAX_BODY_BYTES)
                    self._limits.extend()
        except (TimeoutError, httpx.HTTPError) as error:
            failed = how_it_failed(error, self._limits, answered=True)
        else:
            return b"".join(parts)
        raise self.fail(*failed)

    async def aclose(self) -> None:
        """Give the connection back if all was read, else close it."""
        self._limits.close()
        await self._body.aclose()  # the response's own `aclose` would do the same by way of a context manager

    def _count(self, part: bytes, cap: int) -> None:
        """Raise `ProviderError` once more than `cap` bytes came."""
        self._size += len(part)
        if self._size > cap:
            raise self.fail("too_large", f"sent more than {cap} bytes; ask for a shorter answer")


class EventReads:
    """The events of a streamed answer, all that one network read completed at a time."""

    __slots__ = ("_parser", "_reads", "aclose")

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self.aclose = reads.aclose
        self._parser = SseParser()

    async def next(self) -> list[bytes] | None:
        """Return the data of the next read's events, maybe none, `None` at a clean end; raise `ProviderError`."""
        read = await self._reads.next()
        if read is None:
            return None
        try:
            return self._parser.feed(read)
        except EventTooLarge:
            pass
        raise self._reads.fail("too_large", "sent one event that is too large; ask for a shorter answer")

    async def drain(self) -> None:
        """Read the end of a finished stream if it is there, so that the connection can be used again."""
        if self._reads.over:  # nearly always
            return
        try:
            async with asyncio.timeout(DRAIN_S):
                while await self._reads.next() is not None:
                    pass
        except (TimeoutError, ProviderError):
            return


def how_it_failed(error: Exception, limits: Limits, *, answered: bool) -> tuple[FailureKind, str]:
    """Type a failure of the transport; nothing of its text is kept."""
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return "connect", "could not be reached; check its base_url and the network"
        case TimeoutError() | httpx.TimeoutException():
            return "timeout", limits.which()
        case httpx.DecodingError():
            return "malformed", "sent bytes that cannot be decoded; check its base_url"
    if answered:
        return "truncated", "cut its answer short; try again or choose another model"
    return "truncated", "hung up without an answer; try again or choose another model"
