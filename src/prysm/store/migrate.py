"""Bring a database to the schema of this code: forward only, one transaction, safe for many starters at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, text
from sqlalchemy.ext.asyncio import create_async_engine

from prysm.errors import ConfigError
from prysm.store.connection import connect
from prysm.store.revision import scripts

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

LOCK_KEY = 0x505259534D  # "PRYSM"; names our advisory lock within the database


def migrate(url: str) -> None:
    """Apply the migrations that are missing in the database at `url`; blocks, and must not run in an event loop.

    Raises ConfigError when the database cannot be reached, or was migrated by a newer release.
    """
    asyncio.run(_migrate(url))


def engine(url: str) -> AsyncEngine:
    """Return an SQLAlchemy engine over `connect`, so that one parser reads the URL everywhere."""
    return create_async_engine("postgresql+asyncpg://", async_creator=lambda: connect(url), poolclass=NullPool)


def alembic_config() -> Config:
    """Return Alembic's settings."""
    return Config(scripts() / "alembic.ini")


async def _migrate(url: str) -> None:
    database = engine(url)
    try:
        async with database.begin() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await database.dispose()


def _upgrade(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
    config = alembic_config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if not known.issuperset(MigrationContext.configure(connection).get_current_heads()):
        raise ConfigError(
            "The database is newer than this gateway: it was migrated by a later release. Start that release, or "
            "point PRYSM_DATABASE_URL (or PRYSM_DATA_DIR) at another database."
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
