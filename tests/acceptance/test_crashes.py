"""Kill -9 of the gateway and of Postgres under load: whatever a client got in full, its receipt verifies."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.acceptance.aftermath import check_heard, check_log, exported, fsck, outcome, pinned, settled
from tests.acceptance.callers import calling
from tests.acceptance.kills import (
    begin,
    chance,
    kill_gateway,
    kill_postgres,
    kill_session,
    kill_worker,
    until_it_answers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.acceptance.conftest import Process

    Kill = Callable[[Process], None]


async def test_three_kills_lose_no_receipt(serve: Callable[..., Process], tmp_path: Path) -> None:
    await _survives(serve, tmp_path, [kill_postgres, kill_gateway, kill_gateway], most_workers=1)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_fifty_kills_at_random_moments_lose_no_receipt(serve: Callable[..., Process], tmp_path: Path) -> None:
    kills = chance.choices([kill_gateway, kill_worker, kill_postgres, kill_session], [2, 1, 1, 1], k=50)
    await _survives(serve, tmp_path, kills, most_workers=2)


async def _survives(serve: Callable[..., Process], folder: Path, kills: Sequence[Kill], most_workers: int) -> None:
    gateway = await asyncio.to_thread(begin, serve, most_workers, None)
    async with calling([gateway]) as heard:
        for kill in kills:
            await asyncio.sleep(chance.uniform(0.2, 1.0))
            kill(gateway)
            if gateway.popen.poll() is not None:
                gateway = await asyncio.to_thread(begin, serve, chance.randint(1, most_workers), gateway)
            await asyncio.to_thread(until_it_answers, gateway)
        await asyncio.sleep(0.5)
    url = (folder / ".prysm" / "postgres.url").read_text()
    await settled(url)
    keys = pinned(gateway.get("/.well-known/prysm-keys.json").json())
    receipts = exported(folder, keys)
    check_heard(heard, receipts, keys)
    assert await check_log(url) == len(receipts)
    fsck(folder)
    assert heard.answers
    assert "interrupted" in set(map(outcome, receipts.values()))
    assert {outcome(receipts[request_id]) for request_id in heard.cut} <= {
        "interrupted",
        "failed",
        "ok",
        "degraded",
    }
