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

# A join repeats the payload, which is small; an array of stages would cost every connection a look at pg_type.
SELECT = """
    SELECT payload, proof_hash, body FROM receipt LEFT JOIN stage USING (request_id)
    WHERE request_id = $1 ORDER BY i
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
                rows: list[Record] = await retrying(PATIENCE_S)(self._pool.fetch, SELECT, request_id)
        except DATABASE_ERRORS as error:
            away = ProofUnavailable("The receipt cannot be read now: ask again when /ready answers 200.")
            away.spent = False  # reading again costs nothing
            raise away from error
        if not rows:
            return None
        stages = tuple(row["body"] for row in rows if row["body"] is not None)
        return Sealed(request_id, rows[0]["payload"], rows[0]["proof_hash"], stages)

    async def ping(self) -> bool:
        """Whether the database answers within `PING_TIMEOUT_S` seconds."""
        try:
            async with asyncio.timeout(PING_TIMEOUT_S):
                return bool(await self._pool.fetchval("SELECT true"))
        except DATABASE_ERRORS:
            return False
