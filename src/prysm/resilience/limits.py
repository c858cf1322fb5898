"""Keeps to what a provider accepts: calls at once, requests and tokens a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.core.chat import Completion
from prysm.errors import ProviderError
from prysm.resilience.port import REAL
from prysm.resilience.slots import Slots

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from prysm.core.chat import ModelCall, Piece
    from prysm.core.ports import Provider
    from prysm.core.provider import ProviderSpec
    from prysm.resilience.port import Clock

MINUTE_S = 60.0


class Bucket:
    """A token bucket that lends: whoever takes more than there is waits until it has filled up again.

    Since everyone takes at once and waits afterwards, waits end in the order in which they began.
    """

    __slots__ = ("_level", "_now", "_per_s", "_since", "_size")

    def __init__(self, per_minute: int, clock: Clock = REAL) -> None:
        self._size = self._level = float(per_minute)
        self._per_s = per_minute / MINUTE_S
        self._now = clock.now
        self._since = clock.now()

    def take(self, amount: float) -> float:
        """Take `amount`, and return how many seconds to wait before using it."""
        now = self._now()
        self._level = min(self._size, self._level + (now - self._since) * self._per_s) - amount
        self._since = now
        return max(0.0, -self._level / self._per_s)

    def give_back(self, amount: float) -> None:
        """Return what was not used; a negative amount was used beyond what was taken."""
        self._level += amount


class Limits:
    """A provider behind its limits. Calls wait for their turn; those whose turn is too far off fail "rate_limited".

    Too far is `first_byte_timeout_s`, or the run's deadline. A call's tokens are its prompt's, estimated, and the
    most it may answer; when it has answered, what it really used.
    """

    def __init__(self, inner: Provider, spec: ProviderSpec, clock: Clock = REAL) -> None:
        self._inner = inner
        self._clock = clock
        self._patience_s = spec.first_byte_timeout_s
        self._slots = Slots(spec.max_concurrency)
        self._requests = None if spec.rpm is None else Bucket(spec.rpm, clock)
        self._tokens = None if spec.tpm is None else Bucket(spec.tpm, clock)
        self._paced = self._requests is not None or self._tokens is not None

    @property
    def id(self) -> str:
        """The provider's name in the catalog."""
        return self._inner.id

    async def complete(self, call: ModelCall) -> Completion:
        """Answer once it is the call's turn."""
        if self._paced:
            await self._pace(call)
        if not self._slots.take():
            await self._queue(call)
        try:
            completion = await self._inner.complete(call)
        finally:
            self._slots.release()
        if self._tokens is not None:
            self._settle(self._tokens, call, completion)
        return completion

    async def stream(self, call: ModelCall) -> AsyncGenerator[Piece | Completion, None]:
        """Answer as it is written, once it is the call's turn; the slot is held until the stream ends."""
        if self._paced:
            await self._pace(call)
        if not self._slots.take():
            await self._queue(call)
        pieces = self._inner.stream(call)
        try:
            async for piece in pieces:
                if self._tokens is not None and isinstance(piece, Completion):
                    self._settle(self._tokens, call, piece)
                yield piece
        except BaseException:
            await pieces.aclose()
            raise
        finally:
            self._slots.release()

    async def _queue(self, call: ModelCall) -> None:
        if not await self._slots.wait(self._patience(call)):
            raise self._full("max_concurrency", None)

    async def _pace(self, call: ModelCall) -> None:
        """Wait until the rates allow the call; on giving up, whatever was taken goes back."""
        taken = [(bucket, amount) for bucket, amount in self._wanted(call) if bucket is not None]
        pause = max(bucket.take(amount) for bucket, amount in taken)
        try:
            await self._turn(pause, self._patience(call))
        except BaseException:
            for bucket, amount in taken:
                bucket.give_back(amount)
            raise

    async def _turn(self, pause: float, patience: float) -> None:
        if pause > patience:
            raise self._full("rpm or tpm", pause)
        if pause:
            await self._clock.sleep(pause)

    def _wanted(self, call: ModelCall) -> tuple[tuple[Bucket | None, float], ...]:
        return (self._requests, 1), (self._tokens, _worst(call))

    @staticmethod
    def _settle(tokens: Bucket, call: ModelCall, completion: Completion) -> None:
        usage = completion.usage
        if usage.prompt_tokens is not None and usage.completion_tokens is not None:
            tokens.give_back(_worst(call) - usage.prompt_tokens - usage.completion_tokens)

    def _patience(self, call: ModelCall) -> float:
        if call.until is None:
            return self._patience_s
        return max(0.0, min(self._patience_s, call.until - self._clock.now()))

    def _full(self, what: str, wait_s: float | None) -> ProviderError:
        why = f"{self.id} has no room for another call in time; raise its {what} or add a fallback model."
        return ProviderError("rate_limited", why, retry_after_s=wait_s, sent=False)


def _worst(call: ModelCall) -> int:
    return call.estimated_prompt_tokens + (call.sampling.max_tokens or 0)
