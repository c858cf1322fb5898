"""Connections for reads that anybody may make, without a key and as many at once as they like."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

from prysm.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prysm.store.connection import Connection, Pool

MOST = 256
"""Reads under way or waiting for a connection; one takes about a millisecond."""


class Turns:
    """Lends the connections of a pool in turn. Who would have to wait behind too many is told to come back."""

    def __init__(self, pool: Pool, most: int = MOST) -> None:
        self._pool = pool
        self._most = most
        self._here = 0

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """Lend a connection for the block. Raises Overloaded, and what connecting raises."""
        if self._here >= self._most:
            crowded = Overloaded("Too many are reading receipts and the log now: ask again in a moment.")
            crowded.retry_after_s = 1.0
            raise crowded
        self._here += 1
        try:
            async with self._pool.acquire() as lent:
                yield cast("Connection", lent)  # a proxy with the same methods
        finally:
            self._here -= 1
