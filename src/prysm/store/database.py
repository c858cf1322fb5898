"""What the gateway reads from Postgres, and what it writes apart from receipts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, cast

import asyncpg

from prysm.store.connection import CONNECT_TIMEOUT_S, DATABASE_ERRORS
from prysm.store.feedback import FeedbackStore
from prysm.store.log.reader import LogReader
from prysm.store.receipts import ReceiptStore
from prysm.store.responses import ResponseStore
from prysm.store.turns import Turns

if TYPE_CHECKING:
    from prysm.store.connection import Pool

POOL_SIZE = 4
VITAL = 3
"""Connections for the lease, the reaper and the ping: no reader may hold them up, nor they each other."""
CLOSE_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Database:
    """Small pools, and what is read and written over them. Receipts are written by the `Notary`, which is lent `pool`.

    What strangers may read has a pool of its own, so that they can only keep each other waiting.
    """

    receipts: ReceiptStore
    log: LogReader
    feedback: FeedbackStore
    responses: ResponseStore
    pool: Pool
    others: tuple[Pool, ...]

    @classmethod
    async def open(cls, url: str) -> Self:
        """Make the pools; they connect when they are first used."""
        vital, keyed, public = [await _pool(url, size) for size in (VITAL, POOL_SIZE, POOL_SIZE)]
        turns = cast("Pool", Turns(public))  # the stores below only acquire
        receipts = ReceiptStore(turns, vital)
        return cls(receipts, LogReader(turns), FeedbackStore(keyed), ResponseStore(keyed), vital, (keyed, public))

    async def close(self) -> None:
        """Disconnect."""
        await asyncio.gather(*map(_close, (self.pool, *self.others)))


async def _pool(url: str, size: int) -> Pool:
    return await asyncpg.create_pool(url, min_size=0, max_size=size, timeout=CONNECT_TIMEOUT_S)


async def _close(pool: Pool) -> None:
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await pool.close()
    except DATABASE_ERRORS:
        pool.terminate()
