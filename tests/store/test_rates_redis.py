"""What becomes of the limits when a gateway is killed, or Redis is."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from tests.redis_server import redis_server
from tests.store.counting import limits

from prysm.errors import ConfigError, RateLimited
from prysm.store import redis_rates
from prysm.store.redis_rates import RedisRates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prysm.core.caller import Limits


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="prysm-redis-") as made:  # the name of a socket has to be short
        yield Path(made)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with redis_server() as address:
        yield address


async def full(rates: RedisRates, which: tuple[Limits, ...]) -> bool:
    try:
        await rates.take(uuid4(), which, 0)
    except RateLimited:
        return True
    return False


async def test_the_runs_of_a_gateway_that_was_killed_do_not_count_for_ever(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_rates, "LEASE_S", 1)
    which = (limits(concurrency=1),)
    killed = RedisRates(url)  # its worker never begins
    await killed.take(uuid4(), which, 0)
    async with RedisRates(url) as rates:
        assert await full(rates, which)
        await asyncio.sleep(1.1)
        assert not await full(rates, which)
    await killed._redis.aclose()


async def test_a_run_counts_for_as_long_as_it_goes_on(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_rates, "LEASE_S", 1)
    monkeypatch.setattr(redis_rates, "RENEW_S", 0.1)
    which, run = (limits(concurrency=1),), uuid4()
    async with RedisRates(url) as rates:
        await rates.take(run, which, 0)
        await asyncio.sleep(1.3)
        assert await full(rates, which)
        rates.give_back(run, which, 0, 0)
        await asyncio.sleep(0.3)
        assert not await full(rates, which)


async def test_a_caller_who_hangs_up_while_he_is_counted_is_not_left_counted(url: str) -> None:
    which = (limits(concurrency=1),)
    async with RedisRates(url) as rates:
        for steps in range(20):
            asking = asyncio.create_task(rates.take(run := uuid4(), which, 0))
            for _ in range(steps):
                await asyncio.sleep(0)
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking  # it may have come through
            rates.give_back(run, which, 0, 0)
            await asyncio.sleep(0.02)
        assert not await full(rates, which)


async def test_whoever_asks_again_as_soon_as_he_has_his_answer_finds_room(url: str) -> None:
    which = (limits(concurrency=1),)
    async with RedisRates(url) as rates:
        for _ in range(50):
            await rates.take(run := uuid4(), which, 0)
            rates.give_back(run, which, 0, 0)


async def test_a_run_that_ends_while_redis_is_busy_keeps_nobody_waiting(url: str) -> None:
    which, run = (limits(concurrency=1, tpm=100),), uuid4()
    async with RedisRates(url) as rates:
        await rates.take(run, which, 100)
        await rates._redis.client_pause(200)
        began = time.perf_counter()
        rates.give_back(run, which, 100, 0)
        assert time.perf_counter() - began < 0.01
    async with RedisRates(url) as after:
        meters = await after.take(uuid4(), which, 100)
    assert [(meter.kind, meter.left) for meter in meters] == [("runs", 0), ("tokens", 0)]


async def test_without_redis_nothing_is_limited_and_the_log_says_so_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    which = (limits(rpm=1),)
    async with RedisRates(f"unix://{folder}/s?password=hidden") as rates:
        for _ in range(5):
            assert await rates.take(uuid4(), which, 0) == ()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "budgets and credits are" in record.getMessage()
    assert "hidden" not in caplog.text


async def test_when_redis_is_back_limits_hold_again_and_runs_under_way_count(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(redis_rates, "REST_S", 0.05)
    which, run = (limits(concurrency=1),), uuid4()
    with redis_server(folder=folder) as address:
        rates = RedisRates(address)
        await rates.__aenter__()
        await rates.take(run, which, 0)
        assert await full(rates, which)
    assert not await full(rates, which)
    rates.give_back(uuid4(), which, 0, 0)  # of a run that was never counted
    with redis_server(folder=folder):
        await rates.take(uuid4(), (limits(rpm=1),), 0)
        await asyncio.sleep(0.2)
        await rates.take(uuid4(), (limits(rpm=1),), 0)
        await asyncio.sleep(0.2)
        assert await full(rates, which)
        rates.give_back(run, which, 0, 0)
        await asyncio.sleep(0.1)
        assert not await full(rates, which)
        await rates.__aexit__(None, None, None)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "Redis does not do its work (ConnectionError)",
        "Redis is back",
    ]


async def test_a_redis_that_hangs_delays_one_run_a_second(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_rates, "TIMEOUT_S", 0.1)
    which = (limits(rpm=1),)
    async with RedisRates(url) as rates:
        await rates._redis.client_pause(400)
        began = time.perf_counter()
        for _ in range(20):
            assert await rates.take(uuid4(), which, 0) == ()
        assert time.perf_counter() - began < 0.3


@pytest.mark.parametrize("address", ["redis://host:port/0", "redis://:hidden@host:1x/0"])
async def test_an_address_that_is_none_stops_the_start(address: str) -> None:
    with pytest.raises(ConfigError, match="PRYSM_REDIS_URL must be an address") as caught:
        RedisRates(address)
    assert "hidden" not in str(caught.value)


async def test_a_password_that_is_wrong_stops_the_start() -> None:
    with redis_server("--requirepass", "right") as address:
        for wrong in ("", "?password=hidden", "?password=right&db=99"):
            with pytest.raises(ConfigError, match="PRYSM_REDIS_URL refuses") as caught:
                await RedisRates(address + wrong).__aenter__()
            assert "hidden" not in str(caught.value)
        async with RedisRates(f"{address}?password=right") as rates:
            assert not await full(rates, (limits(rpm=1),))
