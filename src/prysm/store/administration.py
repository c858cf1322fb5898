"""How administrators' statements are run: what they change is written down in the same transaction."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from prysm.errors import Overloaded
from prysm.store.audit import record
from prysm.store.connection import DATABASE_ERRORS, retrying

if TYPE_CHECKING:
    from asyncpg import Record

    from prysm.store.audit import Event
    from prysm.store.connection import Connection, Pool

TIMEOUT_S = 5.0
PATIENCE_S = 2.0


async def asked(pool: Pool, statement: str, *values: object) -> list[Record]:
    """The rows of a statement that changes nothing. Raises Overloaded when the database does not answer in time."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            rows: list[Record] = await retrying(PATIENCE_S)(pool.fetch, statement, *values)
    except DATABASE_ERRORS as error:
        raise _away() from error
    return rows


async def changed(pool: Pool, event: Event, statement: str, *values: object) -> bool:
    """Whether the statement, which can be run twice, did something: then `event` is in the audit log.

    Raises Overloaded when the database does not answer in time.
    """

    async def once() -> bool:
        async with pool.acquire() as connection, connection.transaction():
            done = bool(await connection.fetch(statement, *values))
            if done:
                await record(cast("Connection", connection), event)
            return done

    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await retrying(PATIENCE_S)(once)
    except DATABASE_ERRORS as error:
        raise _away() from error


def _away() -> Overloaded:
    return Overloaded("Nothing can be changed or looked up now: try again when /ready answers 200.")
