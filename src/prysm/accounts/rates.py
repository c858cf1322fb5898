"""Where the limits of keys and organisations are counted: in Postgres, as part of admission, or in a Redis."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prysm.store.redis_rates import RedisRates


@asynccontextmanager
async def rates(redis_url: str | None) -> AsyncIterator[RedisRates | None]:
    """The Redis to count in; None leaves it to admission. Raises ConfigError like `RedisRates`."""
    if redis_url is None:
        yield None
        return
    from prysm.store.redis_rates import RedisRates  # noqa: PLC0415 - 27 MB, for those who use it

    async with RedisRates(redis_url) as opened:
        yield opened
