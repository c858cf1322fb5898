from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.api.wire import chunks, completion, deltas, error, stream_start, streamed
from tests.providers.upstream import Act, head

if TYPE_CHECKING:
    from tests.providers.upstream import Upstream
    from tests.serving import Served


def test_a_stream_is_openai_chunks_and_ends_with_the_receipt(sandbox: Served) -> None:
    response = sandbox.chat(stream=True)
    events = chunks(response)
    text = "".join(event["choices"][0]["delta"].get("content") or "" for event in events)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-prysm-proof-url"].endswith(response.headers["x-request-id"])
    assert response.text.endswith("data: [DONE]\n\n")
    assert text == "The capital of France is Paris."
    assert events[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [event["choices"][0]["finish_reason"] for event in events[-2:]] == [None, "stop"]
    assert [("prysm" in event) for event in events[-2:]] == [False, True]
    assert {event["id"] for event in events} == {"prysm-" + response.headers["x-request-id"]}
    assert {(event["object"], event["model"]) for event in events} == {("chat.completion.chunk", "sandbox-small")}


def test_usage_comes_in_a_chunk_of_its_own_and_only_on_request(sandbox: Served) -> None:
    asked = chunks(sandbox.chat(stream=True, stream_options={"include_usage": True}))
    assert asked[-1]["choices"] == []
    assert asked[-1]["usage"]["total_tokens"] == 16
    assert all(event["choices"] for event in asked[:-1])
    assert all(event["choices"] for event in chunks(sandbox.chat(stream=True)))


def test_text_is_passed_on_while_the_model_still_writes(scripted: Served, left: Upstream) -> None:
    left.plays(stream_start("Par"), Act.HANG)
    with scripted.http.stream("POST", "/v1/chat/completions", json=_body("left")) as response:
        seen = ""
        for part in response.iter_text():
            seen += part
            if "Par" in seen:
                break
    assert '"finish_reason":"stop"' not in seen


def test_the_receipt_can_be_read_when_the_last_chunk_arrives(sandbox: Served) -> None:
    with (
        httpx.Client(base_url=sandbox.url) as reader,
        sandbox.http.stream("POST", "/v1/chat/completions", json=_body("auto")) as response,
    ):
        last = next(line for line in response.iter_lines() if '"prysm":' in line)
        prysm = json.loads(last.removeprefix("data: "))["prysm"]
        found = reader.get(prysm["proof"]["url"]).json()
    assert found["verified"] is True
    assert found["proof"]["proof_hash"] == prysm["proof"]["proof_hash"]


def test_several_models_show_a_sign_of_life_before_any_of_them_answers(
    scripted: Served, left: Upstream, right: Upstream
) -> None:
    left.plays(Act.HANG)
    right.plays(Act.HANG)
    with scripted.http.stream("POST", "/v1/chat/completions", json=_body("prysm/ensemble_moa")) as response:
        assert next(response.iter_raw()) == b": working\n\n"


def test_heartbeats_go_on_while_members_work(
    monkeypatch: pytest.MonkeyPatch, scripted: Served, left: Upstream, right: Upstream
) -> None:
    monkeypatch.setattr("prysm.api.sse.HEARTBEAT_S", 0.05)
    left.plays(0.3, completion("Paris"))
    right.plays(0.3, completion("Paris"))
    response = scripted.http.post("/v1/chat/completions", json=_body("prysm/cascade"))
    assert response.text.count(": working\n\n") > 3
    assert all(event["choices"] for event in chunks(response))


def test_progress_events_come_only_on_request_and_never_with_choices(sandbox: Served) -> None:
    events = chunks(sandbox.chat("prysm/ensemble_moa", stream=True, prysm_events=True))
    progress = [event for event in events if "prysm_event" in event]
    assert {event["prysm_event"]["type"] for event in progress} == {"plan", "stage_started", "stage"}
    assert all(event["choices"] == [] for event in progress)


def test_a_single_that_fails_before_its_first_byte_is_a_plain_error(scripted: Served, left: Upstream) -> None:
    left.plays(completion("", status="500 Internal Server Error"))
    response = scripted.chat("left", stream=True)
    assert error(response) == (502, "provider_error")
    assert scripted.outcome(response.headers["x-request-id"]) == "failed"


def test_a_run_that_breaks_off_ends_with_an_error_event_and_no_done(scripted: Served, left: Upstream) -> None:
    left.plays(stream_start("Par"), Act.CLOSE)
    response = scripted.chat("left", stream=True)
    events = chunks(response)
    assert "Par" in response.text
    assert events[-1]["error"]["code"] == "provider_error"
    assert "[DONE]" not in response.text
    assert not any(event["choices"][0]["finish_reason"] for event in events[:-1])
    assert scripted.outcome(response.headers["x-request-id"]) == "failed"


def test_an_orchestration_in_which_all_fail_ends_with_an_error_event(
    scripted: Served, left: Upstream, right: Upstream
) -> None:
    left.plays(completion("", status="500 Internal Server Error"))
    right.plays(completion("", status="503 Service Unavailable"))
    response = scripted.chat("prysm/ensemble_moa", stream=True)
    last = chunks(response)[-1]
    assert last["error"]["code"] == "all_models_failed"
    assert {attempt["model"] for attempt in last["attempts"]} == {"left", "right"}
    assert "[DONE]" not in response.text


def test_odd_text_survives_the_stream(scripted: Served, left: Upstream) -> None:
    text = "a\u2028b\r\nc\n\ndata: [DONE]\n\n\u0000\U0001f600"
    left.plays(streamed(*text))
    events = chunks(scripted.chat("left", stream=True))
    assert "".join(event["choices"][0]["delta"].get("content") or "" for event in events) == text


def test_a_stream_without_an_end_is_no_answer(scripted: Served, left: Upstream) -> None:
    body = b"".join(deltas("Par"))
    left.plays(head(content_type="text/event-stream", content_length=str(len(body))) + body)
    response = scripted.chat("left", stream=True)
    assert chunks(response)[-1]["error"]["code"] == "provider_error"


def _body(model: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Where is Paris?"}], "stream": True}


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_an_answer_without_a_word_still_says_who_speaks(scripted: Served, left: Upstream, finish: str) -> None:
    left.plays(streamed(finish=finish))
    found = [event["choices"][0] for event in chunks(scripted.chat("left", stream=True))]
    assert found[0]["delta"] == {"role": "assistant", "content": ""}
    assert [each["finish_reason"] for each in found] == [None, finish]


def test_every_version_that_says_nothing_is_opened_once(scripted: Served, left: Upstream) -> None:
    left.plays(streamed("Paris"), streamed(finish="length"))
    found = [event["choices"][0] for event in chunks(scripted.chat("left", stream=True, n=2))]
    assert sorted(each["index"] for each in found if each["delta"].get("role")) == [0, 1]


@pytest.mark.parametrize("route", ["/v1/chat/completions", "/v1/messages"])
def test_a_defect_in_the_middle_ends_the_stream_with_an_error_and_is_on_record(
    scripted: Served, left: Upstream, monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    left.plays(streamed("Paris is the"))
    monkeypatch.setattr("prysm.providers.openai_stream.OpenAIDraft.completion", broken)
    response = scripted.http.post(route, json=_body("left") | {"max_tokens": 9})
    assert response.status_code == 200
    assert "event: error" in response.text if route == "/v1/messages" else chunks(response)[-1]["error"]
    assert "Something went wrong in the gateway" in response.text
    proof = scripted.http.get(response.headers["x-prysm-proof-url"]).json()
    assert proof["entry"]["outcome"] == "failed"
    stage = scripted.http.get(f"/v1/proof/{proof['request_id']}/stages/0").json()
    assert json.loads(base64.b64decode(stage["body"]))["tokens_out"] == len("Paris is the") // 4
