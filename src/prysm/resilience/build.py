"""Puts the wrappers around a provider, in the one order that is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.resilience.breaker import Breaker
from prysm.resilience.hedge import Hedge
from prysm.resilience.limits import Limits
from prysm.resilience.port import REAL
from prysm.resilience.retry import Retry
from prysm.resilience.retry_budget import RetryBudget

if TYPE_CHECKING:
    from prysm.core.ports import Provider
    from prysm.core.provider import ProviderSpec
    from prysm.resilience.port import Clock, Watch


def resilient(provider: Provider, spec: ProviderSpec, watch: Watch, clock: Clock = REAL) -> Provider:
    """Wrap a provider as its settings say.

    From the inside: limits, so that only calls that are made take a place; the breaker outside of them, so that what
    it refuses does not queue; the hedge, whose two calls each pass the breaker; the retries, each of them a new try
    for all of these.
    """
    budget = RetryBudget(clock)
    wrapped: Provider = Limits(provider, spec, clock)
    if spec.breaker:
        wrapped = Breaker(wrapped, watch, clock)
    if spec.hedge_after_ms is not None:
        wrapped = Hedge(wrapped, spec.hedge_after_ms / 1000, budget, watch, clock)
    return Retry(wrapped, spec, budget, watch, clock)
