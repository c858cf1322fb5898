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
"""
PUT = """
    INSERT INTO cached_answer (org, key, body, expires_at) VALUES ($1, $2, $3, now() + $4)
    ON CONFLICT (org, key) DO UPDATE SET body = EXCLUDED.body, made_at = now(), expires_at = EXCLUDED.expires_at
"""
PRUNE = "DELETE FROM cached_answer WHERE expires_at <= now()"
# The newest stay. The length of a body is known without reading it.
SHRINK = """
    DELETE FROM cached_answer c USING (
        SELECT org, key, row_number() OVER newest AS entries, sum(octet_length(body)) OVER newest AS bytes
        FROM cached_answer WINDOW newest AS (PARTITION BY org ORDER BY made_at DESC, key)
    ) kept WHERE c.org = kept.org AND c.key = kept.key AND (entries > $1 OR bytes > $2)
"""


class CacheStore:
    """Answers over a pool. `get` and `put` raise ProofUnavailable when the database does not answer at once."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, org: UUID, key: bytes, ttl_s: int) -> tuple[bytes, int] | None:
        """What an organisation has under the key, and its age in seconds, at most `ttl_s`."""
        rows = await self._ask(TIMEOUT_S, GET, org, key, timedelta(seconds=ttl_s))
        return (rows[0]["body"], rows[0]["age_s"]) if rows else None

    async def put(self, org: UUID, key: bytes, body: bytes, ttl_s: int) -> None:
        """Keep a body for so long, in place of what is kept there."""
        await self._ask(TIMEOUT_S, PUT, org, key, body, timedelta(seconds=ttl_s))

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
