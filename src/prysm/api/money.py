"""Dollars on the wire, exact to the nano-dollar in both directions."""

from __future__ import annotations

from decimal import Decimal

from prysm.core.model import NANO_PER_USD
from prysm.errors import InvalidRequest


def nano_of(usd: float, field: str) -> int:
    """A JSON number of dollars as integer nano-dollars; raises `InvalidRequest` for one that is finer than that."""
    nano = Decimal(repr(usd)) * NANO_PER_USD
    if nano % 1:
        raise InvalidRequest(f"'{field}': give at most 9 decimals, which is a nano-dollar.", param=field)
    return int(nano)


def exact(nano: int) -> str:
    """Nano-dollars as a decimal string of dollars with all nine places."""
    whole, part = divmod(abs(nano), NANO_PER_USD)
    return f"{'-' if nano < 0 else ''}{whole}.{part:09d}"
