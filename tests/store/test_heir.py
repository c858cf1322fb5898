from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.payers import PAYER
from tests.store.test_presence import killed
from tests.store.waiting import eventually

from prysm.errors import ProofUnavailable
from prysm.store import heir as module
from prysm.store.committer import GroupCommitter
from prysm.store.heir import Heir
from prysm.store.lease import Lease
from prysm.store.presence import Presence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    Sql = Callable[[str], Awaitable[object]]

GIVEN_UP = "SELECT count(*) = 1 FROM intent WHERE instance IS NULL"


@pytest.fixture
async def lease(database_url: str, tmp_path: Path) -> AsyncIterator[Lease]:
    """Of a live process, which shares its folder with a dead one that began a run and counts as alive for an hour."""
    async with asyncpg.create_pool(database_url, min_size=0, max_size=2) as pool:
        committer = await GroupCommitter.open(database_url)
        committer.instance = await asyncio.to_thread(killed, tmp_path)
        await Lease(pool, committer.instance, length_s=3600).renew()
        await committer.intend(uuid4(), b"{}", PAYER)
        await committer.close()
        alive = Lease(pool, uuid4(), length_s=3600)
        await alive.renew()
        presence = Presence(tmp_path, alive.instance)
        yield alive
        presence.close()


async def test_the_dead_keep_their_leases_until_what_they_spooled_is_stored(
    sql: Sql, lease: Lease, tmp_path: Path
) -> None:
    stored: list[UUID] = []

    async def drain() -> None:
        assert await sql("SELECT count(*) FROM instance") == 2
        if not stored:
            stored.append(uuid4())
            raise ProofUnavailable("away")

    heir = Heir(tmp_path, lease, drain)
    with pytest.raises(ProofUnavailable):
        await heir.settle()
    assert await sql(GIVEN_UP) is False
    await heir.settle()
    assert await sql(GIVEN_UP)
    assert await sql("SELECT array_agg(id) FROM instance") == [lease.instance]


async def test_it_goes_on_through_an_outage_and_drains_for_nobody(
    sql: Sql, lease: Lease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    drained = 0

    async def drain() -> None:
        nonlocal drained
        drained += 1

    monkeypatch.setattr(module, "LOOK_S", 0.02)
    await sql("ALTER TABLE instance RENAME TO elsewhere")
    task = asyncio.create_task(Heir(tmp_path, lease, drain).run())
    await eventually(lambda: "wait for their receipts" in caplog.text)
    await sql("ALTER TABLE elsewhere RENAME TO instance")
    await eventually(lambda: sql(GIVEN_UP))
    settled = drained
    await eventually(lambda: len(list(tmp_path.iterdir())) == 1)
    await asyncio.sleep(0.1)
    assert drained == settled
    task.cancel()
