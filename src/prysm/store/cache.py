"""Kept answers, which are read by nobody but who could ask the same again: the bodies are encrypted."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from prysm.errors import ProofUnavailable
from prysm.store.connection import DATABASE_ERRORS

if TYPE_CHECKING:
    from uuid import UUID

    from asyncpg import Record

    from prysm.store.connection import Pool

TIMEOUT_S = 1.0
"""A cache that takes longer is none."""
PRUNE_TIMEOUT_S = 60.0

GET = """
    SELECT body, extract(epoch FROM now() - made_at)::integer AS age_s FROM cached_answer
    WHERE org = $1 AND key = $2 AND expires_at > now() AND made_at > now() - $3::interval
    ORDER BY made_at DESC LIMIT 1
"""
# An older answer stays while it is kept for longer: others may want it once this one is over.
PUT = """
    WITH gone AS (DELETE FROM cached_answer WHERE org = $1 AND key = $2 AND expires_at <= now() + $5::interval)
    INSERT INTO cached_answer (org, key, request_id, body, expires_at) VALUES ($1, $2, $3, $4, now() + $5)
"""
PRUNE = "DELETE FROM cached_answer WHERE expires_at <= now()"
# The newest stay. The length of a body is known without reading it.
SHRINK = """
    DELETE FROM cached_answer c USING (
        SELECT org, key, request_id, row_number() OVER newest AS entries, sum(octet_length(body)) OVER newest AS bytes
        FROM cached_answer WINDOW newest AS (PARTITION BY org ORDER BY made_at DESC, key)
    ) kept WHERE (c.org, c.key, c.request_id) = (kept.org, kept.key, kept.request_id) AND (entries > $1 OR bytes > $2)
"""


class CacheStore:
    """Answers over a pool. `get` and `put` raise ProofUnavailable when the database does not answer at once."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, org: UUID, key: bytes, ttl_s: int) -> tuple[bytes, int] | None:
        """The newest that an organisation has under the key, and its age in seconds, at most `ttl_s`."""
        rows = await self._ask(TIMEOUT_S, GET, org, key, timedelta(seconds=ttl_s))
        return (rows[0]["body"], rows[0]["age_s"]) if rows else None

    async def put(self, org: UUID, key: bytes, request_id: UUID, body: bytes, ttl_s: int) -> None:
        """Keep what a run answered for so long, in place of what is kept there and is over by then."""
        await self._ask(TIMEOUT_S, PUT, org, key, request_id, body, timedelta(seconds=ttl_s))

    async def prune(self, most_entries: int, most_bytes: int) -> None:
        """Delete what has expired, and the oldest of an organisation that has more than this."""
        await self._ask(PRUNE_TIMEOUT_S, PRUNE)
        await self._ask(PRUNE_TIMEOUT_S, SHRINK, most_entries, most_bytes)

    async def _ask(self, within_s: float, statement: str, *values: object) -> list[Record]:
        try:
            async with asyncio.timeout(within_s):
                rows: list[Record] = await self._pool.fetch(statement, *values)
        except DATABASE_ERRORS as error:
            raise ProofUnavailable("Kept answers cannot be read or written now.") from error
        return rows
