"""How many retries a provider may be sent, so that they cannot double an outage.

A token bucket that requests fill and retries drain, as in Finagle (`RetryBudget`) and Envoy (retry budgets of
clusters). The reserve is the floor: without it a quiet gateway could not retry at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.resilience.port import REAL

if TYPE_CHECKING:
    from prysm.resilience.port import Clock

SHARE = 0.1
"""Retries per request, when many fail."""
RESERVE = 10.0
"""Retries that can be made at once; never more are saved up, however long all went well."""
REFILL_S = 60.0
"""How long an empty reserve takes to fill without any requests."""


class RetryBudget:
    """Over any time T with n requests, at most `RESERVE * (1 + T / REFILL_S) + SHARE * n` retries."""

    __slots__ = ("_balance", "_now", "_since")

    def __init__(self, clock: Clock = REAL) -> None:
        self._now = clock.now
        self._since = clock.now()
        self._balance = RESERVE

    def deposit(self) -> None:
        """A request was made."""
        if self._balance < RESERVE:
            self._balance += SHARE

    def withdraw(self) -> bool:
        """Whether one more retry may be made; if so it is counted."""
        now = self._now()
        filled = self._balance + (now - self._since) * RESERVE / REFILL_S
        self._balance, self._since = min(filled, RESERVE), now
        if self._balance < 1:
            return False
        self._balance -= 1
        return True
