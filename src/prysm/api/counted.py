"""Requests that make no run, and count in the limits of their callers all the same, since they cost CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.api.ratelimit_headers import ratelimit_headers
from prysm.api.services import caller, services

if TYPE_CHECKING:
    from starlette.requests import Request


async def counted(request: Request) -> dict[str, str]:
    """Take one request, no tokens and no run at once; what is left of the limits, as headers of the answer.

    Raises RateLimited, and Overloaded when a limited caller cannot be counted now.
    """
    limits = caller(request).limits
    if not limits:
        return {}
    meters = await services(request).rates.request(limits)
    return {name.decode(): value.decode() for name, value in ratelimit_headers(meters)}
