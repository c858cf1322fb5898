from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import settings

from prysm.store.embedded import EmbeddedPostgres
from prysm.store.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytest_plugins = ["tests.scripted_gateway"]  # a gateway double, for the tests of the client and the command line
TEMPLATE = "migrated"
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A migrated server of this test process alone; tests that stop or kill a server start their own."""
    with (
        tempfile.TemporaryDirectory(prefix="prysm-test-") as folder,
        EmbeddedPostgres.start(Path(folder)) as server,
    ):
        migrate(server.url)
        asyncio.run(_execute(server.url, f"CREATE DATABASE {TEMPLATE} TEMPLATE postgres"))
        yield server.url


@pytest.fixture
async def database_url(postgres_url: str) -> AsyncIterator[str]:
    """A migrated database for one test."""
    name = f"test_{uuid4().hex}"
    await _execute(postgres_url, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
    await _execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
