"""Wait for what happens by itself."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 20.0


async def eventually(true: Callable[[], object]) -> None:
    """Return when `true()` is, awaited if it can be; TimeoutError after twenty seconds."""
    async with asyncio.timeout(PATIENCE_S):
        while not await _value(true()):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def _value(found: object) -> object:
    return await found if inspect.isawaitable(found) else found
