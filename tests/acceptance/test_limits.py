"""Limits of a key over two gateways, counted in Postgres and in a Redis: what is allowed is allowed once in all."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.acceptance.conftest import launching
from tests.databases import database
from tests.redis_server import redis_server
from tests.serving import SANDBOX

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.acceptance.conftest import Process

ASKED = {"model": "sandbox-mid", "messages": [{"role": "user", "content": "Name a colour."}], "max_tokens": 32}
RUNS = 80


@pytest.fixture(scope="module", params=["postgres", "redis"])
def gateways(
    request: pytest.FixtureRequest, postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Process]]:
    """Two, for all tests: each asks with a key of its own."""
    with ExitStack() as stack:
        shared = {
            "PRYSM_DATABASE_URL": stack.enter_context(database(postgres_url)),
            "PRYSM_ENCRYPTION_KEY": "one key for both of them",
        }
        if request.param == "redis":
            shared["PRYSM_REDIS_URL"] = stack.enter_context(redis_server())
        serve = stack.enter_context(launching(tmp_path_factory.mktemp("limits")))
        started = [serve(toml=SANDBOX, PRYSM_DATA_DIR=name, **shared) for name in ("one", "two")]
        yield [gateway.wait_ready() for gateway in started]


def key(gateway: Process, **limits: int) -> dict[str, str]:
    made = gateway.post("/v1/keys", {"name": "limited", "role": "member", **limits})
    assert made.is_success, made.text
    return {"authorization": f"Bearer {made.json()['key']}"}


async def ask(gateways: Sequence[Process], headers: dict[str, str]) -> list[httpx.Response]:
    """Many requests at once, over all gateways in turn."""
    async with httpx.AsyncClient(headers=headers, timeout=60, trust_env=False) as http:
        urls = [gateways[i % len(gateways)].url + "/v1/chat/completions" for i in range(RUNS)]
        return await asyncio.gather(*(http.post(url, json=ASKED) for url in urls))


async def one_by_one(gateway: Process, headers: dict[str, str]) -> httpx.Response:
    """One request alone."""
    async with httpx.AsyncClient(headers=headers, timeout=20, trust_env=False) as http:
        return await http.post(gateway.url + "/v1/chat/completions", json=ASKED)


async def test_requests_a_minute_are_counted_once_over_all_gateways(gateways: list[Process]) -> None:
    answers = await ask(gateways, key(gateways[0], rpm=20))
    told = Counter(answer.status_code for answer in answers)
    assert set(told) == {200, 429}
    assert 20 <= told[200] <= 23  # a bucket of twenty fills at one in three seconds
    for answer in answers:
        assert answer.headers["x-ratelimit-limit-requests"] == "20"
        assert int(answer.headers["x-ratelimit-remaining-requests"]) < 20
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["error"]["code"] == "rate_limit_exceeded"


async def test_requests_that_make_no_run_are_counted_among_them(gateways: list[Process]) -> None:
    headers = key(gateways[0], rpm=20, concurrency=1)
    plan = {"prompt": "Name a colour.", "dry_run": True}
    count = {"model": ASKED["model"], "messages": ASKED["messages"]}
    bodies = {
        "/v1/route": {"prompt": "Name a colour."},
        "/v2/orchestrate": plan,
        "/v1/messages/count_tokens": count,
    }
    async with httpx.AsyncClient(headers=headers, timeout=60, trust_env=False) as http:
        urls = [(gateway.url + path, body) for gateway in gateways for path, body in bodies.items()] * 10
        answers = await asyncio.gather(*(http.post(url, json=body) for url, body in urls))
    told = Counter(answer.status_code for answer in answers)
    assert set(told) == {200, 429}
    assert 20 <= told[200] <= 22
    assert all(answer.headers["x-ratelimit-limit-requests"] == "20" for answer in answers)
    assert (await one_by_one(gateways[1], headers)).status_code == httpx.codes.TOO_MANY_REQUESTS


async def test_requests_at_once_are_counted_once_over_all_gateways_and_come_free(gateways: list[Process]) -> None:
    headers = key(gateways[0], concurrency=3)
    told = Counter(answer.status_code for answer in await ask(gateways, headers))
    assert set(told) == {200, 429}
    await asyncio.sleep(0.5)
    one = await one_by_one(gateways[1], headers)
    assert one.status_code == httpx.codes.OK


async def test_tokens_a_minute_are_trued_up_to_what_was_used(gateways: list[Process]) -> None:
    headers = key(gateways[0], tpm=1000)
    first = await one_by_one(gateways[0], headers)
    await asyncio.sleep(0.5)
    second = await one_by_one(gateways[1], headers)
    used = first.json()["usage"]["total_tokens"]
    held = 1000 - int(first.headers["x-ratelimit-remaining-tokens"])
    left = int(second.headers["x-ratelimit-remaining-tokens"])
    assert used < held
    assert 1000 - used - held <= left <= 1000 - held
