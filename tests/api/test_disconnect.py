from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs
from tests.api.wire import completion, stream_start
from tests.providers.upstream import Act

if TYPE_CHECKING:
    from tests.providers.upstream import Upstream
    from tests.serving import Served


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_a_caller_who_hangs_up_takes_the_upstream_call_along(
    scripted: Served, left: Upstream, *, stream: bool
) -> None:
    left.plays(Act.HANG)
    with capture_logs() as logs:
        _ask_and_hang_up(scripted, "left", left, stream=stream)
        assert _left_within(left, 2.0)
        request_id = _logged(logs)["request_id"]
    assert scripted.outcome(request_id) == "client_aborted"


def test_a_caller_who_hangs_up_in_the_middle_of_a_stream(scripted: Served, left: Upstream) -> None:
    left.plays(stream_start("Par"), Act.HANG)
    with scripted.http.stream("POST", "/v1/chat/completions", json=_body("left", stream=True)) as response:
        next(response.iter_raw())
    assert _left_within(left, 2.0)
    request_id = response.headers["x-request-id"]
    assert scripted.outcome(request_id) == "client_aborted"
    assert scripted.proof(request_id)["verified"] is True


def test_every_member_of_an_orchestration_is_called_off(scripted: Served, left: Upstream, right: Upstream) -> None:
    left.plays(Act.HANG)
    right.plays(Act.HANG)
    with capture_logs() as logs:
        _ask_and_hang_up(scripted, "prysm/ensemble_moa", left, right, stream=True)
        assert _left_within(left, 2.0)
        assert _left_within(right, 2.0)
        request_id = _logged(logs)["request_id"]
    assert scripted.outcome(request_id) == "client_aborted"


def test_a_caller_who_hangs_up_while_sending_is_no_defect(sandbox: Served) -> None:
    with capture_logs() as logs:
        with sandbox.connect() as connection:
            begun = sandbox.raw(
                "POST", "/v1/chat/completions", b'{"model"', content_type="application/json", content_length="100"
            )
            connection.sendall(begun)
        line = _logged(logs)
    assert (line["status"], line["log_level"]) == (499, "info")


def test_the_gateway_serves_on_after_a_storm_of_hang_ups(scripted: Served, left: Upstream) -> None:
    left.plays(Act.HANG)
    for _ in range(20):
        with scripted.connect() as connection:
            connection.sendall(_request(scripted, "left", stream=True))
    left.plays(completion("Paris"))
    assert scripted.chat("left").status_code == 200


def _ask_and_hang_up(gateway: Served, model: str, *asked: Upstream, stream: bool) -> None:
    with gateway.connect() as connection:
        connection.sendall(_request(gateway, model, stream=stream))
        deadline = time.monotonic() + 5
        while not all(upstream.seen for upstream in asked) and time.monotonic() < deadline:
            time.sleep(0.01)


def _request(gateway: Served, model: str, *, stream: bool) -> bytes:
    body = json.dumps(_body(model, stream=stream)).encode()
    return gateway.raw(
        "POST", "/v1/chat/completions", body, content_type="application/json", content_length=str(len(body))
    )


def _body(model: str, *, stream: bool) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Hi"}], "stream": stream}


def _left_within(upstream: Upstream, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not upstream.left.is_set() and time.monotonic() < deadline:
        time.sleep(0.01)
    return upstream.left.is_set()


def _logged(logs: list[Any], within_s: float = 5.0) -> Any:
    """Wait for the access line of the only request."""
    deadline = time.monotonic() + within_s
    while not logs and time.monotonic() < deadline:
        time.sleep(0.01)
    return logs[0]
