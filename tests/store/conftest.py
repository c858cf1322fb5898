from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@pytest.fixture
def sql(database_url: str) -> Callable[[str], Awaitable[object]]:
    """Run one statement in the test's database; the first value of its first row, if any."""

    async def execute(statement: str) -> object:
        connection = await asyncpg.connect(database_url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return execute
