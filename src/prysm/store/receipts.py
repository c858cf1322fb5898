"""Read receipts back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prysm.errors import ProofUnavailable
from prysm.proof.document import listed_stages
from prysm.proof.dsse import digest
from prysm.proof.hashing import PAYLOAD_TYPE
from prysm.proof.sealed import Sealed
from prysm.store.connection import DATABASE_ERRORS, retrying

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from asyncpg import Record

    from prysm.store.connection import Pool

PING_TIMEOUT_S = 1.0
READ_TIMEOUT_S = 5.0
PATIENCE_S = 2.0  # the pool may hand out a connection that is about to find out that the server was restarted

SELECT = "SELECT payload, proof_hash, kid, signature, body, pruned FROM receipt_of($1)"


class ReceiptStore:
    """Reads over a pool. The bytes come back as they were stored; nothing here checks them.

    `vital` is for the ping: a crowd of readers is no reason to call the database away.
    """

    def __init__(self, pool: Pool, vital: Pool) -> None:
        self._pool = pool
        self._vital = vital

    async def get(self, request_id: UUID) -> Sealed | None:
        """Return the receipt with its stages in order, `None` when there is none.

        Raises ProofUnavailable when the database does not answer within `READ_TIMEOUT_S` seconds, and Overloaded
        when too many read.
        """
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                rows: list[Record] = await retrying(PATIENCE_S)(self._rows, request_id)
        except DATABASE_ERRORS as error:
            away = ProofUnavailable("The receipt cannot be read now: ask again when /ready answers 200.")
            away.spent = False  # reading again costs nothing
            raise away from error
        if not rows:
            return None
        return _sealed(request_id, rows)

    async def ping(self) -> bool:
        """Whether the database answers within `PING_TIMEOUT_S` seconds."""
        try:
            async with asyncio.timeout(PING_TIMEOUT_S):
                return bool(await self._vital.fetchval("SELECT true"))
        except DATABASE_ERRORS:
            return False

    async def _rows(self, request_id: UUID) -> list[Record]:
        async with self._pool.acquire() as connection:
            rows: list[Record] = await connection.fetch(SELECT, request_id)
        return rows


def _sealed(request_id: UUID, rows: list[Record]) -> Sealed:
    """The digest is computed again: it says what the bytes are now."""
    first = rows[0]
    stages = tuple(row["body"] for row in rows if row["body"] is not None)
    named = None if first["signature"] is None else digest(PAYLOAD_TYPE, first["payload"])
    return Sealed(
        request_id,
        first["payload"],
        first["proof_hash"],
        stages,
        first["kid"],
        first["signature"],
        named,
        pruned=pruned_before(first, stages),
    )


def pruned_before(row: Record, stages: Sequence[object]) -> datetime | None:
    """Up to when stages were pruned, where that is why a receipt has none; its row says so of one that is old."""
    found: datetime | None = None if stages else row["pruned"]
    return found if found and listed_stages(row["payload"]) else None
