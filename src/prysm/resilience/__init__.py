"""Around every provider: retries, a breaker, limits and, where wanted, a hedge. Each is itself a `Provider`."""

from __future__ import annotations

from prysm.resilience.build import resilient
from prysm.resilience.port import Clock, Watch

__all__ = ["Clock", "Watch", "resilient"]
