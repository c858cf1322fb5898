"""Open a connection to Postgres, and tell a lost database from a wrong setting. No message here holds the URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import asyncpg
from asyncpg.exceptions import InternalClientError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from prysm.errors import ConfigError

if TYPE_CHECKING:
    from asyncpg.prepared_stmt import PreparedStatement

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Statement: TypeAlias = "PreparedStatement[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

PATIENCE_S = 10.0  # docker compose starts us and the database at the same moment
CONNECT_TIMEOUT_S = 5.0

LOST = (
    OSError,  # TimeoutError is one
    InternalClientError,  # not a Postgres, no longer one, or not the primary
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # starting up, shutting down, terminated by an administrator
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidSQLStatementNameError,  # a pooler between us gave the session, and what we prepared, away
    asyncpg.TransactionRollbackError,  # a deadlock, should there be one: the others got through
    asyncpg.ReadOnlySQLTransactionError,  # a failover left us on the standby; a new connection finds the primary
)
"""The database cannot be used now; the same statement may succeed later on a new connection."""

DATABASE_ERRORS = (OSError, InternalClientError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""Everything that using a connection can raise."""


def retrying(patience_s: float) -> AsyncRetrying:
    """Retry what failed for a lost database, with growing pauses, until `patience_s` are over; then raise it."""
    return AsyncRetrying(
        retry=retry_if_exception_type(LOST),
        stop=stop_after_delay(patience_s),
        wait=wait_exponential_jitter(multiplier=0.05, max=0.5, jitter=0.05),
        reraise=True,
    )


async def connect(url: str, patience_s: float = PATIENCE_S) -> Connection:
    """Open a connection, waiting up to `patience_s` seconds for a database that is still starting.

    Raises ConfigError when the URL cannot be read, when the login is refused and when nothing answers in time.
    """
    try:
        return await retrying(patience_s)(asyncpg.connect, url, timeout=CONNECT_TIMEOUT_S)
    except LOST as error:
        reason = f"The database does not answer ({type(error).__name__}): check that it runs, and host and port in"
    except asyncpg.PostgresError as error:
        reason = f"The database refused us ({type(error).__name__}): check user, password and database name in"
    except (asyncpg.InterfaceError, ValueError):
        reason = "Not postgresql://USER:PASSWORD@HOST:PORT/DATABASE with special characters percent-encoded:"
    raise ConfigError(f"{reason} PRYSM_DATABASE_URL.")
