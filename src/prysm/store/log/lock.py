"""One writer of the log at a time, in the whole cluster."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prysm.store.connection import Connection

LOCK_KEY = 0x505259534D4C  # "PRYSML"; names our advisory lock within the database
PAUSE_LIMIT = "15s"

# The lock ends with the transaction, and a writer that was suspended loses both when Postgres ends its session. What
# the next statement sees was committed before the lock was had. Every statement of a writer goes by a key: without
# statistics Postgres might read a whole table instead, and keep to it. What is signed must not get lost in a crash.
_SETTINGS = f"""
    set_config('enable_seqscan', 'off', true),
    set_config('idle_in_transaction_session_timeout', '{PAUSE_LIMIT}', true),
    CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END
"""
TRY = f"SELECT pg_try_advisory_xact_lock({LOCK_KEY}), {_SETTINGS}"
WAIT = f"SELECT pg_advisory_xact_lock({LOCK_KEY}), {_SETTINGS}"


async def try_lock(connection: Connection) -> bool:
    """Whether the log is ours to write until the transaction ends; at once."""
    return bool(await connection.fetchval(TRY))


@asynccontextmanager
async def locked(connection: Connection) -> AsyncIterator[None]:
    """A transaction in which nobody else writes the log; waits for whoever does."""
    async with connection.transaction():
        await connection.execute(WAIT)
        yield
