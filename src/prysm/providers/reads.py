"""An answer as it comes in: bounded in time and in bytes, cut into events where it is a stream."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import httpx

from prysm.errors import ProviderError
from prysm.providers.sse import EventTooLarge, SseParser

if TYPE_CHECKING:
    from prysm.errors import FailureKind
    from prysm.providers.limits import Limits
    from prysm.providers.posting import Answer

MAX_BODY_BYTES = 32 * 1024 * 1024
DRAIN_S = 0.02


class Fail(Protocol):
    """Makes an error that names the provider; `why` continues the sentence."""

    def __call__(self, kind: FailureKind, why: str) -> ProviderError:
        """Make the error; the caller raises it."""
        ...


class Reads:
    """The body of an answer, read by read, bounded in time and in decompressed bytes."""

    __slots__ = ("_limits", "_size", "answer", "fail")

    def __init__(self, answer: Answer, limits: Limits, fail: Fail) -> None:
        self.fail = fail
        self._limits = limits
        self.answer = answer
        self._size = 0

    async def next(self, cap: int | None = None) -> bytes | None:
        """Return the next read, `None` at the end; raise `ProviderError`, also once more than the cap came."""
        limits = self._limits
        try:
            with limits:
                read = await self.answer.__anext__()
        except StopAsyncIteration:
            return None
        except (TimeoutError, httpx.HTTPError) as error:
            failed = how_it_failed(error, limits, answered=True)
        else:
            limits.heard = True
            self._size += len(read)
            if self._size > (cap or MAX_BODY_BYTES):
                raise self.fail(
                    "too_large", f"sent more than {cap or MAX_BODY_BYTES} bytes; ask for a shorter answer"
                )
            return read
        raise self.fail(*failed)

    async def whole(self, cap: int | None = None) -> bytes:
        """Read to the end, at most `cap` bytes (`MAX_BODY_BYTES` by default)."""
        parts = []
        while (part := await self.next(cap)) is not None:
            parts.append(part)
            if self.answer.over:  # nearly always with the first
                break
        return b"".join(parts)

    async def drain(self) -> None:
        """Read the end of a finished stream if it is there, so that the connection can be used again."""
        if self.answer.over:  # nearly always
            return
        try:
            async with asyncio.timeout(DRAIN_S):
                while await self.next() is not None:
                    pass
        except (TimeoutError, ProviderError):
            return

    async def aclose(self) -> None:
        """Give the connection back if all was read, else close it."""
        self._limits.close()
        await self.answer.aclose()


class EventReads(Reads):
    """A streamed answer, whose reads are cut into events."""

    __slots__ = ("_parser",)

    def __init__(self, answer: Answer, limits: Limits, fail: Fail) -> None:
        super().__init__(answer, limits, fail)
        self._parser = SseParser()

    def events(self, read: bytes) -> list[bytes]:
        """Return the data of the events that a read completed, maybe none; raise `ProviderError`."""
        try:
            return self._parser.feed(read)
        except EventTooLarge:
            pass
        raise self.fail("too_large", "sent one event that is too large; ask for a shorter answer")


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
