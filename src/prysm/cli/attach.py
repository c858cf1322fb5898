"""How commands for operators reach the database, whether a gateway runs on it or not."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, TypeVar

from prysm.config import Settings
from prysm.errors import ConfigError
from prysm.store.cluster import Cluster
from prysm.store.connection import DATABASE_ERRORS, connect
from prysm.store.embedded import attached
from prysm.store.revision import is_current
from prysm.vault import Vault, key_path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from prysm.store.connection import Connection

T = TypeVar("T")

SAY_EVERY_S = 1.0


def settings() -> Settings:
    """What the environment says, as `prysm serve` reads it."""
    return Settings.from_environment(os.environ)


def with_database(found: Settings, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Do something on a connection; the embedded server is started for it if it does not run.

    Raises ConfigError when there is no database, when it is of another release, and when it fails meanwhile.
    """
    with _url(found) as url:
        if not is_current(url):
            raise ConfigError("The database is of another release: start `prysm serve` once, which migrates it.")
        return asyncio.run(_on(url, work))


def vault(found: Settings) -> Vault:
    """What private keys are encrypted with; without an encryption key it opens none."""
    return Vault(found.encryption_key or key_path(found.data_dir))


def vault_if_any(found: Settings) -> Vault | None:
    """What private keys are encrypted with, `None` when there is no encryption key here."""
    return vault(found) if found.encryption_key or key_path(found.data_dir).exists() else None


class Steps:
    """Says on stderr how far something is, once a second, when it takes longer than that."""

    def __init__(self) -> None:
        self._next = time.monotonic() + SAY_EVERY_S

    def __call__(self, what: str, done: int) -> None:
        """Say that so many were done, if it is time to."""
        if (now := time.monotonic()) >= self._next:
            self._next = now + SAY_EVERY_S
            sys.stderr.write(f"{done} {what}\n")


@contextmanager
def _url(found: Settings) -> Iterator[str]:
    if found.database_url:
        yield found.database_url
        return
    if not Cluster(found.data_dir).data.exists():
        raise ConfigError(f"{found.data_dir} holds no database: set PRYSM_DATA_DIR, or PRYSM_DATABASE_URL.")
    with attached(found.data_dir) as url:
        yield url


async def _on(url: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    async with _connected(url) as connection:
        return await work(connection)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Connection]:
    connection = await connect(url)
    try:
        yield connection
    except DATABASE_ERRORS as error:
        raise ConfigError(
            f"The database failed ({type(error).__name__}): see its own log, then try again."
        ) from None
    finally:
        connection.terminate()
