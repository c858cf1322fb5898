"""Every fault of the catalog, on every wire format, whole and streamed, through the live gateway.

Each case asserts: status and code, a bound in time, how often the upstream was asked, the breaker, the receipt, how
much was read, and that neither key nor prompt nor the upstream's own words are in anything that came out.
"""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.api.wire import chunks, error
from tests.faults.cases import CASES
from tests.faults.conftest import KEY

from prysm.faults import DOORS, FAULTS
from prysm.faults.formats import OWN_WORDS

if TYPE_CHECKING:
    from httpx import Response
    from tests.faults.cases import Case
    from tests.faults.conftest import Rig
    from tests.serving import Served

PROMPT = "canary-of-the-prompt: what is the capital of France?"
SLACK_S = 2.5
READ_AT_MOST = 24_000_000
"""The caps of the tests, three tries, and what the sockets between the two hold."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_fault_ends_as_it_must(rig: Rig, case: Case) -> None:
    seen, told = len(rig.faults.seen), len(rig.log.lines)
    started = time.monotonic()
    response = rig.gateway.chat(case.id, PROMPT, stream=case.way == "stream")
    elapsed = time.monotonic() - started
    if case.fate.answered:
        _check_answer(response, case)
    else:
        _check_failure(response, case)
    stage = _check_receipt(rig.gateway, response, case)
    assert [attempt["code"] or "ok" for attempt in stage["attempts"]] == list(case.fate.tries)
    _check_upstream(rig, case, seen)
    assert elapsed < case.settings["timeout_s"] + SLACK_S
    shown = rig.gateway.http.get(f"/v1/models/{case.id}").json()
    assert shown["breaker"] == case.fate.breaker
    _check_silence(response.text, str(response.headers), json.dumps(stage), *rig.log.lines[told:])


def test_the_metrics_of_all_that_say_no_secret(rig: Rig) -> None:
    for name in ("401/openai/json", "error-in-stream/anthropic/stream", "cut-chunk/gemini/json"):
        rig.gateway.chat(name, PROMPT, stream=name.endswith("stream"))
    assert any("'status': 502" in line for line in rig.log.lines), "the log is being watched"
    shown = rig.gateway.http.get("/metrics").text
    assert 'prysm_breaker_state{model="",provider="401/openai/json"} 2.0' in shown
    _check_silence(shown)


def _check_answer(response: Response, case: Case) -> None:
    assert response.status_code == 200, response.text
    if case.way == "json":
        choice = response.json()["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == (case.fate.text, case.fate.finish)
        return
    choices = [choice for chunk in chunks(response) for choice in chunk["choices"]]
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == case.fate.text
    assert choices[-1]["finish_reason"] == case.fate.finish
    assert response.text.endswith("data: [DONE]\n\n")


def _check_failure(response: Response, case: Case) -> None:
    status, code = case.fate.error
    if case.fate.shown:
        assert response.status_code == 200
        assert chunks(response)[-1]["error"]["code"] == code
        assert "[DONE]" not in response.text
        assert '"finish_reason":"stop"' not in response.text
        return
    assert error(response) == (status, code)
    if case.fate.retry_after is not None:
        assert int(response.headers["retry-after"]) == pytest.approx(case.fate.retry_after, abs=2)


def _check_receipt(gateway: Served, response: Response, case: Case) -> dict[str, Any]:
    """The receipt says how the run ended; return the one stage that it has."""
    proof = gateway.http.get(response.headers["x-prysm-proof-url"]).json()
    assert proof["verified"] is True
    assert proof["entry"]["outcome"] == ("ok" if case.fate.answered else "failed")
    request_id = proof["request_id"]
    stage = gateway.http.get(f"/v1/proof/{request_id}/stages/0").json()
    assert "digest" in stage
    body: dict[str, Any] = json.loads(base64.b64decode(stage["body"]))
    assert body["status"] == ("ok" if case.fate.answered else "failed")
    assert case.fate.stage.items() <= body.items()
    return body


def _check_upstream(rig: Rig, case: Case, before: int) -> None:
    """The upstream was asked once a try, read no further than the caps, and nobody followed where it pointed."""
    unreached = case.fault not in FAULTS.keys() | {"tls-unknown-authority"} and f"fault-{case.fault}" not in FAULTS
    asked = rig.faults.seen[before:]
    assert len(asked) == (0 if unreached else len(case.fate.tries))
    assert {one.model for one in asked} <= {case.upstream}
    assert all(KEY in str(one.headers) for one in asked)
    assert rig.faults.sent.get(case.upstream, 0) < READ_AT_MOST


def _check_silence(*outputs: str) -> None:
    for text in outputs:
        for canary in (KEY, "canary-of-the-prompt", OWN_WORDS):
            assert canary not in text


def test_every_fault_has_a_fate_and_a_sentence() -> None:
    assert all(case.fate for case in CASES)
    assert all(fault.what.endswith(".") for fault in FAULTS.values())
    assert all(door.what.endswith(".") for door in DOORS.values())
