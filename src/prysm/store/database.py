"""All that the gateway holds open to Postgres."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import asyncpg

from prysm.store.committer import GroupCommitter
from prysm.store.connection import CONNECT_TIMEOUT_S, DATABASE_ERRORS
from prysm.store.feedback import FeedbackStore
from prysm.store.receipts import ReceiptStore
from prysm.store.responses import ResponseStore

if TYPE_CHECKING:
    from prysm.store.connection import Pool

POOL_SIZE = 4
CLOSE_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Database:
    """The committer for the seal path and a small pool for everything else."""

    committer: GroupCommitter
    receipts: ReceiptStore
    feedback: FeedbackStore
    responses: ResponseStore
    pool: Pool

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect to a migrated database, waiting some seconds for one that is still starting.

        Raises ConfigError when it cannot be reached or is not migrated; the message never holds the URL.
        """
        committer = await GroupCommitter.open(url)
        pool = await asyncpg.create_pool(url, min_size=0, max_size=POOL_SIZE, timeout=CONNECT_TIMEOUT_S)
        return cls(committer, ReceiptStore(pool), FeedbackStore(pool), ResponseStore(pool), pool)

    async def close(self) -> None:
        """Store what is queued, then disconnect."""
        await self.committer.close()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self.pool.close()
        except DATABASE_ERRORS:
            self.pool.terminate()
