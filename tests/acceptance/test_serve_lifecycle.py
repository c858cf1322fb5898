"""`prysm serve` from its first line to its last, as an operator sees it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import orjson
import psutil
import pytest
from tests.api.wire import completion
from tests.providers.upstream import Act
from tests.serving import AUTHORIZED, SANDBOX

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.conftest import Process
    from tests.providers.upstream import Upstream

ASKED: dict[str, Any] = {"model": "left", "messages": [{"role": "user", "content": "Hi"}]}


def test_a_newcomer_gets_a_real_answer_by_the_printed_line_and_kill_9_leaves_nothing_behind(
    serve: Callable[..., Process], tmp_path: Path
) -> None:
    first = serve(PRYSM_ROOT_KEY="").wait_ready()
    printed = next(line for line in first.log().splitlines() if line.startswith("  curl "))
    done = subprocess.run(printed, shell=True, cwd=tmp_path, capture_output=True, check=True)  # noqa: S602 - as a newcomer does
    answer = orjson.loads(done.stdout)
    assert answer["choices"][0]["message"]["content"]
    assert answer["prysm"]["simulated"] is False
    assert {"postgres", "python"} <= {_kind(process) for process in first.family}
    first.popen.kill()
    assert first.survivors(10.0) == []

    began = time.monotonic()
    second = serve().wait_ready()
    assert time.monotonic() - began < 10  # under 3 s on an idle machine
    assert second.get(answer["prysm"]["proof"]["url"]).json()["verified"] is True
    second.popen.send_signal(signal.SIGTERM)
    assert second.popen.wait(15) == 0
    assert second.survivors(1.0) == []


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
async def test_a_running_request_is_finished_and_no_new_one_begun(
    serve: Callable[..., Process], database_url: str, upstream: Upstream, ending: signal.Signals
) -> None:
    upstream.plays(1.0, completion("Paris"))
    gateway = await _started(serve, database_url, upstream)
    running = asyncio.create_task(_ask(gateway))
    await _until(lambda: bool(upstream.seen))
    if ending == signal.SIGINT:
        os.killpg(gateway.popen.pid, ending)  # as a terminal does
    else:
        gateway.popen.send_signal(ending)
    await asyncio.sleep(0.4)
    assert await _refuses_connections(gateway)
    answer = await running
    assert (answer.status_code, answer.json()["choices"][0]["message"]["content"]) == (200, "Paris")
    assert await asyncio.to_thread(gateway.popen.wait, 10) == 0


async def test_requests_that_outlast_the_drain_are_sealed_as_interrupted(
    serve: Callable[..., Process], database_url: str, upstream: Upstream
) -> None:
    upstream.plays(Act.HANG)
    gateway = await _started(serve, database_url, upstream, "[server]\ndrain_timeout_s = 1\n")
    bodies = [
        ASKED,
        ASKED | {"model": "prysm/self_consistency"},
        ASKED | {"model": "prysm/cascade", "stream": True},
    ]
    running = [asyncio.create_task(_ask(gateway, body)) for body in bodies]
    await _until(lambda: len(upstream.seen) >= len(bodies))
    gateway.popen.send_signal(signal.SIGTERM)
    *plain, streamed = await asyncio.gather(*running)
    for answer in plain:
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "overloaded")
        assert answer.headers["x-should-retry"] == "false"
    assert '"code":"overloaded"' in streamed.text
    assert "[DONE]" not in streamed.text
    assert await asyncio.to_thread(gateway.popen.wait, 10) == 0
    outcomes = {record["request_id"]: record["outcome"] for record in await _records(database_url)}
    assert outcomes == {answer.headers["x-request-id"]: "interrupted" for answer in (*plain, streamed)}
    assert "Traceback" not in gateway.log()


def test_two_workers_serve_count_together_and_end_with_their_parent(
    serve: Callable[..., Process], database_url: str
) -> None:
    gateway = serve("--workers", "2", toml=SANDBOX, PRYSM_DATABASE_URL=database_url).wait_ready()
    workers = [process for process in gateway.family if "spawn_main" in " ".join(process.cmdline())]
    assert len(workers) == 2
    for idle in workers:  # so that it is the other one that answers
        idle.suspend()
        for _ in range(3):
            assert gateway.post("/v2/orchestrate", {"prompt": "Hi", "strategy": "single"}).status_code == 200
        idle.resume()
    assert _runs_counted(gateway) == 6
    gateway.popen.kill()
    assert gateway.survivors(4.0) == []


async def test_two_workers_drain_together(
    serve: Callable[..., Process], database_url: str, upstream: Upstream
) -> None:
    upstream.plays(1.0, completion("Paris"))
    gateway = await _started(serve, database_url, upstream, arguments=("--workers", "2"))
    running = [asyncio.create_task(_ask(gateway)) for _ in range(4)]
    await _until(lambda: len(upstream.seen) == 4)
    gateway.popen.send_signal(signal.SIGTERM)
    assert {answer.status_code for answer in await asyncio.gather(*running)} == {200}
    assert await asyncio.to_thread(gateway.popen.wait, 10) == 0
    assert gateway.survivors(1.0) == []


async def _started(
    serve: Callable[..., Process],
    database_url: str,
    upstream: Upstream,
    server: str = "",
    arguments: tuple[str, ...] = (),
) -> Process:
    toml = f"""{server}
        [[providers]]
        id = "left-host"
        kind = "openai"
        base_url = "{upstream.url}"

        [[models]]
        id = "left"
        provider = "left-host"
        tier = "mid"
    """
    process = serve(*arguments, toml=toml, PRYSM_DATABASE_URL=database_url)
    return await asyncio.to_thread(process.wait_ready)


async def _ask(gateway: Process, body: dict[str, Any] = ASKED) -> httpx.Response:
    async with httpx.AsyncClient(headers=AUTHORIZED, timeout=20) as http:
        return await http.post(f"{gateway.url}/v1/chat/completions", json=body)


async def _refuses_connections(gateway: Process) -> bool:
    try:
        await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
    except ConnectionRefusedError:
        return True
    return False


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - another process brings it about
            await asyncio.sleep(0.01)


async def _records(database_url: str) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(database_url)
    try:
        return [orjson.loads(row["payload"]) for row in await connection.fetch("SELECT payload FROM receipt")]
    finally:
        await connection.close()


def _runs_counted(gateway: Process) -> int:
    """What /metrics says, whichever worker answers it."""
    line = 'prysm_runs_total{outcome="ok",strategy="single"} '
    found = next(item for item in gateway.get("/metrics").text.splitlines() if item.startswith(line))
    return round(float(found.removeprefix(line)))


def _kind(process: psutil.Process) -> str:
    with suppress(psutil.NoSuchProcess):  # Postgres has one for each connection, and some end at once
        return process.name().rstrip("0123456789.")
    return "gone"
