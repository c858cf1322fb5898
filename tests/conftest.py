from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from tests.databases import MIGRATED, database, execute

from prysm.store.embedded import EmbeddedPostgres
from prysm.store.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["tests.scripted_gateway"]  # a gateway double, for the tests of the client and the command line
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
        asyncio.run(execute(server.url, f"CREATE DATABASE {MIGRATED} TEMPLATE postgres"))
        yield server.url


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """A migrated database for one test."""
    with database(postgres_url) as url:
        yield url
