"""The database is away: what is withheld, what is spooled, and what becomes of it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import pytest
from tests.acceptance.aftermath import check_heard, exported, fetched, outcome, pinned, settled
from tests.acceptance.callers import calling
from tests.acceptance.kills import begin, chance, kill_gateway, until_it_answers
from tests.api.wire import completion
from tests.providers.upstream import Act
from tests.serving import AUTHORIZED, SANDBOX
from tests.store.waiting import eventually

from prysm.proof.verify import verify_document

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.conftest import Process
    from tests.acceptance.outside import Outside
    from tests.providers.upstream import Upstream

ASKED: dict[str, Any] = {"model": "sandbox-strong", "messages": [{"role": "user", "content": "What is 17 * 23?"}]}
SPOOLING = SANDBOX + '[proof]\nseal = "spool"\n'
LEFT = """
[[providers]]
id = "left-host"
kind = "openai"
base_url = "{url}"

[[models]]
id = "left"
provider = "left-host"
tier = "mid"
"""
PATIENCE_S = 20.0


def test_without_a_database_an_answer_is_withheld_and_no_other_is_paid_for(
    serve: Callable[..., Process], outside: Outside
) -> None:
    gateway = serve(toml=SANDBOX, PRYSM_DATABASE_URL=outside.url).wait_ready()
    assert gateway.post("/v1/chat/completions", ASKED).status_code == 200
    outside.stop()
    paid = gateway.post("/v1/chat/completions", ASKED)
    assert _refusal(paid) == (503, "proof_unavailable")
    assert paid.headers["x-should-retry"] == "false"
    calls = _calls(gateway)
    for body in (ASKED, ASKED | {"stream": True}):
        refused = gateway.post("/v1/chat/completions", body)
        assert _refusal(refused) == (503, "proof_unavailable")
        assert "x-should-retry" not in refused.headers
    assert _calls(gateway) == calls
    outside.start()
    _until(lambda: gateway.post("/v1/chat/completions", ASKED).status_code == 200)


def test_a_spool_that_cannot_be_used_is_told_at_the_start(
    serve: Callable[..., Process], database_url: str, tmp_path: Path
) -> None:
    (tmp_path / ".prysm").mkdir()
    (tmp_path / ".prysm" / "spool").write_text("no folder")
    gateway = serve("--workers", "2", toml=SPOOLING, PRYSM_DATABASE_URL=database_url)
    assert gateway.popen.wait(30) == 2
    (line,) = gateway.log().splitlines()
    assert line.startswith("prysm: Cannot spool receipts in .prysm/spool: File exists.")


async def test_after_a_crash_a_run_cut_off_is_sealed_soon_and_one_that_was_spooled_stays_what_it_was(
    serve: Callable[..., Process], outside: Outside, upstream: Upstream, tmp_path: Path
) -> None:
    away, shared = threading.Event(), {"PRYSM_DATABASE_URL": outside.url}
    upstream.plays_in_turn((away, completion("391")), (Act.HANG,))
    left = LEFT.format(url=upstream.url)
    gateway = await asyncio.to_thread(begin, serve, 1, None, SPOOLING + left, **shared)
    asked = ASKED | {"model": "left"}
    answered = asyncio.create_task(asyncio.to_thread(gateway.post, "/v1/chat/completions", asked))
    await eventually(lambda: upstream.seen)
    cut_off = asyncio.create_task(asyncio.to_thread(gateway.post, "/v1/chat/completions", asked))
    await eventually(lambda: len(upstream.seen) == 2)
    await _intents(outside.url, 2)
    await asyncio.to_thread(outside.stop)
    away.set()
    spooled = _state((await answered).json()["prysm"])
    kill_gateway(gateway)
    with pytest.raises(httpx.TransportError):
        await cut_off
    await asyncio.to_thread(outside.start)
    gateway = await asyncio.to_thread(begin, serve, 1, gateway, SPOOLING, **shared)
    await settled(outside.url)
    keys = pinned(gateway.get("/.well-known/prysm-keys.json").json())
    outcomes = {name: outcome(found) for name, found in exported(tmp_path, keys, **shared).items()}
    assert outcomes.pop(spooled) == "ok"
    assert list(outcomes.values()) == ["interrupted"]


def test_spooled_receipts_reach_the_log_when_the_database_is_back_or_another_gateway_starts(
    serve: Callable[..., Process], outside: Outside, tmp_path: Path
) -> None:
    spool = tmp_path / ".prysm" / "spool"
    gateway = serve(toml=SPOOLING, PRYSM_DATABASE_URL=outside.url).wait_ready()
    sealed = gateway.post("/v1/chat/completions", ASKED).json()
    assert (sealed["prysm"]["proof"]["state"], sealed["prysm"]["proof"]["verifiable"]) == ("sealed", True)
    keys = pinned(gateway.get("/.well-known/prysm-keys.json").json())

    outside.stop()
    ids = {_spooled(gateway), _spooled_stream(gateway)}
    ready = gateway.get("/ready")
    assert (ready.status_code, ready.json()["database"], ready.json()["spooling"]) == (200, False, True)
    assert {path.name for path in spool.iterdir()} == {f"{request_id}.receipt" for request_id in ids}
    outside.start()
    _until(lambda: not list(spool.iterdir()))
    for request_id in ids:
        assert verify_document(fetched(gateway, request_id), request_id, keys=keys).ok

    outside.stop()
    ids = {_spooled(gateway), _spooled_stream(gateway)}
    gateway.popen.kill()
    gateway.popen.wait()
    outside.start()
    successor = serve(PRYSM_DATABASE_URL=outside.url).wait_ready()
    _until(lambda: not list(spool.iterdir()))
    for request_id in ids:
        assert verify_document(fetched(successor, request_id), request_id, keys=keys).ok


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_no_answer_that_was_spooled_is_lost_in_crashes(
    serve: Callable[..., Process], outside: Outside, tmp_path: Path
) -> None:
    spool, shared = tmp_path / ".prysm" / "spool", {"PRYSM_DATABASE_URL": outside.url}

    def start(before: Process | None) -> Process:
        return begin(serve, 1, before, SPOOLING, **shared)

    gateway = await asyncio.to_thread(start, None)
    async with calling([gateway]) as heard:
        for crash in (False, True) * 4:
            await asyncio.sleep(chance.uniform(0.2, 1.0))
            await asyncio.to_thread(outside.stop)
            await asyncio.sleep(chance.uniform(2.0, 4.0))
            if crash:
                kill_gateway(gateway)
            await asyncio.to_thread(outside.start)
            if crash:
                gateway = await asyncio.to_thread(start, gateway)
            await asyncio.to_thread(until_it_answers, gateway)
    _until(lambda: not list(spool.glob("*.receipt")))
    await settled(outside.url)
    keys = pinned(gateway.get("/.well-known/prysm-keys.json").json())
    receipts = exported(tmp_path, keys, **shared)
    heard.begun &= receipts.keys()  # of a run that began while the database was away there may be no trace
    check_heard(heard, receipts, keys)
    assert not list(spool.glob("*.bad"))
    states = Counter(answer["prysm"]["proof"]["state"] for answer in heard.answers.values())
    assert states.keys() == {"sealed", "spooled"}


async def _intents(url: str, number: int) -> None:
    """Wait until so many runs have been written down."""
    connection = await asyncpg.connect(url)
    await eventually(lambda: connection.fetchval("SELECT count(*) = $1 FROM intent", number))
    await connection.close()


def _spooled(gateway: Process) -> str:
    answer = gateway.post("/v1/chat/completions", ASKED)
    assert answer.status_code == 200
    return _state(answer.json()["prysm"])


def _spooled_stream(gateway: Process) -> str:
    lines = gateway.post("/v1/chat/completions", ASKED | {"stream": True}).text.splitlines()
    assert "data: [DONE]" in lines
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    return _state(events[-1]["prysm"])


def _state(prysm: dict[str, Any]) -> str:
    assert (prysm["proof"]["state"], prysm["proof"]["verifiable"]) == ("spooled", False)
    return str(prysm["request_id"])


def _refusal(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def _calls(gateway: Process) -> list[str]:
    lines = httpx.get(gateway.url + "/metrics", headers=AUTHORIZED).text.splitlines()
    return [line for line in lines if line.startswith("prysm_calls_total")]


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)
