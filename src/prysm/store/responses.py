"""Answers of the Responses API with their input: the one place where text of callers and models is stored."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prysm.errors import ProofUnavailable
from prysm.store.connection import DATABASE_ERRORS, retrying

if TYPE_CHECKING:
    from datetime import timedelta
    from uuid import UUID

    from asyncpg import Record

    from prysm.store.connection import Pool

TIMEOUT_S = 5.0
PATIENCE_S = 2.0

PUT = """
    INSERT INTO response (id, org, owner, previous, input, body, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, now() + $7) ON CONFLICT (id) DO NOTHING
"""
GET = "SELECT id, owner, previous, input, body FROM response WHERE id = $1 AND owner = $2 AND expires_at > now()"
# Newest first, until the beginning, a gap, or more bytes than are wanted.
CONVERSATION = """
    WITH RECURSIVE said AS (
        SELECT *, (octet_length(input) + octet_length(body))::bigint AS bytes, 0 AS back FROM response
        WHERE id = $1 AND owner = $2 AND expires_at > now()
        UNION ALL
        SELECT r.*, s.bytes + octet_length(r.input) + octet_length(r.body), s.back + 1
        FROM said s JOIN response r ON r.id = s.previous AND r.owner = s.owner AND r.expires_at > now()
        WHERE s.bytes <= $3
    )
    SELECT id, owner, previous, input, body FROM said ORDER BY back DESC
"""
DELETE = "DELETE FROM response WHERE id = $1 AND owner = $2 AND expires_at > now() RETURNING id"
PRUNE = "DELETE FROM response WHERE expires_at <= now()"
CLEAR = "DELETE FROM response"


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """A response as it was answered (`body`) and the items it was asked with (`input`), both JSON.

    `owner` names the key that asked, `previous` the response that it goes on from.
    """

    id: UUID
    owner: str
    previous: UUID | None
    input: bytes = field(repr=False)
    body: bytes = field(repr=False)


class ResponseStore:
    """Responses over a pool. Every method raises ProofUnavailable when the database does not answer in time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(self, kept: KeptResponse, org: UUID, period: timedelta) -> None:
        """Keep a response of an organisation for `period`."""
        await self._ask(PUT, kept.id, org, kept.owner, kept.previous, kept.input, kept.body, period)

    async def get(self, id_: UUID, owner: str) -> KeptResponse | None:
        """Return the response if `owner` asked for it and it is still kept."""
        rows = await self._ask(GET, id_, owner)
        return _kept(rows[0]) if rows else None

    async def conversation(self, id_: UUID, owner: str, most_bytes: int) -> list[KeptResponse]:
        """Return the response and those it goes on from, the oldest first; empty when there is none.

        Stops once there are more than `most_bytes`. The oldest has a `previous` when something is missing.
        """
        return [_kept(row) for row in await self._ask(CONVERSATION, id_, owner, most_bytes)]

    async def delete(self, id_: UUID, owner: str) -> bool:
        """Delete a response, and say whether there was one."""
        return bool(await self._ask(DELETE, id_, owner))

    async def prune(self, *, everything: bool = False) -> None:
        """Delete what has expired, or all there is."""
        await self._ask(CLEAR if everything else PRUNE)

    async def _ask(self, statement: str, *values: object) -> list[Record]:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                rows: list[Record] = await retrying(PATIENCE_S)(self._pool.fetch, statement, *values)
        except DATABASE_ERRORS as error:
            away = ProofUnavailable("Responses cannot be kept or read now: try again when /ready answers 200.")
            away.spent = False
            raise away from error
        return rows


def _kept(row: Record) -> KeptResponse:
    return KeptResponse(row["id"], row["owner"], row["previous"], row["input"], row["body"])
