"""Databases that live longer than one test, or are copied from another."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Iterator

MIGRATED = "migrated"


def named(server_url: str, name: str) -> str:
    """The address of a database of a server."""
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


@contextmanager
def database(server_url: str, template: str = MIGRATED) -> Iterator[str]:
    """A database like `template`, to which nobody may be connected: its address."""
    name = f"test_{uuid4().hex}"
    asyncio.run(execute(server_url, f"CREATE DATABASE {name} TEMPLATE {template}"))
    try:
        yield named(server_url, name)
    finally:
        asyncio.run(execute(server_url, f"DROP DATABASE {name} WITH (FORCE)"))


async def execute(url: str, statement: str) -> None:
    """Run a statement over a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
