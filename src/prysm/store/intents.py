"""Runs that began and were cut off: find them, and have them sealed."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from prysm.errors import ProofUnavailable
from prysm.store import lease as leases
from prysm.store.connection import DATABASE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime
    from uuid import UUID

    from asyncpg import Record

    from prysm.proof.sealed import Sealed
    from prysm.store.connection import Pool
    from prysm.store.lease import Lease

SWEEP_S = 3.0
AT_ONCE = 256
TIMEOUT_S = 5.0
FORGOTTEN = timedelta(minutes=1)

# After an outage every lease has run out while everybody is alive. So nobody judges by leases unless the server and
# the judge's own lease have both been up for as long as the others need to renew theirs.
ABANDONED = """
    SELECT request_id, body, created_at FROM intent
    WHERE (instance IS NULL OR (
        pg_postmaster_start_time() <= now() - $3::interval
        AND $2::timestamptz <= now() - $3::interval
        AND EXISTS (SELECT FROM instance WHERE id = $1 AND lease_until > now() + $4::interval)
        AND NOT EXISTS (SELECT FROM instance WHERE id = intent.instance AND lease_until > now())
    ))
    AND ($6::timestamptz IS NULL OR (created_at, request_id) > ($6, $7::uuid))
    ORDER BY created_at, request_id LIMIT $5
"""
# A process that is alive after all registers again with its next renewal; missing and run out are the same.
PRUNE = "DELETE FROM instance WHERE lease_until < now() - $1::interval"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Intent:
    """A run as it was known when it began."""

    request_id: UUID
    body: bytes = field(repr=False)
    created_at: datetime


class Intents:
    """Reads intents over a pool, as the holder of `lease`."""

    def __init__(self, pool: Pool, lease: Lease) -> None:
        self._pool = pool
        self._lease = lease

    async def abandoned(self, limit: int, after: Intent | None = None) -> list[Intent]:
        """Up to `limit` intents that were given up or whose process is gone, the oldest first; those behind `after`.

        Raises ProofUnavailable when the database does not answer in time.
        """
        lease, length = self._lease, timedelta(seconds=leases.LEASE_S)
        fresh = lease.length - timedelta(seconds=leases.GAP_S)
        behind = (after.created_at, after.request_id) if after else (None, None)
        found = await self._ask(ABANDONED, lease.instance, lease.steady_since, length, fresh, limit, *behind)
        return [Intent(row["request_id"], row["body"], row["created_at"]) for row in found]

    async def prune(self) -> None:
        """Delete the rows of processes that are long gone. Raises ProofUnavailable like `abandoned`."""
        await self._ask(PRUNE, FORGOTTEN)

    async def _ask(self, statement: str, *values: object) -> list[Record]:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                rows: list[Record] = await self._pool.fetch(statement, *values)
        except DATABASE_ERRORS as error:
            away = ProofUnavailable("Intents cannot be read now: the database does not answer.")
            away.spent = False
            raise away from error
        return rows


class Reaper:
    """Seals abandoned runs as what they are, interrupted.

    Several may be at work: the first receipt of a run is kept, and storing any, also one that is refused because
    of it, deletes the intent. `seal` turns an intent into its receipt; `put` is the committer's.
    """

    def __init__(
        self, intents: Intents, seal: Callable[[Intent], Sealed], put: Callable[[Sealed], Awaitable[object]]
    ) -> None:
        self._intents = intents
        self._seal = seal
        self._put = put
        self._unsealable: set[UUID] = set()

    async def run(self) -> None:
        """Sweep every few seconds, for ever."""
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                await self.sweep()
                await self._intents.prune()
            except ProofUnavailable:
                _log.warning("runs that were cut off cannot be sealed now: the database does not answer")

    async def sweep(self) -> int:
        """Seal what is abandoned now, and return how many runs got their receipt here.

        What could not be stored keeps its intent for the next sweep. What cannot be sealed keeps it for good, and is
        told of once: it may be another version's, or an operator's to look at.
        """
        reaped, last = 0, None
        met: set[UUID] = set()
        while found := await self._intents.abandoned(AT_ONCE, last):
            reaped += sum(await asyncio.gather(*map(self._reap, found)))
            met.update(intent.request_id for intent in found)
            last = found[-1]
        self._unsealable &= met
        return reaped

    async def _reap(self, intent: Intent) -> bool:
        if intent.request_id in self._unsealable:
            return False
        try:
            sealed = self._seal(intent)
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            self._unsealable.add(intent.request_id)
            _log.error("run %s was cut off and cannot be sealed: %s", intent.request_id, type(error).__name__)
            return False
        try:
            await self._put(sealed)
        except ProofUnavailable:
            return False
        _log.info("run %s was cut off and is sealed as interrupted", intent.request_id)
        return True
