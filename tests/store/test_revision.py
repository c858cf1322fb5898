"""The quick look that spares a start its migrations."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from alembic.script import ScriptDirectory

from prysm.store.migrate import alembic_config
from prysm.store.revision import head, is_current


def test_the_newest_file_is_alembics_head() -> None:
    assert head() == ScriptDirectory.from_config(alembic_config()).get_current_head()


async def test_a_migrated_database_is_current(database_url: str) -> None:
    assert await asyncio.to_thread(is_current, database_url)


async def test_an_empty_database_is_not(postgres_url: str) -> None:
    empty = urlsplit(postgres_url)._replace(path="/template1").geturl()
    assert not await asyncio.to_thread(is_current, empty)
