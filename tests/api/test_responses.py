"""`/v1/responses` byte by byte: every kind of item, every event, and what is refused by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter
from tests.api.wire import completion, error, stream_start, streamed
from tests.providers.upstream import Act, answer
from tests.serving import PROMPT

from prysm.api.responses_body import ResponsesBody

if TYPE_CHECKING:
    import httpx
    from tests.providers.upstream import Upstream
    from tests.serving import Served

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
FUNCTION = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
SEAL = {"google": {"thought_signature": "c2VhbA=="}}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
SECOND = CALL | {"id": "c2", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
TOKENS = [{"token": "Par", "logprob": -0.1, "bytes": None, "top_logprobs": []}]


def ask(gateway: Served, model: str = "left", **more: Any) -> httpx.Response:
    """Ask over the Responses API."""
    return gateway.http.post("/v1/responses", json={"model": model, "input": PROMPT} | more)


def body(response: httpx.Response) -> dict[str, Any]:
    """The answer, after OpenAI's own model has read it strictly."""
    assert response.status_code == 200, response.text
    Response.model_validate_json(response.content, strict=True)
    found: dict[str, Any] = response.json()
    return found


def events(response: httpx.Response) -> list[dict[str, Any]]:
    """The events of a stream, named as their type says, each read strictly by OpenAI's own model."""
    assert response.status_code == 200, response.text
    blocks = [block.split("\n") for block in response.text.split("\n\n") if block and not block.startswith(":")]
    found: list[dict[str, Any]] = [json.loads(data.removeprefix("data: ")) for _, data in blocks]
    assert [name.removeprefix("event: ") for name, _ in blocks] == [event["type"] for event in found]
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    for event in found:
        if event["type"] != "response.prysm_event":
            EVENT.validate_json(json.dumps(event), strict=True)
    return found


def kinds(found: list[dict[str, Any]]) -> list[str]:
    """The types of events, each once in a row."""
    listed = [event["type"].removeprefix("response.") for event in found]
    return [kind for i, kind in enumerate(listed) if i == 0 or listed[i - 1] != kind]


def test_a_text_is_streamed_event_by_event(scripted: Served, left: Upstream) -> None:
    left.plays(streamed("Par", "is"))
    found = events(ask(scripted, stream=True))
    assert kinds(found) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    done = found[-1]["response"]
    assert (done["status"], done["output"]) == ("completed", [found[-2]["item"]])
    assert done["prysm"]["proof"]["verifiable"] is True
    assert done["usage"]["input_tokens"] == 10
    assert found[0]["response"]["id"] == done["id"]
    assert found[0]["response"]["output"] == []


def test_thoughts_calls_and_their_seals_come_whole_and_are_taken_back(scripted: Served, left: Upstream) -> None:
    sealed = CALL | {"extra_content": SEAL}
    left.plays(completion(None, reasoning_content="Which city?", tool_calls=[sealed, SECOND]))
    done = body(ask(scripted, tools=[FUNCTION]))
    thought, first, second = done["output"]
    assert thought["summary"] == [{"type": "summary_text", "text": "Which city?"}]
    assert thought["encrypted_content"] is None
    assert (first["call_id"], first["extra_content"], second["call_id"]) == ("c1", SEAL, "c2")
    results = [{"type": "function_call_output", "call_id": one, "output": "21"} for one in ("c1", "c2")]
    left.plays(completion("Warm."))
    asked = [{"role": "user", "content": PROMPT}, *done["output"], *results]
    body(ask(scripted, input=asked, tools=[FUNCTION]))
    turn, *told = left.seen[1].json["messages"][1:]
    assert turn == {
        "role": "assistant",
        "content": None,
        "reasoning_content": "Which city?",
        "tool_calls": [CALL, SECOND],  # a seal goes on to Google's own hosts alone
    }
    assert told == [{"role": "tool", "content": "21", "tool_call_id": one} for one in ("c1", "c2")]


def test_thoughts_and_calls_are_streamed_item_by_item(scripted: Served, left: Upstream) -> None:
    opened = [{"index": i} | call for i, call in enumerate((CALL, SECOND))]
    deltas: list[Any] = [
        {"reasoning_content": "Which "},
        {"reasoning_content": "city?"},
        "Let me see.",
        {"tool_calls": opened},
    ]
    left.plays(streamed(*deltas, finish="tool_calls"))
    found = events(ask(scripted, stream=True, tools=[FUNCTION]))
    done = found[-1]["response"]
    assert [item["type"] for item in done["output"]] == ["reasoning", "message", "function_call", "function_call"]
    assert [event["item"] for event in found if event["type"] == "response.output_item.done"] == done["output"]
    added = [event for event in found if event["type"] == "response.output_item.added"]
    assert [(event["output_index"], event["item"]["id"]) for event in added] == [
        (i, item["id"]) for i, item in enumerate(done["output"])
    ]
    thought = "".join(e["delta"] for e in found if e["type"] == "response.reasoning_summary_text.delta")
    assert thought == "Which city?"


def test_items_keep_the_place_where_they_were_first_shown(scripted: Served, left: Upstream) -> None:
    left.plays(streamed("Hm. ", {"reasoning_content": "Which city?"}, "Paris."))
    found = events(ask(scripted, stream=True))
    done = found[-1]["response"]["output"]
    assert [item["type"] for item in done] == ["message", "reasoning"]
    assert done[0]["content"][0]["text"] == "Hm. Paris."
    assert [e["output_index"] for e in found if e["type"] == "response.output_item.done"] == [0, 1]


@pytest.mark.parametrize("stream", [False, True])
def test_a_custom_tool_is_called_with_text(scripted: Served, left: Upstream, *, stream: bool) -> None:
    call = {"id": "c1", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
    left.plays(
        streamed({"tool_calls": [{"index": 0} | call]}, finish="tool_calls")
        if stream
        else completion(None, tool_calls=[call])
    )
    grammar = {"syntax": "lark", "definition": "start: /.+/"}
    tool = {"type": "custom", "name": "sql", "format": {"type": "grammar"} | grammar}
    choice = {"type": "custom", "name": "sql"}
    response = ask(scripted, stream=stream, tools=[tool], tool_choice=choice)
    done = events(response)[-1]["response"] if stream else body(response)
    assert (done["tools"], done["tool_choice"]) == ([tool], choice)
    assert [(one["type"], one["call_id"], one["input"]) for one in done["output"]] == [
        ("custom_tool_call", "c1", "SELECT 1")
    ]
    sent = left.seen[0].json
    assert sent["tools"][0]["custom"]["format"] == {"type": "grammar", "grammar": grammar}
    left.plays(completion("One."))
    turns = [*done["output"], {"type": "custom_tool_call_output", "call_id": "c1", "output": "1"}]
    assert body(ask(scripted, input=turns))["output"][0]["content"][0]["text"] == "One."
    assert left.seen[1].json["messages"][0]["tool_calls"] == [call]


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_is_a_part_of_its_own(scripted: Served, left: Upstream, *, stream: bool) -> None:
    left.plays(streamed({"refusal": "No."}) if stream else completion(None, refusal="No."))
    response = ask(scripted, stream=stream)
    done = events(response)[-1]["response"] if stream else body(response)
    assert done["output"][0]["content"] == [{"type": "refusal", "refusal": "No."}]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_an_answer_that_was_cut_is_incomplete(
    scripted: Served, left: Upstream, finish: str, reason: str, *, stream: bool
) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Par"}, "finish_reason": finish}
    whole = answer(json.dumps({"id": "x", "model": "m", "choices": [choice], "usage": {}}).encode())
    left.plays(streamed("Par", finish=finish) if stream else whole)
    response = ask(scripted, stream=stream, max_output_tokens=16)
    done = events(response)[-1]["response"] if stream else body(response)
    assert (done["status"], done["incomplete_details"]) == ("incomplete", {"reason": reason})
    assert done["output"][0]["status"] == "incomplete"
    assert left.seen[0].json["max_tokens"] == 16


def test_a_call_that_was_cut_says_so(scripted: Served, left: Upstream) -> None:
    left.plays(streamed({"tool_calls": [{"index": 0} | CALL]}, finish="length"))
    done = events(ask(scripted, stream=True, tools=[FUNCTION]))[-1]["response"]
    assert (done["status"], done["output"][0]["status"]) == ("incomplete", "incomplete")


def test_log_probabilities_are_told_to_who_asks(scripted: Served, left: Upstream) -> None:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "Par"},
        "finish_reason": "stop",
        "logprobs": {"content": TOKENS},
    }
    whole = answer(json.dumps({"id": "x", "model": "m", "choices": [choice], "usage": {}}).encode())
    left.plays(whole)
    done = body(ask(scripted, include=["message.output_text.logprobs"], top_logprobs=2))
    assert done["output"][0]["content"][0]["logprobs"] == [TOKENS[0] | {"bytes": [80, 97, 114]}]
    assert (left.seen[0].json["logprobs"], left.seen[0].json["top_logprobs"]) == (True, 2)


def test_settings_reach_the_model_and_are_told_back(scripted: Served, left: Upstream) -> None:
    left.plays(completion("{}"))
    form = {"type": "json_schema", "name": "any", "schema": {"type": "object"}, "strict": False}
    wanted: dict[str, Any] = {
        "text": {"format": form, "verbosity": "low"},
        "reasoning": {"effort": "low", "summary": "auto"},
        "temperature": 0.5,
        "top_p": 0.9,
        "max_output_tokens": 99,
        "metadata": {"team": "a"},
        "user": "u1",
        "safety_identifier": "s1",
        "prompt_cache_key": "k1",
        "service_tier": "flex",
        "parallel_tool_calls": False,
        "tools": [FUNCTION],
        "tool_choice": {
            "type": "allowed_tools",
            "mode": "auto",
            "tools": [{"type": "function", "name": "weather"}],
        },
        "truncation": "disabled",
    }
    done = body(ask(scripted, **wanted))
    assert {name: done[name] for name in wanted} == wanted
    sent = left.seen[0].json
    assert sent["response_format"] == {
        "type": "json_schema",
        "json_schema": {k: v for k, v in form.items() if k != "type"},
    }
    own = ("verbosity", "reasoning_effort", "user", "safety_identifier", "prompt_cache_key", "service_tier")
    assert [sent[name] for name in own] == ["low", "low", "u1", "s1", "k1", "flex"]
    assert "store" not in sent


def test_progress_comes_between_on_request(sandbox: Served) -> None:
    response = ask(sandbox, "prysm/ensemble_moa", stream=True, prysm_events=True)
    assert response.text.startswith(": working\n\n")
    found = events(response)
    told = [event["prysm_event"]["type"] for event in found if event["type"] == "response.prysm_event"]
    assert told[0] == "plan"
    assert {"stage_started", "stage"} <= set(told)
    assert "response.prysm_event" not in {
        e["type"] for e in events(ask(sandbox, "prysm/ensemble_moa", stream=True))
    }


def test_a_failure_before_the_first_byte_is_an_ordinary_error(scripted: Served, left: Upstream) -> None:
    left.plays(Act.RESET)
    response = ask(scripted, stream=True)
    assert error(response) == (502, "provider_error")
    assert response.headers["x-prysm-proof-url"]


MESSAGE = {"role": "user", "content": "Hi"}
NAMES = st.sampled_from(
    ["type", "role", "content", "text", "call_id", "name", "output", "summary", "arguments", "format"]
)
KNOWN = {"message", "user", "assistant", "reasoning", "function", "function_call", "input_text", "json_schema"}
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"background": True}, "background", "background"),
    ({"conversation": "conv_1"}, "conversation", "previous_response_id"),
    ({"truncation": "auto"}, "truncation", "silently"),
    ({"max_tool_calls": 3}, "max_tool_calls", "no tools run here"),
    ({"prompt": {"id": "p"}}, "prompt", "instructions"),
    ({"n": 2}, "n", "Unknown"),
    ({"messages": []}, "messages", "Unknown"),
    ({"tools": [{"type": "web_search"}]}, "tools[0]", "web_search is not taken"),
    ({"tools": [FUNCTION, {"type": "mcp", "server_label": "x"}]}, "tools[1]", "mcp is not taken"),
    ({"tools": [{}]}, "tools[0]", "type"),
    ({"tool_choice": {"type": "file_search"}}, "tool_choice", "file_search is not taken"),
    ({"tool_choice": {"type": "function", "name": "x"}}, "tool_choice", "no tool 'x'"),
    ({"include": ["file_search_call.results"]}, "include[0]", "logprobs"),
    ({"reasoning": {"summary": "detailed"}}, "reasoning.summary", "auto"),
    ({"input": []}, "input", "at least 1"),
    ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]", "item_reference"),
    ({"input": [MESSAGE, {"type": "web_search_call"}]}, "input[1]", "web_search_call"),
    ({"input": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "input[0].content[0].type", "input_text"),
    (
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": PROMPT}]}]},
        "input[0].content[0].image_url",
        "http",
    ),
    (
        {"input": [{"type": "function_call_output", "call_id": "c", "output": "1"}]},
        "input[0].call_id",
        "answers no call",
    ),
    (
        {"input": [{"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "gAAAA"}, MESSAGE]},
        "input[0].encrypted_content",
        "not made by this gateway",
    ),
    (
        {"input": [{"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "x"}]}, MESSAGE]},
        "input[0]",
        "followed this reasoning",
    ),
    (
        {"text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "objec"}}}},
        "text.format.schema.type",
        "JSON Schema",
    ),
]


@pytest.mark.parametrize(("odd", "param", "why"), REFUSED, ids=[param for _, param, _ in REFUSED])
def test_what_cannot_be_honoured_is_refused_by_name(
    sandbox: Served, odd: dict[str, Any], param: str, why: str
) -> None:
    response = ask(sandbox, "auto", **odd)
    assert error(response)[0] == 400
    assert response.json()["error"]["param"] == param
    assert why in response.json()["error"]["message"]


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(sorted(KNOWN))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    odd=st.dictionaries(st.sampled_from(list(ResponsesBody.model_fields)) | st.text(max_size=8), VALUES, max_size=3)
)
def test_no_json_object_makes_a_defect(sandbox: Served, odd: dict[str, Any]) -> None:
    raw = json.dumps({"model": "auto", "input": PROMPT} | odd)
    response = sandbox.http.post("/v1/responses", content=raw, headers={"content-type": "application/json"})
    assert response.status_code in {200, 400, 402, 404, 504}, response.text
    if response.status_code != 200:
        error(response)


@pytest.mark.parametrize(
    "id_", ["{response_id}", "resp_", "resp_" + "g" * 32, "x" * 200, "%00", "resp_%F0%9F%98%80"]
)
def test_no_id_makes_a_defect(sandbox: Served, id_: str) -> None:
    url = f"{sandbox.url}/v1/responses/{id_}"
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/input_items")):
        assert error(sandbox.http.request(method, url + path)) == (404, "not_found")
    assert error(sandbox.http.post(url + "/cancel")) == (400, "invalid_request")


def test_a_caller_who_hangs_up_leaves_a_record(scripted: Served, left: Upstream) -> None:
    left.plays(stream_start("Par"), Act.HANG)
    asked = {"model": "left", "input": PROMPT, "stream": True}
    with scripted.http.stream("POST", "/v1/responses", json=asked) as response:
        next(response.iter_lines())
    assert scripted.outcome(response.headers["x-request-id"]) == "client_aborted"
