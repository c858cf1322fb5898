"""How a limit says no, whichever store counts it."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from prysm.errors import RateLimited

if TYPE_CHECKING:
    from prysm.core.payer import Meter

_WHAT = {"requests": "requests a minute", "tokens": "tokens a minute", "runs": "requests at once"}


def reached(kind: str, limit: int, wait_s: float, meters: tuple[Meter, ...]) -> RateLimited:
    """The error of a run that a limit refuses; `wait_s` is when there may be room again."""
    limited = RateLimited(f"The limit of {limit} {_WHAT[kind]} is reached; wait {max(1, ceil(wait_s))} s.")
    limited.retry_after_s = wait_s
    limited.meters = meters
    return limited
