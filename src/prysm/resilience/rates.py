"""What a provider accepts a minute: requests, tokens, or both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.resilience.port import REAL

if TYPE_CHECKING:
    from prysm.resilience.port import Clock

MINUTE_S = 60.0
INSTANT_S = 1e-6
"""Less is no pause: timers and sums of fractions are not as exact as that."""


class Bucket:
    """A token bucket. It holds a minute's worth and, when it is full, lends one taking of any size."""

    __slots__ = ("_level", "_now", "_per_s", "_since", "_size")

    def __init__(self, per_minute: int, clock: Clock = REAL) -> None:
        self._size = self._level = float(per_minute)
        self._per_s = per_minute / MINUTE_S
        self._now = clock.now
        self._since = clock.now()

    def pause(self, amount: float, before: float = 0.0) -> float:
        """Seconds until `amount` may be taken, if `before` is taken before it."""
        now = self._now()
        self._level = min(self._size, self._level + (now - self._since) * self._per_s)
        self._since = now
        pause = (before + min(amount, self._size) - self._level) / self._per_s
        return pause if pause > INSTANT_S else 0.0

    def take(self, amount: float) -> None:
        """Take `amount`; a negative one was taken and not used."""
        self._level -= amount


class Rates:
    """A bucket of requests and one of tokens; a call needs both to have enough. One that is None has no end."""

    __slots__ = ("_requests", "_tokens")

    def __init__(self, rpm: int | None, tpm: int | None, clock: Clock = REAL) -> None:
        self._requests = None if rpm is None else Bucket(rpm, clock)
        self._tokens = None if tpm is None else Bucket(tpm, clock)

    def pause(self, tokens: float, calls_before: int = 0, tokens_before: float = 0.0) -> float:
        """Seconds until a call of `tokens` may go, after as many others with so many tokens in all."""
        pause = 0.0 if self._requests is None else self._requests.pause(1, calls_before)
        return pause if self._tokens is None else max(pause, self._tokens.pause(tokens, tokens_before))

    def take(self, tokens: float, requests: int = 1) -> None:
        """Take what a call needs; negative amounts were taken and not used."""
        if self._requests is not None:
            self._requests.take(requests)
        if self._tokens is not None:
            self._tokens.take(tokens)
