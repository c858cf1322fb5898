"""Whether a database needs migrating, asked without loading what migrates: a start that need not wait does not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg

from prysm.store.connection import connect

_PACKAGE = Path(__file__).parent
_CHECKOUT = _PACKAGE.parents[2]


def scripts() -> Path:
    """Alembic's folder: beside this file in an installed wheel, at the top of a checkout."""
    return _PACKAGE if (_PACKAGE / "alembic.ini").is_file() else _CHECKOUT


def head() -> str:
    """The newest revision this code knows; revisions are numbered, and files begin with their number."""
    return max(path.name.partition("_")[0] for path in (scripts() / "migrations" / "versions").glob("[0-9]*.py"))


def is_current(url: str) -> bool:
    """Whether the database at `url` has exactly this code's schema; blocks. Raises ConfigError when unreachable."""
    return asyncio.run(_revision(url)) == head()


async def _revision(url: str) -> str | None:
    connection = await connect(url)
    try:
        revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await connection.close()
    return revision
