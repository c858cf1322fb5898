"""An answer as it comes in: bounded in time and in bytes, cut into events where it is a stream."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, cast

import httpx

from prysm.errors import ProviderError
from prysm.providers.sse import EventTooLarge, SseEvent, SseParser

if TYPE_CHECKING:
    from prysm.core.provider import ProviderSpec
    from prysm.errors import FailureKind

MAX_BODY_BYTES = 32 * 1024 * 1024
DRAIN_S = 0.02


class Fail(Protocol):
    """Makes an error that names the provider; `why` continues the sentence."""

    def __call__(self, kind: FailureKind, why: str) -> ProviderError:
        """Make the error; the caller raises it."""
        ...


class Limits:
    """The time limits of one call: the total, the first byte, the silence between two reads.

    The first byte of an answer that is not streamed comes when the model has finished, so only the total bounds it.
    """

    __slots__ = ("_end", "_first", "_first_s", "_spec", "_time", "heard")

    def __init__(self, spec: ProviderSpec, *, streamed: bool) -> None:
        self._spec = spec
        self._time = asyncio.get_running_loop().time
        self._end = self._time() + spec.timeout_s
        self._first_s = spec.first_byte_timeout_s if streamed else spec.timeout_s
        self._first: float | None = None
        self.heard = False

    def whole_call(self) -> asyncio.Timeout:
        """Bound what is left of the whole call."""
        return asyncio.timeout_at(self._end)

    def next_byte(self) -> asyncio.Timeout:
        """Bound the wait for the next byte; the wait for the first begins when this is first asked."""
        return asyncio.timeout_at(self.until())

    def until(self) -> float:
        """When the wait for the next byte is over, on the loop's clock."""
        now = self._time()
        if self.heard:
            return min(now + self._spec.idle_timeout_s, self._end)
        if self._first is None:
            self._first = min(now + self._first_s, self._end)
        return self._first

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

    __slots__ = ("_limits", "_size", "_stream", "fail")

    def __init__(self, response: httpx.Response, limits: Limits, fail: Fail) -> None:
        self.fail = fail
        self._limits = limits
        self._stream = aiter(cast("httpx.AsyncByteStream", response.stream))
        self._size = 0

    async def next(self) -> bytes | None:
        """Return the next read, `None` at the end; raise `ProviderError`."""
        try:
            async with self._limits.next_byte():
                read = await anext(self._stream, None)
            self._limits.heard = True
        except (TimeoutError, httpx.HTTPError) as error:
            failed = how_it_failed(error, self._limits, answered=True)
        else:
            return read
        raise self.fail(*failed)

    async def whole(self, cap: int | None = None) -> bytes:
        """Read to the end, at most `cap` bytes (`MAX_BODY_BYTES` by default), under one clock that is set anew."""
        parts = []
        try:
            async with self._limits.next_byte() as clock:
                while (part := await anext(self._stream, None)) is not None:
                    self._limits.heard = True
                    parts.append(part)
                    self.count(part, cap)
                    clock.reschedule(self._limits.until())
        except (TimeoutError, httpx.HTTPError) as error:
            failed = how_it_failed(error, self._limits, answered=True)
        else:
            return b"".join(parts)
        raise self.fail(*failed)

    def count(self, part: bytes, cap: int | None = None) -> None:
        """Raise `ProviderError` once more than `cap` bytes came."""
        self._size += len(part)
        if self._size > (cap or MAX_BODY_BYTES):
            raise self.fail("too_large", f"sent more than {cap or MAX_BODY_BYTES} bytes; ask for a shorter answer")


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
        self._reads.count(read)
        with suppress(EventTooLarge):
            return self._parser.feed(read)
        raise self._reads.fail("too_large", "sent one event that is too large; ask for a shorter answer")

    async def drain(self) -> None:
        """Read the end of a finished stream if it is there, so that the connection can be used again."""
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
    return "unavailable", "hung up without an answer; try again or choose another model"
