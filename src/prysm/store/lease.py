"""Tell the other gateways that this process is alive, so that nobody seals its runs for it."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from prysm.errors import ProofUnavailable
from prysm.store.connection import DATABASE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from prysm.store.connection import Connection, Pool

LEASE_S = 15.0
RENEW_S = 3.0
GAP_S = 6.0
"""Between two renewals further apart than this, others may have found the database away for as long."""
TIMEOUT_S = 2.0

RENEW = """
    WITH before AS (SELECT lease_until FROM instance WHERE id = $1)
    INSERT INTO instance (id, lease_until) VALUES ($1, now() + $2::interval)
    ON CONFLICT (id) DO UPDATE SET lease_until = EXCLUDED.lease_until
    RETURNING now() AS at,
        COALESCE((SELECT lease_until FROM before) > now() + $2::interval - $3::interval, false) AS unbroken
"""
DELETE = "DELETE FROM instance WHERE id = $1"
# Given up as by the dead itself: nobody needs to judge by the lease any more.
END = """
    WITH ended AS (DELETE FROM instance WHERE id = ANY($1::uuid[])),
        claims AS (UPDATE idempotency SET instance = NULL WHERE instance = ANY($1::uuid[]) AND expires_at IS NULL)
    UPDATE intent SET instance = NULL WHERE instance = ANY($1::uuid[])
"""
ALIVE = "SELECT EXISTS (SELECT FROM instance WHERE lease_until > now())"

_log = logging.getLogger(__name__)


class Lease:
    """The row of this process in the table of instances. Time is the database's, never this machine's.

    `length_s` is how long the process counts as alive after its last sign. One that spools receipts on a disk of
    its own needs longer than an outage: sealed as interrupted, its runs could not be sealed as what they were.

    `steady_since` is the database's time since when the lease was renewed without a gap; `None` before the first.
    """

    def __init__(self, pool: Pool, instance: UUID, length_s: float = LEASE_S) -> None:
        self.instance = instance
        self.length = timedelta(seconds=length_s)
        self.steady_since: datetime | None = None
        self._pool = pool

    async def renew(self) -> None:
        """Register or renew. Raises ProofUnavailable when the database does not answer within two seconds."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                row = await self._pool.fetchrow(RENEW, self.instance, self.length, timedelta(seconds=GAP_S))
        except DATABASE_ERRORS as error:
            raise _away() from error
        if row is not None and not (row["unbroken"] and self.steady_since):
            self.steady_since = row["at"]

    async def keep(self) -> None:
        """Renew every three seconds, for ever; while the database is away, try as often."""
        while True:
            try:
                await self.renew()
            except ProofUnavailable:
                _log.warning("the lease of this gateway cannot be renewed: the database does not answer")
            await asyncio.sleep(RENEW_S)

    async def end(self, dead: Sequence[UUID]) -> None:
        """End the leases of processes that are known to be dead. Raises ProofUnavailable like `renew`."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._pool.execute(END, dead)
        except DATABASE_ERRORS as error:
            raise _away() from error

    async def close(self) -> None:
        """Say that this process is gone; when that fails, the lease runs out."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._pool.execute(DELETE, self.instance)
        except DATABASE_ERRORS:
            _log.warning("the lease of this gateway is left to run out: the database does not answer")


async def any_alive(connection: Connection) -> bool:
    """Whether some gateway runs on this database. Raises what the database raises."""
    return bool(await connection.fetchval(ALIVE))


def _away() -> ProofUnavailable:
    away = ProofUnavailable("The database does not answer: try again when /ready answers 200.")
    away.spent = False
    return away
