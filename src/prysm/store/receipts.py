"""Read receipts back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prysm.errors import ProofUnavailable
from prysm.proof.sealed import Sealed
from prysm.store.connection import DATABASE_ERRORS, retrying

if TYPE_CHECKING:
    from uuid import UUID

    from asyncpg import Record

    from prysm.store.connection import Pool

PING_TIMEOUT_S = 1.0
READ_TIMEOUT_S = 5.0
PATIENCE_S = 2.0  # the pool may hand out a connection that is about to find out that the server was restarted

SELECT = """
    SELECT payload, proof_hash, ARRAY(SELECT body FROM stage WHERE stage.request_id = $1 ORDER BY i) AS stages
    FROM receipt WHERE request_id = $1
"""


class ReceiptStore:
    """Reads over a pool. The bytes come back as they were stored; nothing here checks them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, request_id: UUID) -> Sealed | None:
        """Return the receipt with its stages in order, `None` when there is none.

        Raises ProofUnavailable when the database does not answer within `READ_TIMEOUT_S` seconds.
        """
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                record: Record | None = await retrying(PATIENCE_S)(self._pool.fetchrow, SELECT, request_id)
        except DATABASE_ERRORS as error:
            away = ProofUnavailable("The receipt cannot be read now: ask again when /ready answers 200.")
            away.spent = False  # reading again costs nothing
            raise away from error
        if record is None:
            return None
        return Sealed(request_id, record["payload"], record["proof_hash"], tuple(record["stages"]))

    async def ping(self) -> bool:
        """Whether the database answers within `PING_TIMEOUT_S` seconds."""
        try:
            async with asyncio.timeout(PING_TIMEOUT_S):
                return bool(await self._pool.fetchval("SELECT true"))
        except DATABASE_ERRORS:
            return False
