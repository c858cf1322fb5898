from __future__ import annotations

import base64
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.api.wire import chunks, completion, deltas, stream_start, streamed
from tests.providers.upstream import Act, sse

if TYPE_CHECKING:
    import socket

    from tests.providers.upstream import Upstream
    from tests.serving import Served

FIVE_TOKENS = "four letters a token"
GONE_S = 0.25
"""The bound is 100 ms; the machine that tests may be busy."""


def test_usage_is_counted_and_marked_where_the_upstream_sends_none(scripted: Served, left: Upstream) -> None:
    left.plays(_without_usage(FIVE_TOKENS))
    response = scripted.chat("left", stream=True, stream_options={"include_usage": True})
    events = chunks(response)
    assert events[-1]["usage"]["completion_tokens"] == 5
    assert events[-1]["usage"]["prompt_tokens"] > 0
    assert events[-2]["prysm"]["cost"]["estimated"] is True
    assert _usage(scripted, response.headers["x-request-id"])["estimated"] is True


def test_a_tool_call_without_usage_is_counted_too(scripted: Served, left: Upstream) -> None:
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": "bcdefg"}'}}
    left.plays(_without_usage({"tool_calls": [call]}, finish="tool_calls"))
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    events = chunks(scripted.chat("left", stream=True, tools=[tool], stream_options={"include_usage": True}))
    assert events[-1]["usage"]["completion_tokens"] == 4


def test_a_cut_stream_is_sealed_as_failed_with_what_it_wrote(scripted: Served, left: Upstream) -> None:
    left.plays(stream_start(FIVE_TOKENS), Act.CLOSE)
    response = scripted.chat("left", stream=True)
    request_id = response.headers["x-request-id"]
    assert chunks(response)[-1]["error"]["code"] == "provider_error"
    assert "[DONE]" not in response.text
    assert scripted.outcome(request_id) == "failed"
    usage = _usage(scripted, request_id)
    assert (usage["output_tokens"], usage["estimated"]) == (5, True)


def test_every_chunk_names_the_model_that_answers_after_a_fallback(
    scripted: Served, left: Upstream, right: Upstream
) -> None:
    left.plays(completion("", status="500 Internal Server Error"))
    right.plays(completion("", status="500 Internal Server Error"))
    planned = json.loads(scripted.chat("auto", stream=False).text)["attempts"][0]["model"]
    failing, other = (left, right) if planned == "left" else (right, left)
    other.plays(streamed("Par", "is"))
    failing.plays(completion("", status="500 Internal Server Error"))
    events = chunks(scripted.chat("auto", stream=True))
    assert {event["model"] for event in events} == {"right" if planned == "left" else "left"}


def test_a_caller_who_leaves_in_the_middle_is_charged_for_what_was_written(
    scripted: Served, left: Upstream
) -> None:
    left.plays(stream_start(FIVE_TOKENS), Act.HANG)
    with scripted.http.stream("POST", "/v1/chat/completions", json=_body("left")) as response:
        seen = b""
        for part in response.iter_raw():
            seen += part
            if FIVE_TOKENS.encode() in seen:
                break
        time.sleep(0.1)  # past the moment in which the watch over the caller begins
    assert _left_after(left) < GONE_S
    request_id = response.headers["x-request-id"]
    assert scripted.outcome(request_id) == "client_aborted"
    usage = _usage(scripted, request_id)
    assert (usage["output_tokens"], usage["estimated"]) == (5, True)


@pytest.mark.parametrize("wait_s", [0.0, 0.1])
def test_a_caller_who_leaves_before_the_first_byte_takes_the_call_along(
    scripted: Served, left: Upstream, wait_s: float
) -> None:
    left.plays(Act.HANG)
    with scripted.connect() as connection:
        _ask(scripted, connection, "left", left)
        time.sleep(wait_s)
    assert _left_after(left) < GONE_S


def test_a_caller_who_leaves_several_models_takes_every_call_along(
    scripted: Served, left: Upstream, right: Upstream
) -> None:
    left.plays(Act.HANG)
    right.plays(Act.HANG)
    with scripted.connect() as connection:
        _ask(scripted, connection, "prysm/ensemble_moa", left, right)
        time.sleep(0.1)
    assert max(_left_after(left), _left_after(right)) < GONE_S


def test_single_relays_each_piece_before_the_next_is_sent(scripted: Served, left: Upstream) -> None:
    words = [f"word{i} " for i in range(20)]
    taken = [threading.Event() for _ in words]
    first, *rest = (stream_start(word) for word in words)
    head_length = first.index(b"\r\n\r\n") + 4
    pieces = [first, *(piece[head_length:] for piece in rest)]
    end = streamed()
    steps = [step for pair in zip(pieces, taken, strict=True) for step in pair]
    left.plays(*steps, end[end.index(b"\r\n\r\n") + 4 :])
    seen, expected = "", list(words)
    with scripted.http.stream("POST", "/v1/chat/completions", json=_body("left")) as response:
        for part in response.iter_text():
            seen += part
            while expected and json.dumps(expected[0]) in seen:
                taken[len(words) - len(expected)].set()
                expected.pop(0)
    assert not expected
    assert seen.endswith("data: [DONE]\n\n")


def _body(model: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Where is Paris?"}], "stream": True}


def _without_usage(*said: str | dict[str, Any], finish: str = "stop") -> bytes:
    [last] = deltas({})
    last = last.replace(b'"finish_reason": null', b'"finish_reason": "%s"' % finish.encode())
    return sse(*deltas(*said), last, b"data: [DONE]\n\n")


def _usage(gateway: Served, request_id: str) -> dict[str, Any]:
    assert gateway.outcome(request_id)
    sealed = base64.b64decode(gateway.proof(request_id)["proof"]["envelope"]["payload"])
    usage: dict[str, Any] = json.loads(sealed)["usage"]
    return usage


def _ask(gateway: Served, connection: socket.socket, model: str, *asked: Upstream) -> None:
    body = json.dumps(_body(model)).encode()
    connection.sendall(
        gateway.raw(
            "POST", "/v1/chat/completions", body, content_type="application/json", content_length=str(len(body))
        )
    )
    deadline = time.monotonic() + 5
    while not all(upstream.seen for upstream in asked) and time.monotonic() < deadline:
        time.sleep(0.001)


def _left_after(upstream: Upstream) -> float:
    """Seconds until the upstream saw its caller go."""
    began = time.monotonic()
    while not upstream.left.is_set() and time.monotonic() < began + 5:
        time.sleep(0.001)
    return time.monotonic() - began
