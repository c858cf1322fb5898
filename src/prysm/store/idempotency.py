"""Requests under idempotency keys: who claimed a key first, and what was answered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from prysm.errors import ProofUnavailable
from prysm.store import lease as leases
from prysm.store.connection import DATABASE_ERRORS, retrying

if TYPE_CHECKING:
    from uuid import UUID

    from asyncpg import Record

    from prysm.store.connection import Pool
    from prysm.store.idempotency_slot import Slot
    from prysm.store.lease import Lease

TIMEOUT_S = 5.0
PATIENCE_S = 2.0
KEPT_WITHOUT_ANSWER = timedelta(hours=24)
"""How long a claim is kept of which there is no answer, where answers are not kept."""

CLAIM = """
    INSERT INTO idempotency AS i (org, caller, name, request, request_id, instance)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (org, caller, name) DO UPDATE SET request = EXCLUDED.request, request_id = EXCLUDED.request_id,
        instance = EXCLUDED.instance, answer = NULL, created_at = now(), expires_at = NULL
        WHERE i.expires_at <= now() OR i.request_id = EXCLUDED.request_id  -- sent again: its acknowledgement was lost
    RETURNING request_id
"""
# Judged by the lease only while leases can be trusted; see store/intents.py.
FIND = """
    SELECT request, request_id, answer, expires_at IS NOT NULL AS ended,
        expires_at IS NULL AND (instance IS NULL OR (
            pg_postmaster_start_time() <= now() - $6::interval
            AND $5::timestamptz <= now() - $6::interval
            AND EXISTS (SELECT FROM instance WHERE id = $4 AND lease_until > now() + $7::interval)
            AND NOT EXISTS (SELECT FROM instance WHERE id = i.instance AND lease_until > now())
        )) IS TRUE AS abandoned
    FROM idempotency i WHERE org = $1 AND caller = $2 AND name = $3 AND (expires_at > now()) IS NOT FALSE
"""
END = """
    UPDATE idempotency SET answer = $5, expires_at = now() + $6
    WHERE org = $1 AND caller = $2 AND name = $3 AND request_id = $4 RETURNING request_id
"""
FREE = """
    DELETE FROM idempotency WHERE org = $1 AND caller = $2 AND name = $3 AND request_id = $4 RETURNING request_id
"""
# An intent is there until its run is settled, and the run is in `usage` from then on.
SPENT = """
    SELECT CASE
        WHEN EXISTS (SELECT FROM usage WHERE request_id = $1 AND cost_nano IS DISTINCT FROM 0) THEN true
        WHEN EXISTS (SELECT FROM intent WHERE request_id = $1) THEN NULL
        ELSE false
    END AS spent
"""
# The claims of dead processes that nobody asked for again.
PRUNE = """
    DELETE FROM idempotency i WHERE expires_at <= now() OR (
        expires_at IS NULL AND created_at <= now() - $1::interval
        AND NOT EXISTS (SELECT FROM instance WHERE id = i.instance)
    )
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What is known of a request that claimed its key before. `request` is its digest, `answer` is wrapped.

    `ended`: it runs no more; without an answer, there is none to be had. `abandoned`: its process died on it.
    """

    request: bytes
    request_id: UUID
    answer: bytes | None = field(repr=False)
    ended: bool
    abandoned: bool


class IdempotencyStore:
    """Claims over a pool, as the holder of `lease`.

    Answers are kept for `period`; None keeps none, and remembers for a day that there was one. Every method raises
    ProofUnavailable when the database does not answer in time.
    """

    def __init__(self, pool: Pool, lease: Lease, period: timedelta | None) -> None:
        self.keeps = period is not None
        self._pool = pool
        self._lease = lease
        self._period = period or KEPT_WITHOUT_ANSWER

    async def claim(self, slot: Slot, request: bytes, request_id: UUID) -> bool:
        """Claim the slot for a run, and say whether it was free."""
        return bool(await self._ask(CLAIM, *_key(slot), request, request_id, self._lease.instance))

    async def find(self, slot: Slot) -> Claimed | None:
        """Who has the slot; None when it is free."""
        lease, length = self._lease, timedelta(seconds=leases.LEASE_S)
        fresh = lease.length - timedelta(seconds=leases.GAP_S)
        rows = await self._ask(FIND, *_key(slot), lease.instance, lease.steady_since, length, fresh)
        return Claimed(**rows[0]) if rows else None

    async def end(self, slot: Slot, request_id: UUID, answer: bytes | None) -> None:
        """Keep the wrapped answer of the run that has the slot; None: that there was one, and is no more."""
        await self._ask(END, *_key(slot), request_id, answer, self._period)

    async def free(self, slot: Slot, request_id: UUID) -> None:
        """Let the next request with the key run, if that run has the slot."""
        await self._ask(FREE, *_key(slot), request_id)

    async def spent(self, request_id: UUID) -> bool | None:
        """Whether a run that has ended may have cost anything; None while it is not settled."""
        spent: bool | None = (await self._ask(SPENT, request_id))[0]["spent"]
        return spent

    async def prune(self) -> None:
        """Delete what has expired."""
        await self._ask(PRUNE, self._period)

    async def _ask(self, statement: str, *values: object) -> list[Record]:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                rows: list[Record] = await retrying(PATIENCE_S)(self._pool.fetch, statement, *values)
        except DATABASE_ERRORS as error:
            away = ProofUnavailable(
                "Idempotency keys cannot be looked up or kept now: try again when /ready answers 200."
            )
            away.spent = False
            raise away from error
        return rows


def _key(slot: Slot) -> tuple[UUID, str, bytes]:
    return slot.org, slot.caller, slot.name
