"""Idempotency keys through kill -9, and a database that goes away: nothing is paid for twice."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.acceptance.aftermath import settled
from tests.acceptance.kills import begin, kill_gateway
from tests.acceptance.traces import files, holding, spellings
from tests.api.wire import completion, streamed
from tests.providers.upstream import Act
from tests.serving import AUTHORIZED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.conftest import Process
    from tests.acceptance.outside import Outside
    from tests.providers.upstream import Upstream

CHAT = "/v1/chat/completions"
ASKED: dict[str, Any] = {"model": "left", "messages": [{"role": "user", "content": "Hi"}]}
MARK = "zqtext8e1f5b3c0d9aqz"
SENT_KEY = "zqkey4b7d2a6f8c1eqz"
CONTROL = "zqcontrol1c9e4f7a2b8dqz"
TOML = """
[[models]]
id = "left"
provider = "host"
tier = "mid"
input_usd_per_mtok = 1
output_usd_per_mtok = 1
[[providers]]
id = "host"
kind = "openai"
base_url = "{url}"
retries = 0
"""


def ask(gateway: Process, key: str, *, stream: bool = False) -> httpx.Response:
    headers = {**AUTHORIZED, "idempotency-key": key}
    return httpx.post(gateway.url + CHAT, json=ASKED | {"stream": stream}, headers=headers, timeout=30)


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_what_a_client_saw_to_its_end_is_replayed_after_a_crash(
    serve: Callable[..., Process], database_url: str, upstream: Upstream, *, stream: bool
) -> None:
    """Whoever has the last byte has what is stored: the gateway is killed the moment it comes."""
    upstream.plays(streamed("Par", "is") if stream else completion("Paris"))
    toml, shared = TOML.format(url=upstream.url), {"PRYSM_DATABASE_URL": database_url}
    gateway = await asyncio.to_thread(begin, serve, 1, None, toml, **shared)
    body, last = b"", b"[DONE]" if stream else b'"openings"'
    headers = {**AUTHORIZED, "idempotency-key": "k"}
    async with (
        httpx.AsyncClient(trust_env=False) as http,
        http.stream("POST", gateway.url + CHAT, json=ASKED | {"stream": stream}, headers=headers) as response,
    ):
        with suppress(httpx.TransportError):  # the end of the chunks may be lost, all that they say is there
            async for chunk in response.aiter_raw():
                body += chunk
                if last in body:
                    os.killpg(gateway.popen.pid, signal.SIGKILL)
    assert last in body
    gateway.popen.wait()
    successor = await asyncio.to_thread(begin, serve, 1, gateway, toml, **shared)
    again = await asyncio.to_thread(ask, successor, "k", stream=stream)
    assert (again.status_code, again.headers["idempotent-replayed"], again.content) == (200, "true", body)
    assert len(upstream.seen) == 1


async def test_a_run_that_a_crash_cut_off_is_named_and_not_run_again(
    serve: Callable[..., Process], database_url: str, upstream: Upstream
) -> None:
    upstream.plays(Act.HANG)
    toml, shared = TOML.format(url=upstream.url), {"PRYSM_DATABASE_URL": database_url}
    gateway = await asyncio.to_thread(begin, serve, 1, None, toml, **shared)
    running = asyncio.create_task(asyncio.to_thread(ask, gateway, "k"))
    async with asyncio.timeout(10):
        while not upstream.seen:  # noqa: ASYNC110 - the gateway brings it about
            await asyncio.sleep(0.02)
    kill_gateway(gateway)
    await asyncio.gather(running, return_exceptions=True)
    upstream.plays(completion("Paris"))
    successor = await asyncio.to_thread(begin, serve, 1, gateway, toml, **shared)
    refused = await asyncio.to_thread(ask, successor, "k")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "replay_unavailable")
    assert refused.headers["x-should-retry"] == "false"
    assert len(upstream.seen) == 1
    run = refused.json()["error"]["message"].split()[2]
    await settled(database_url)
    assert successor.get(f"/v1/proof/{run}").json()["entry"]["outcome"] == "interrupted"
    assert (await asyncio.to_thread(ask, successor, "another")).status_code == httpx.codes.OK


async def test_while_the_database_is_away_no_key_is_taken_and_no_answer_is_lost(
    serve: Callable[..., Process], outside: Outside, upstream: Upstream
) -> None:
    """Spooling, the gateway goes on without the database: but not under a key that it cannot look up."""
    upstream.plays(1.5, completion("Paris"))
    toml = TOML.format(url=upstream.url) + '[proof]\nseal = "spool"\n'
    gateway = await asyncio.to_thread(begin, serve, 1, None, toml, PRYSM_DATABASE_URL=outside.url)
    running = asyncio.create_task(asyncio.to_thread(ask, gateway, "k"))
    async with asyncio.timeout(10):
        while not upstream.seen:  # noqa: ASYNC110 - the gateway brings it about
            await asyncio.sleep(0.02)
    await asyncio.to_thread(outside.stop)
    withheld, refused = await asyncio.gather(running, asyncio.to_thread(ask, gateway, "another"))
    for response in (withheld, refused):
        assert (response.status_code, response.json()["error"]["code"]) == (503, "proof_unavailable")
        assert "x-should-retry" not in response.headers
    assert len(upstream.seen) == 1
    await asyncio.to_thread(outside.start)
    again = await asyncio.to_thread(_until_answered, gateway)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["prysm"]["request_id"] == withheld.headers["x-request-id"]
    assert len(upstream.seen) == 1


def _until_answered(gateway: Process) -> httpx.Response:
    for _ in range(20):
        answer = ask(gateway, "k")
        if answer.status_code == httpx.codes.OK:
            return answer
    raise TimeoutError(answer.text)


async def test_the_database_holds_no_text_and_no_new_key_of_what_was_sent_under_a_key(
    serve: Callable[..., Process], outside: Outside, upstream: Upstream, tmp_path: Path
) -> None:
    toml = TOML.format(url=upstream.url)
    gateway = await asyncio.to_thread(begin, serve, 1, None, toml, PRYSM_DATABASE_URL=outside.url)
    async with httpx.AsyncClient(base_url=gateway.url, headers=AUTHORIZED, trust_env=False) as http:
        for i, more in enumerate(({}, {"retention": "zero"})):
            for stream in (False, True):
                upstream.plays(streamed(MARK) if stream else completion(MARK))
                asked = ASKED | {"messages": [{"role": "user", "content": MARK}], "stream": stream} | more
                key = {"idempotency-key": f"{SENT_KEY} {i} {stream}"}
                statuses = [(await http.post(CHAT, json=asked, headers=key)).status_code for _ in range(2)]
                assert statuses == [200, 409 if more else 200]
        made = await http.post("/v1/keys", json={"name": "a key"}, headers={"idempotency-key": SENT_KEY})
        shown = made.json()["key"]
        kept = await http.post("/v1/projects", json={"name": CONTROL}, headers={"idempotency-key": CONTROL})
        assert (made.status_code, kept.status_code) == (201, 201)
    await asyncio.to_thread(outside.stop)
    left = [*files(outside.folder, tmp_path)]
    assert holding(left, spellings(CONTROL)) != {}  # the name of a project: the search does see what is there
    assert holding(left, spellings(MARK) | spellings(SENT_KEY) | spellings(shown)) == {}
    await asyncio.to_thread(outside.start)
