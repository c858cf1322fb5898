from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs
from tests.serving import SANDBOX, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.serving import Served

    Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def gateway(database_url: str, tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, SANDBOX, database_url) as found:
        yield found


def test_runs_calls_tokens_cost_and_confidence_are_counted(gateway: Served) -> None:
    answer = gateway.orchestrate(strategy="ensemble_moa", models=["sandbox-mid", "sandbox-strong"]).json()
    samples = _scrape(gateway)
    calls = [call for call in answer["prysm"]["calls"] if call["model"] == "sandbox-strong"]
    assert _value(samples, "prysm_runs_total", strategy="ensemble_moa", outcome="ok") == 1
    assert _value(samples, "prysm_run_seconds_count", strategy="ensemble_moa") == 1
    assert sum(v for (name, labels), v in samples.items() if name == "prysm_confidence_count") == 1
    assert _value(samples, "prysm_calls_total", model="sandbox-strong", status="ok") == len(calls)
    assert _value(samples, "prysm_call_seconds_count", model="sandbox-strong") == len(calls)
    tokens = sum(call["tokens_out"] for call in calls)
    assert (
        _value(samples, "prysm_tokens_total", strategy="ensemble_moa", model="sandbox-strong", direction="out")
        == tokens
    )
    cost = sum(call["cost_usd"] for call in calls)
    assert _value(
        samples, "prysm_cost_usd_total", strategy="ensemble_moa", model="sandbox-strong"
    ) == pytest.approx(cost)


def test_a_call_without_a_price_is_counted_apart_and_not_as_free(gateway: Served) -> None:
    gateway.chat("team/with-slash")
    samples = _scrape(gateway)
    assert _value(samples, "prysm_unpriced_calls_total", model="team/with-slash") == 1
    assert not any(
        name == "prysm_cost_usd_total" and "team/with-slash" in dict(labels).values() for name, labels in samples
    )


def test_http_answers_are_counted_by_route_and_never_by_what_a_caller_made_up(gateway: Served) -> None:
    for path in ("/made-up-1", "/made-up-2", "/v1/models/made-up-3", "/v1/proof/made-up-4"):
        gateway.http.get(path)
    assert "made-up" not in gateway.http.get("/metrics").text
    gateway.orchestrate(dry_run=True)
    samples = _scrape(gateway)
    assert _value(samples, "prysm_http_requests_total", method="POST", route="/v2/orchestrate", status="200") == 1
    route = "/v1/models/{model_id:path}"
    assert _value(samples, "prysm_http_requests_total", method="GET", route=route, status="404") == 1
    assert _value(samples, "prysm_http_requests_total", method="GET", route="unmatched", status="404") == 2


def test_the_access_line_has_its_fields_and_no_content(gateway: Served) -> None:
    with capture_logs() as logs:
        response = gateway.http.post(
            "/v2/orchestrate?secret=canary", json={"prompt": "canary"}, headers={"x-request-id": "mi\tne"}
        )
        gateway.http.get("/health")
    line: Any = logs[0]
    assert line | {"ms": 0} == {
        "event": "request",
        "log_level": "info",
        "method": "POST",
        "path": "/v2/orchestrate",
        "status": 200,
        "ms": 0,
        "request_id": response.headers["x-request-id"],
        "client_request_id": "mine",
        "client": "127.0.0.1",
        "caller": "root",
    }
    assert logs[1]["caller"] is None


LOGGED = """
import logging
import structlog
from prysm.telemetry import configure_logging
configure_logging("info")
structlog.get_logger().info("request", path="/a\\u2028b\\n", status=200)
structlog.get_logger().debug("hidden")
logging.getLogger("some.library").info("hidden")
logging.getLogger("some.library").warning("look at %s", "this\\nline")
try:
    raise ValueError("canary")
except ValueError:
    logging.getLogger("some.library").exception("it broke")
"""


def test_every_line_on_stderr_is_one_json_object_and_no_traceback_shows_values() -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", LOGGED], capture_output=True, check=True, env=os.environ
    )
    request, warning, failure = [json.loads(line) for line in done.stderr.splitlines()]
    assert request == request | {"event": "request", "path": "/a\u2028b\n", "status": 200, "level": "info"}
    assert warning == warning | {"event": "look at this\nline", "logger": "some.library", "level": "warning"}
    assert failure == failure | {"event": "it broke", "level": "error", "type": "ValueError"}
    assert all(line["timestamp"].endswith("Z") for line in (request, warning, failure))
    assert b"canary" not in done.stderr


REQUESTED = """
import asyncio, sys
from prysm.telemetry import configure_logging, log, log_request
configure_logging(sys.argv[1])
async def main():
    for path in ("/health", "/v1/sk-proj-abcdefghijklmnop", "/Bearer abcdefghijklmnop"):
        line = {"path": path, "client_request_id": None, "client": "::1", "caller": "é", "event": "request"}
        log_request(dict(line))
        log.info(**line)
    log_request(line)
asyncio.run(main())
"""


@pytest.mark.parametrize(("level", "lines"), [("info", 7), ("warning", 0)])
def test_the_line_of_a_request_is_as_any_other_and_none_is_lost_at_the_end(level: str, lines: int) -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", REQUESTED, level], capture_output=True, check=True, env=os.environ
    )
    said = [json.loads(line) | {"timestamp": None} for line in done.stderr.splitlines()]
    assert len(said) == lines
    assert said[:6:2] == said[1:6:2]
    assert b"abcdefghijklmnop" not in done.stderr


UNREAD = """
import asyncio, os
from prysm.telemetry import configure_logging, log, log_request
read, write = os.pipe()
os.dup2(write, 2)
os.close(read)
configure_logging("info")
async def main():
    for n in range(3):
        log.warning("nobody reads this")
        log_request({"path": "/", "client_request_id": None, "client": "::1", "caller": "x" * 9000, "event": "request"})
        await asyncio.sleep(0)
    print("answered")
asyncio.run(main())
"""


def test_nobody_is_refused_because_nobody_reads_the_log() -> None:
    done = subprocess.run([sys.executable, "-c", UNREAD], capture_output=True, check=False, env=os.environ)  # noqa: S603 - our own interpreter and text
    assert done.stdout == b"answered\n"


def _scrape(gateway: Served) -> Samples:
    text = gateway.http.get("/metrics").text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]
