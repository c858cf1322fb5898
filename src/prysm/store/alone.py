"""Checks and changes of administrators, one after another in each organisation, over all gateways on a database.

What a check has read is still so when the change is made that it allows: both are one transaction under one lock.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast
from weakref import WeakValueDictionary

from prysm.errors import Overloaded
from prysm.store.connection import DATABASE_ERRORS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from asyncpg import Record

    from prysm.store.connection import Connection, Pool

TIMEOUT_S = 5.0
PAUSE_LIMIT = "10s"
"""Of a gateway that was suspended meanwhile, Postgres ends the session, and with it the lock."""

# What the statements after this one see was committed before the lock was had, as long as each has its own snapshot.
LOCK = f"""
    SELECT pg_advisory_xact_lock(hashtextextended('keys:' || $1::uuid, 0)),
        set_config('idle_in_transaction_session_timeout', '{PAUSE_LIMIT}', true)
"""
# Root waits for no lock, but does not revoke or change the key that asks while it is under way.
HOLD = "SELECT FROM api_key WHERE id = $1 FOR NO KEY UPDATE"


class Alone:
    """The turns of one process. However many wait, at most one connection of the pool is taken at a time.

    They wait by organisation first, so that the crowd of one has one place in the queue of all.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._crowds: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def turn(self, org: UUID, key: UUID) -> AsyncIterator[Pool]:
        """A pool of the one connection by which `key` may check and change; all is undone if the block raises.

        Raises Overloaded when waiting, the block and the commit take more than `TIMEOUT_S` together.
        """
        crowd = self._crowds.setdefault(org, asyncio.Lock())
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                crowd,
                self._turn,
                self._pool.acquire() as connection,
                connection.transaction(isolation="read_committed"),
            ):
                await connection.execute(LOCK, org)
                await connection.execute(HOLD, key)
                yield cast("Pool", _Lent(cast("Connection", connection)))  # the stores only fetch and acquire
        except DATABASE_ERRORS as error:
            raise Overloaded(
                "Others change the keys and budgets of this organisation, or the database does not answer: try again "
                "in a few seconds."
            ) from error


class _Lent:
    """A pool that lends one connection, to one borrower after another."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def fetch(self, statement: str, *values: object) -> list[Record]:
        return await self._connection.fetch(statement, *values)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        yield self._connection
