from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.providers.upstream import running

from prysm.providers.transport import open_transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx
    from tests.providers.upstream import Upstream


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with running() as server:
        yield server


@pytest.fixture
async def transport() -> AsyncIterator[httpx.AsyncBaseTransport]:
    opened = open_transport()
    yield opened
    await opened.aclose()
