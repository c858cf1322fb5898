"""The whole gateway over scripted upstreams on loopback: what callers, operators and receipts see of faults."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs
from tests.api.wire import completion, error
from tests.providers.upstream import answer, running
from tests.serving import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.providers.upstream import Upstream
    from tests.serving import Served

KEY = "sk-canary-of-the-provider-key"
PROVIDER = """
[[providers]]
id = "{id}-host"
kind = "openai"
base_url = "{url}"
api_key_env = "UPSTREAM_KEY"
{more}

[[models]]
id = "{id}"
provider = "{id}-host"
tier = "mid"
input_usd_per_mtok = 1
output_usd_per_mtok = 1
context_window = {window}
quality = {{ default = 0.8 }}
"""
BUSY = answer(b"{}", "503 Service Unavailable")
TOO_LONG = answer(b'{"error": {"code": "context_length_exceeded"}}', "400 Bad Request")
FILTERED = answer(b'{"error": {"code": "content_filter"}}', "400 Bad Request")


@pytest.fixture
def upstreams() -> Iterator[dict[str, Upstream]]:
    loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    found: dict[str, Upstream] = {}

    async def serve() -> None:
        async with running() as left, running() as right:
            found.update(left=left, right=right)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait()
    yield found
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


@pytest.fixture
def gateway(database_url: str, tmp_path: Path, upstreams: dict[str, Upstream]) -> Iterator[Served]:
    toml = PROVIDER.format(id="left", url=upstreams["left"].url, more="retries = 1", window=32_000)
    toml += PROVIDER.format(id="right", url=upstreams["right"].url, more="retries = 0", window=64_000)
    toml += '[fallbacks]\nright = ["left"]\n'
    with served(tmp_path, toml, database_url, {"UPSTREAM_KEY": KEY}) as found:
        yield found


def told(gateway: Served, model: str = "left") -> tuple[str, bool]:
    found: dict[str, Any] = gateway.http.get(f"/v1/models/{model}").json()
    return found["breaker"], found["live"]


def test_every_try_is_in_the_receipt_and_in_the_metrics(gateway: Served, upstreams: dict[str, Upstream]) -> None:
    upstreams["left"].plays(BUSY)
    failed = gateway.chat("left")
    assert (error(failed), len(upstreams["left"].seen)) == ((502, "provider_error"), 2)
    assert _attempts(gateway, failed.headers["x-prysm-proof-url"]) == [["unavailable", "unavailable"]]
    metrics = gateway.http.get("/metrics").text
    assert 'prysm_retries_total{failure="unavailable",model="left"} 1.0' in metrics
    assert 'prysm_attempts_total{model="left",outcome="unavailable"} 2.0' in metrics


def test_a_prompt_that_no_answer_can_be_made_of_switches_no_model_off(
    gateway: Served, upstreams: dict[str, Upstream]
) -> None:
    upstreams["left"].plays(answer(b'{"choices": [{"message": {"content": null}, "finish_reason": "odd"}]}'))
    failed = [gateway.chat("left") for _ in range(8)]
    assert {error(response) for response in failed} == {(502, "provider_error")}
    assert (told(gateway), len(upstreams["left"].seen)) == (("closed", True), 8)
    assert _attempts(gateway, failed[-1].headers["x-prysm-proof-url"]) == [["no_answer"]]


def test_a_refusal_by_status_is_not_billed_and_is_tried_again_under_a_ceiling(
    gateway: Served, upstreams: dict[str, Upstream]
) -> None:
    upstreams["left"].plays(BUSY)
    assert "x-should-retry" not in gateway.chat("left").headers
    upstreams["left"].plays_in_turn((BUSY,), (completion("Paris"),))
    answered = gateway.chat("left", max_cost_usd=1.0)
    assert answered.json()["usage"]["prompt_tokens"] == 10


def test_a_model_that_keeps_failing_is_left_alone_and_everyone_is_told(
    gateway: Served, upstreams: dict[str, Upstream]
) -> None:
    upstreams["left"].plays(BUSY)
    assert told(gateway) == ("closed", True)
    for _ in range(3):
        gateway.chat("left")
    asked = len(upstreams["left"].seen)
    refused = gateway.chat("left")
    assert (error(refused), told(gateway)) == ((503, "no_provider_available"), ("open", False))
    assert 1 <= int(refused.headers["retry-after"]) <= 5
    assert "tried again in" in refused.text
    assert 'prysm_breaker_state{model="left",provider="left-host"} 2.0' in gateway.http.get("/metrics").text
    upstreams["right"].plays(completion("Paris"))
    assert gateway.chat("auto").json()["model"] == "right"
    assert len(upstreams["left"].seen) == asked == 5


def test_models_that_429s_hold_back_are_told_as_429_with_the_time_to_come_back(
    gateway: Served, upstreams: dict[str, Upstream]
) -> None:
    for upstream in upstreams.values():
        upstream.plays(answer(b"{}", "429 Too Many Requests"))
    for name in ("left", "right"):
        while told(gateway, name)[0] == "closed":
            refused = gateway.chat(name)
            assert error(refused) == (429, "rate_limit_exceeded")
    for model in ("left", "auto"):
        refused = gateway.chat(model)
        assert error(refused) == (429, "rate_limit_exceeded")
        assert 1 <= int(refused.headers["retry-after"]) <= 5


def test_a_pinned_model_that_is_left_alone_is_stood_in_for_by_its_chain(
    gateway: Served, upstreams: dict[str, Upstream]
) -> None:
    upstreams["right"].plays(BUSY)
    upstreams["left"].plays(completion("Paris"))
    answers = [gateway.chat("right") for _ in range(6)]
    assert [response.status_code for response in answers] == [200] * 6
    assert len(upstreams["right"].seen) == 5
    assert _attempts(gateway, answers[-1].headers["x-prysm-proof-url"]) == [["circuit_open"], [None]]
    assert told(gateway, "right") == ("open", False)


def test_a_refused_key_is_logged_once_without_the_key(gateway: Served, upstreams: dict[str, Upstream]) -> None:
    upstreams["left"].plays(answer(b"{}", "401 Unauthorized"))
    with capture_logs() as logs:
        first = gateway.chat("left")
        second = gateway.chat("left")
    assert error(second) == (503, "no_provider_available")
    assert "'left-host' refused its API key; check the key in UPSTREAM_KEY" in second.text
    assert (error(first), first.headers["x-should-retry"]) == ((502, "provider_error"), "false")
    assert len(upstreams["left"].seen) == 1
    lines = [line for line in logs if line["event"] == "switched off while it fails"]
    assert [(line["what"], line["provider"]) for line in lines] == [("credential", "left-host")]
    assert KEY not in str(logs)


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_when_all_limit_the_rate_so_do_we_and_pass_the_least_wait_on(
    gateway: Served, upstreams: dict[str, Upstream], *, stream: bool
) -> None:
    upstreams["right"].plays(answer(b"{}", "429 Too Many Requests", retry_after="40"))
    upstreams["left"].plays(answer(b"{}", "429 Too Many Requests", retry_after="30"))
    response = gateway.chat("right", stream=stream)
    assert (error(response), response.headers["retry-after"]) == ((429, "rate_limit_exceeded"), "30")
    assert "x-should-retry" not in response.headers


def test_a_prompt_too_long_for_one_model_goes_to_none_that_is_smaller(
    gateway: Served, upstreams: dict[str, Upstream]
) -> None:
    upstreams["right"].plays(TOO_LONG)
    response = gateway.chat("right")
    assert error(response) == (400, "context_length_exceeded")
    assert (response.json()["error"]["param"], response.headers["x-should-retry"]) == ("messages", "false")
    assert not upstreams["left"].seen


@pytest.mark.parametrize(
    ("script", "code", "told"),
    [
        (FILTERED, "content_filter", (400, "content_filter")),
        (answer(b"{}", "404 No"), "rejected", (502, "provider_error")),
    ],
)
def test_what_would_fail_again_says_so(
    gateway: Served, upstreams: dict[str, Upstream], script: bytes, code: str, told: tuple[int, str]
) -> None:
    upstreams["left"].plays(script)
    response = gateway.chat("left")
    assert (error(response), response.headers["x-should-retry"]) == (told, "false")
    assert _attempts(gateway, response.headers["x-prysm-proof-url"]) == [[code]]


def test_the_deadline_bounds_the_wait_between_tries(gateway: Served, upstreams: dict[str, Upstream]) -> None:
    upstreams["left"].plays(answer(b"{}", "503 Service Unavailable", retry_after="8"))
    response = gateway.orchestrate(strategy="single", models=["left"], deadline_s=2)
    assert (response.status_code, len(upstreams["left"].seen)) == (502, 1)
    assert response.elapsed.total_seconds() < 2


def _attempts(gateway: Served, proof_url: str) -> list[list[str | None]]:
    """How each try of each call of a run ended, from its receipt."""
    listed = []
    for i in range(9):
        found = gateway.http.get(f"{proof_url}/stages/{i}").json()
        if "body" not in found:
            break
        stage = json.loads(base64.b64decode(found["body"]))
        if stage["model"]:
            listed.append([attempt["code"] for attempt in stage["attempts"]])
    return listed
