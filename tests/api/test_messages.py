"""`/v1/messages` byte by byte: errors in Anthropic's envelope, the events of a stream, and what may interrupt it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest
from anthropic.types import RawMessageStreamEvent
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter
from tests.api.wire import completion, deltas, error, streamed
from tests.providers.upstream import Act, sse
from tests.serving import AUTHORIZED, PROMPT, ROOT_KEY

from prysm.api import problems
from prysm.api.messages_events import MessageWriter
from prysm.core.chat import TextDelta, ThinkingDelta, ToolCallDelta
from prysm.errors import (
    AllModelsFailed,
    BudgetExceeded,
    DeadlineExceeded,
    FailedAttempt,
    NoProviderAvailable,
    Overloaded,
    ProofUnavailable,
    PrysmError,
)

if TYPE_CHECKING:
    from tests.providers.upstream import Upstream
    from tests.serving import Served

    from prysm.core.chat import Piece

EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
RUN = UUID(int=7)


def ask(gateway: Served, model: str = "left", **more: Any) -> httpx.Response:
    """Ask over the Messages API."""
    body = {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": PROMPT}]} | more
    return gateway.http.post("/v1/messages", json=body)


def refusal(response: httpx.Response) -> tuple[int, str, str]:
    """Status, type and code of an error, after a look at the whole envelope."""
    body = response.json()
    assert set(body) == {"type", "error", "request_id"}
    assert body["type"] == "error"
    assert body["request_id"] == response.headers["request-id"] == response.headers["x-request-id"]
    assert body["error"]["message"].endswith((".", ")"))
    return response.status_code, body["error"]["type"], body["error"]["details"]["error_code"]


def events(text: str) -> list[dict[str, Any]]:
    """The events of a stream, named as their type says, each read strictly by Anthropic's own model."""
    blocks = [block.split("\n") for block in text.split("\n\n") if block]
    found = [json.loads(data.removeprefix("data: ")) for _, data in blocks]
    assert [name.removeprefix("event: ") for name, _ in blocks] == [event["type"] for event in found]
    for event in found:
        if event["type"] not in {"ping", "prysm", "error"}:
            EVENT.validate_json(json.dumps(event), strict=True)
    return found


def kinds(found: list[dict[str, Any]]) -> list[str]:
    """The types of events, each once in a row."""
    listed = [event["type"] for event in found]
    return [kind for i, kind in enumerate(listed) if i == 0 or listed[i - 1] != kind]


def written(*pieces: Piece) -> list[dict[str, Any]]:
    """The events that pieces become, without the opening of the message."""
    writer = MessageWriter(RUN, events=False, at_once=False)
    return events(b"".join(writer.piece(piece, 0) for piece in pieces).decode())[1:]


@pytest.mark.parametrize("key", [{"x-api-key": ROOT_KEY}, AUTHORIZED, AUTHORIZED | {"x-api-key": "other"}])
def test_the_key_comes_in_either_header_and_a_bearer_goes_first(sandbox: Served, key: dict[str, str]) -> None:
    body = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}
    for path, more in (("messages", {"max_tokens": 9}), ("messages/count_tokens", {}), ("chat/completions", {})):
        assert httpx.post(f"{sandbox.url}/v1/{path}", json=body | more, headers=key).status_code == 200


def test_every_refusal_on_these_routes_is_anthropics(sandbox: Served) -> None:
    http, url = sandbox.http, "/v1/messages"
    assert refusal(httpx.post(sandbox.url + url)) == (401, "authentication_error", "invalid_api_key")
    assert refusal(httpx.post(sandbox.url + url, headers={"x-api-key": "x"}))[0] == 401
    assert refusal(http.post(f"{url}/nothing")) == (404, "not_found_error", "not_found")
    assert refusal(http.get(url)) == (405, "invalid_request_error", "method_not_allowed")
    assert refusal(http.post(url, content=b"{}"))[:2] == (415, "invalid_request_error")
    assert refusal(http.post(url, json={}))[:2] == (400, "invalid_request_error")
    assert refusal(http.post(url, content=b"{", headers={"content-type": "application/json"}))[0] == 400
    assert refusal(ask(sandbox, "nobody")) == (404, "not_found_error", "model_not_found")
    assert refusal(ask(sandbox, "prysm/nobody")) == (404, "not_found_error", "model_not_found")
    assert error(http.post("/v1/messagesx"))[0] == 404


@pytest.mark.parametrize(
    ("raised", "status", "kind"),
    [
        (BudgetExceeded("x"), 402, "billing_error"),
        (NoProviderAvailable("x"), 503, "api_error"),
        (ProofUnavailable("x"), 503, "api_error"),
        (Overloaded("x"), 529, "overloaded_error"),
        (DeadlineExceeded("x"), 504, "timeout_error"),
        (AllModelsFailed("x", (FailedAttempt("left", "timeout"),), spent=False), 502, "api_error"),
        (PrysmError("x"), 500, "api_error"),
    ],
)
def test_each_error_has_anthropics_type(raised: PrysmError, status: int, kind: str) -> None:
    told: Any = problems.anthropic(raised, RUN)
    Draft202012Validator(problems.ANTHROPIC_ERROR).validate(told)
    assert (problems.status_of(raised, "/v1/messages"), told["error"]["type"]) == (status, kind)
    assert told["request_id"] == str(RUN)
    assert ("attempts" in told["error"]["details"]) is isinstance(raised, AllModelsFailed)


def test_a_text_is_streamed_event_by_event(scripted: Served, left: Upstream) -> None:
    left.plays(streamed("Par", "is"))
    found = events(ask(scripted, stream=True).text)
    assert kinds(found) == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    begun, end = found[0]["message"], found[-2]
    assert (begun["model"], begun["content"], begun["stop_reason"]) == ("left", [], None)
    assert "".join(event["delta"]["text"] for event in found if event["type"] == "content_block_delta") == "Paris"
    assert end["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert (end["usage"]["input_tokens"], end["usage"]["output_tokens"]) == (10, 2)
    assert begun["id"] == "msg_" + end["prysm"]["request_id"].replace("-", "")
    assert scripted.proof(end["prysm"]["request_id"])["verified"] is True


def test_a_thought_and_its_seal_are_one_block() -> None:
    found = written(
        ThinkingDelta("Hm, "),
        ThinkingDelta("yes", "seal"),
        ThinkingDelta("And?"),
        ThinkingDelta("zzz", redacted=True),
    )
    assert [(event["type"].removeprefix("content_block_"), event["index"]) for event in found] == [
        ("start", 0),
        ("delta", 0),
        ("delta", 0),
        ("delta", 0),
        ("stop", 0),
        ("start", 1),
        ("delta", 1),
        ("stop", 1),
        ("start", 2),
        ("stop", 2),
    ]
    assert found[3]["delta"] == {"type": "signature_delta", "signature": "seal"}
    assert found[8]["content_block"] == {"type": "redacted_thinking", "data": "zzz"}


def test_calls_follow_what_is_said_each_in_a_block_of_its_own() -> None:
    found = written(
        TextDelta("Well."),
        ToolCallDelta(0, "", "c1", "weather", signature="seal"),
        ToolCallDelta(0, '{"a":'),
        ToolCallDelta(1, "", "c2", "weather"),
        ToolCallDelta(1, "{}"),
        ToolCallDelta(0, "1}"),
    )
    assert [event["index"] for event in found] == [0, 0, 0, 1, 1, 1, 1, 2, 2]  # the second call waits
    assert found[3]["content_block"] == {
        "type": "tool_use",
        "id": "c1",
        "name": "weather",
        "input": {},
        "extra_content": {"google": {"thought_signature": "seal"}},
    }
    assert found[4]["delta"] == {"type": "input_json_delta", "partial_json": '{"a":'}


def interleaved(*order: tuple[int, str]) -> list[dict[str, Any]]:
    """Deltas of two calls, both named before the first argument comes."""
    opened = [
        {"index": i, "id": f"c{i}", "type": "function", "function": {"name": "now", "arguments": ""}}
        for i in (0, 1)
    ]
    rest = [{"index": i, "function": {"arguments": text}} for i, text in order]
    return [{"tool_calls": [each]} for each in (*opened, *rest)]


@pytest.mark.parametrize(
    "order",
    [
        ((0, '{"a":'), (0, "1}"), (1, '{"b":'), (1, "2}")),
        ((0, '{"a":'), (1, '{"b":'), (0, "1}"), (1, "2}")),
        ((1, '{"b":2}'), (0, '{"a":1}')),
        ((0, '{"a":1'), (1, '{"b":2}'), (0, "}"), (0, "\n")),
    ],
)
def test_blocks_follow_each_other_however_the_calls_arrive(
    scripted: Served, left: Upstream, order: tuple[tuple[int, str], ...]
) -> None:
    left.plays(streamed(*interleaved(*order), finish="tool_calls"))
    tool = {"name": "now", "input_schema": {"type": "object"}}
    found = events(ask(scripted, stream=True, tools=[tool]).text)
    blocks = [(event["type"], event["index"]) for event in found if "index" in event]
    assert [index for _, index in blocks] == sorted(index for _, index in blocks)
    assert [kind for kind, _ in blocks if kind != "content_block_delta"] == [
        "content_block_start",
        "content_block_stop",
    ] * 2
    for i, whole in enumerate(({"a": 1}, {"b": 2})):
        pieces = [e["delta"]["partial_json"] for e in found if e.get("index") == i and "delta" in e]
        assert json.loads("".join(pieces)) == whole


def test_what_is_said_beside_an_unfinished_call_waits_for_its_end() -> None:
    found = written(
        ToolCallDelta(0, '{"a":', "c1", "now"),
        TextDelta("So"),
        ToolCallDelta(1, "{}", "c2", "now"),
        TextDelta("."),
        ToolCallDelta(0, "1}"),
    )
    texts = [event["delta"]["text"] for event in found if event.get("delta", {}).get("type") == "text_delta"]
    assert texts == ["So", "."]
    assert [event["index"] for event in found] == sorted(event["index"] for event in found)


def test_an_answer_without_a_word_is_a_whole_message(scripted: Served, left: Upstream) -> None:
    left.plays(streamed(finish="length"))
    found = events(ask(scripted, stream=True).text)
    assert kinds(found) == ["message_start", "message_delta", "message_stop"]
    assert found[1]["delta"]["stop_reason"] == "max_tokens"


def test_a_stream_of_several_models_opens_at_once_and_shows_progress_when_asked(sandbox: Served) -> None:
    plain = events(ask(sandbox, "prysm/ensemble_moa", stream=True).text)
    assert kinds(plain)[:3] == ["ping", "message_start", "content_block_start"]
    told = events(ask(sandbox, "prysm/ensemble_moa", stream=True, prysm_events=True).text)
    progress = [event["prysm_event"]["type"] for event in told if event["type"] == "prysm"]
    assert progress[0] == "plan"
    assert {"stage_started", "stage"} <= set(progress)
    assert told[1]["type"] == "message_start"


def test_a_failure_before_the_first_byte_is_an_ordinary_error(scripted: Served, left: Upstream) -> None:
    left.plays(sse(b"data: {}\n\n"))
    response = ask(scripted, stream=True)
    assert refusal(response)[:2] == (502, "api_error")
    assert response.headers["x-prysm-proof-url"].endswith(response.headers["request-id"])


def test_a_failure_after_the_first_byte_is_an_event_and_no_end(scripted: Served, left: Upstream) -> None:
    left.plays(sse(*deltas("Par")), Act.CLOSE)
    response = ask(scripted, stream=True)
    found = events(response.text)
    assert kinds(found) == ["message_start", "content_block_start", "content_block_delta", "error"]
    assert found[-1]["error"]["type"] == "api_error"
    assert found[-1]["request_id"] == response.headers["request-id"]
    assert scripted.outcome(response.headers["request-id"]) == "failed"


def test_arguments_are_passed_on_byte_for_byte(scripted: Served, left: Upstream) -> None:
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "f", "arguments": '{"n": 1.50, "m": 123456789012345678901}'},
    }
    left.plays(completion(None, tool_calls=[call]))
    text = ask(scripted, tools=[{"name": "f", "input_schema": {"type": "object"}}]).text
    assert '"input":{"n": 1.50, "m": 123456789012345678901}' in text


def test_the_openapi_document_describes_the_bodies_and_the_envelope(sandbox: Served) -> None:
    document = httpx.get(f"{sandbox.url}/openapi.json").json()
    for path, fields in {
        "/v1/messages": {"model", "max_tokens", "messages", "system", "thinking", "max_cost_usd"},
        "/v1/messages/count_tokens": {"model", "messages", "system", "tools"},
    }.items():
        route = document["paths"][path]["post"]
        schema = route["requestBody"]["content"]["application/json"]["schema"]
        Draft202012Validator.check_schema(schema)
        assert set(schema["properties"]) >= fields
        assert "$ref" not in str(schema)
        assert route["responses"]["400"]["content"]["application/json"]["schema"]["required"][0] == "type"
