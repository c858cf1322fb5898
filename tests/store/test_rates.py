"""Limits of requests, tokens and runs: the same wherever they are counted."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter as Tally
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import pytest
from tests.redis_server import redis_server
from tests.store.counting import Counter, InPostgres, InRedis, limits
from tests.store.till import Till, organisation

from prysm.errors import RateLimited
from prysm.store.isolation import SEALER, open_pool
from prysm.store.postgres_rates import PostgresRates
from prysm.store.redis_rates import RedisRates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from uuid import UUID

    from prysm.core.caller import Limits

Counters: TypeAlias = "Callable[[int], Awaitable[list[Counter]]]"


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_server() as url:
        yield url


@pytest.fixture(params=["database_url", "redis_url"])
def url(request: pytest.FixtureRequest) -> str:
    address: str = request.getfixturevalue(request.param)
    return address


@pytest.fixture
async def counters(url: str) -> AsyncIterator[Counters]:
    """So many gateways over one store."""
    async with AsyncExitStack() as stack:

        async def in_redis() -> Counter:
            return InRedis(await stack.enter_async_context(RedisRates(url)))

        async def in_postgres() -> Counter:
            till = await Till.open(url)
            stack.push_async_callback(till.connection.close)
            pool = await open_pool(url, 3, SEALER)
            stack.push_async_callback(pool.close)
            return InPostgres(till, await organisation(till.connection), PostgresRates(pool))

        one = in_redis if url.startswith("unix:") else in_postgres

        async def several(count: int) -> list[Counter]:
            return [await one() for _ in range(count)]

        yield several


@pytest.fixture
async def counter(counters: Counters) -> Counter:
    (one,) = await counters(1)
    return one


async def refused(counter: Counter, which: tuple[Limits, ...], tokens: int = 0) -> RateLimited:
    with pytest.raises(RateLimited) as caught:
        await counter.take(which, tokens)
    return caught.value


async def test_a_minute_has_so_many_requests_and_they_come_back_one_by_one(counter: Counter) -> None:
    which = (limits(rpm=3),)
    for left in (2, 1, 0):
        await counter.take(which)
        (meter,) = counter.meters
        assert (meter.kind, meter.limit, meter.left) == ("requests", 3, left)
        assert meter.full_s == pytest.approx(20 * (3 - left), abs=1)
    error = await refused(counter, which)
    assert error.retry_after_s == pytest.approx(20, abs=1)
    assert [(meter.kind, meter.left) for meter in error.meters] == [("requests", 0)]
    assert "3 requests a minute" in error.message


async def test_a_bucket_fills_again_at_its_rate(counter: Counter) -> None:
    which = (limits(tpm=60_000),)
    await counter.take(which, 60_000)
    wait = (await refused(counter, which, 200)).retry_after_s or 0
    assert 0.05 < wait <= 0.2
    await asyncio.sleep(wait + 0.05)
    await counter.take(which, 200)


async def test_tokens_that_a_run_did_not_use_go_back(counter: Counter) -> None:
    which = (limits(tpm=1000),)
    run = await counter.take(which, 800)
    assert (await refused(counter, which, 300)).retry_after_s == pytest.approx(6, abs=0.5)
    await counter.give_back(run, used=100)
    await counter.take(which, 800)
    (meter,) = counter.meters
    assert 100 <= meter.left <= 110


async def test_of_a_run_that_nobody_knows_about_all_tokens_count(counter: Counter) -> None:
    which = (limits(tpm=1000),)
    await counter.give_back(await counter.take(which, 800), used=None)
    await refused(counter, which, 300)


async def test_a_run_that_used_more_than_it_took_is_paid_for_by_the_next(counter: Counter) -> None:
    which = (limits(tpm=1000),)
    await counter.give_back(await counter.take(which, 100), used=2000)
    assert (await refused(counter, which, 100)).retry_after_s == pytest.approx(66, abs=1)


async def test_a_full_bucket_lends_one_run_that_is_larger_than_it(counter: Counter) -> None:
    which = (limits(tpm=1000),)
    await counter.take(which, 5000)
    assert (await refused(counter, which, 1)).retry_after_s == pytest.approx(240, abs=2)


async def test_a_run_that_took_long_pays_for_what_it_used_beyond(counter: Counter) -> None:
    which = (limits(tpm=60_000),)
    run = await counter.take(which, 1)
    await asyncio.sleep(0.5)  # the bucket is full again
    await counter.give_back(run, used=1000)
    await counter.take(which, 0)
    assert 59_000 <= counter.meters[0].left < 59_400


async def test_a_bucket_in_debt_tells_when_it_is_full_again(counter: Counter) -> None:
    await counter.take((limits(tpm=1000),), 5000)
    assert counter.meters[0].full_s == pytest.approx(300, abs=2)


async def test_so_many_runs_are_under_way_at_once(counter: Counter) -> None:
    which = (limits(concurrency=2),)
    first, _ = [await counter.take(which) for _ in range(2)]
    (meter,) = counter.meters
    assert (meter.kind, meter.left, meter.full_s) == ("runs", 0, None)
    assert (await refused(counter, which)).retry_after_s == 1
    await counter.give_back(first)
    await counter.take(which)
    await refused(counter, which)


async def test_a_run_is_counted_by_all_of_its_limits_or_by_none(counter: Counter) -> None:
    key, org = limits(rpm=10, tpm=100, concurrency=5), limits(rpm=1)
    await counter.take((key, org), 10)
    for _ in range(6):
        assert "1 requests a minute" in (await refused(counter, (key, org), 10)).message
    await counter.take((key,), 10)
    assert [(meter.kind, meter.left) for meter in counter.meters] == [("requests", 8), ("runs", 3), ("tokens", 80)]


async def test_a_refusal_tells_what_there_is_since_nothing_was_taken(counter: Counter) -> None:
    which = (limits(rpm=10, tpm=100, concurrency=1),)
    await counter.take(which, 30)
    told = [(meter.kind, meter.left) for meter in (await refused(counter, which, 90)).meters]
    assert told == [("requests", 9), ("runs", 0), ("tokens", 70)]


async def test_the_limits_of_one_are_not_those_of_another(counter: Counter) -> None:
    one, other = (limits(rpm=1),), (limits(rpm=1),)
    await counter.take(one)
    await refused(counter, one)
    await counter.take(other)


async def test_where_nothing_is_limited_nothing_is_told(counter: Counter) -> None:
    await counter.give_back(await counter.take((limits(),), 10))
    assert counter.meters == ()


async def test_a_limit_that_is_lowered_holds_at_once(counter: Counter) -> None:
    before = limits(rpm=100, concurrency=9)
    for _ in range(3):
        await counter.take((before,))
    await refused(counter, (limits(concurrency=3, subject=before.subject),))
    await counter.take((limits(rpm=5, subject=before.subject),))
    assert counter.meters[0].left == 4


async def test_a_request_without_a_run_takes_one_of_those_that_runs_take_and_nothing_else(counter: Counter) -> None:
    which = (limits(rpm=3, tpm=100, concurrency=1),)
    await counter.request(which)
    await counter.take(which, 60)
    assert [(meter.kind, meter.left) for meter in counter.meters] == [("requests", 1), ("runs", 0), ("tokens", 40)]
    await counter.request(which)
    assert [(meter.kind, meter.left) for meter in counter.meters] == [("requests", 0)]
    with pytest.raises(RateLimited, match="3 requests a minute") as caught:
        await counter.request(which)
    assert caught.value.retry_after_s == pytest.approx(20, abs=1)
    assert [(meter.kind, meter.left) for meter in caught.value.meters] == [("requests", 0)]
    assert "3 requests a minute" in (await refused(counter, which)).message


async def test_a_request_without_a_run_counts_for_its_key_and_its_organisation_or_for_neither(
    counter: Counter,
) -> None:
    key, org = limits(rpm=10), limits(rpm=1)
    await counter.request((key, org))
    for _ in range(3):
        with pytest.raises(RateLimited, match="1 requests a minute"):
            await counter.request((key, org))
    await counter.request((key,))
    assert counter.meters[0].left == 8


async def test_requests_without_a_run_are_counted_once_over_all_gateways(counters: Counters) -> None:
    which, gateways = (limits(rpm=50), limits(rpm=30)), await counters(4)
    asked = [gateway.request(order) for gateway in gateways for order in (which, which[::-1]) for _ in range(20)]
    told = Tally(type(said) for said in await asyncio.gather(*asked, return_exceptions=True))
    assert set(told) == {type(None), RateLimited}
    assert 30 <= told[type(None)] <= 32


@dataclass
class Scene:
    """Gateways that do what they may, and what they were allowed; `key` and `org` limit most runs, `org` all."""

    chance: random.Random
    key: Limits = field(default_factory=lambda: limits(tpm=600, concurrency=3))
    org: Limits = field(default_factory=lambda: limits(rpm=40, concurrency=4))
    live: Tally[Limits] = field(default_factory=Tally)
    tokens: int = 0
    """That the runs of the key have used, or may use yet."""
    admitted: list[tuple[float, float]] = field(default_factory=list)
    """When each was asked for, and when it was known."""
    told: set[str] = field(default_factory=set)

    async def work(self, gateway: Counter, until: float) -> None:
        """Begin runs, one after the other."""
        while (asked := time.monotonic()) < until:
            which = (self.key, self.org) if self.chance.random() < 0.8 else (self.org,)
            with suppress(RateLimited):
                try:
                    run = await gateway.take(which, 60)
                except RateLimited as error:
                    self.told.add(error.message.partition(" is")[0])
                    raise
                self.admitted.append((asked, time.monotonic()))
                await self.one(gateway, run, which)
            await asyncio.sleep(self.chance.random() * 0.02)

    async def one(self, gateway: Counter, run: UUID, which: tuple[Limits, ...]) -> None:
        """One run, to its end."""
        used = self.chance.choice([0, 0, 10, 60, None])
        self.live.update(which)
        self.tokens += 60 if self.key in which else 0
        assert self.live[self.key] <= 3
        assert self.live[self.org] <= 4
        assert self.tokens <= 600 + 10 * (time.monotonic() - self.admitted[0][0])
        await asyncio.sleep(self.chance.random() * 0.02)
        self.live.subtract(which)
        self.tokens -= 60 - used if self.key in which and used is not None else 0
        await gateway.give_back(run, used)


@pytest.mark.parametrize("seed", range(3))
async def test_gateways_together_never_admit_more_and_nothing_is_left_behind(counters: Counters, seed: int) -> None:
    scene = Scene(random.Random(seed))  # noqa: S311 - a test that can be repeated
    gateways = await counters(6)
    until = time.monotonic() + 1.0
    await asyncio.gather(*(scene.work(gateway, until) for gateway in gateways))

    windows = [(asked, known) for asked, _ in scene.admitted for _, known in scene.admitted if known > asked]
    for begins, ends in windows:
        within = sum(begins <= asked and known <= ends for asked, known in scene.admitted)
        assert within <= 40 + (ends - begins) * 40 / 60
    assert scene.told
    assert len(scene.admitted) > 20

    at_once = (limits(concurrency=3, subject=scene.key.subject), limits(concurrency=3, subject=scene.org.subject))
    for _ in range(3):
        await gateways[0].take(at_once)
    assert [meter.left for meter in gateways[0].meters] == [0, 0]
    await refused(gateways[1], at_once)
