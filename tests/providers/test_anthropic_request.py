from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import anthropic.types as sdk
import orjson
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from tests.providers.conversations import MODEL, calls

from prysm.core.chat import Message, ModelCall, Sampling
from prysm.core.content import FilePart, ImagePart, TextPart, Thinking, ToolCall
from prysm.core.tools import NamedTool, ResponseFormat, Tool, Toolbox
from prysm.providers.anthropic import AnthropicProvider
from prysm.providers.failures import Unusable
from prysm.registry.wire_limits import inexpressible

ASK = Message("user", "Hi")
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
CALLED = Message("assistant", "", (ToolCall("call_1", "look_up", '{"a": 1.50}'), ToolCall("call_2", "look_up", "")))
BLOCKS: dict[str, Any] = {
    "text": sdk.TextBlockParam,
    "image": sdk.ImageBlockParam,
    "document": sdk.DocumentBlockParam,
    "thinking": sdk.ThinkingBlockParam,
    "redacted_thinking": sdk.RedactedThinkingBlockParam,
    "tool_use": sdk.ToolUseBlockParam,
    "tool_result": sdk.ToolResultBlockParam,
}


def body(*messages: Message, call: ModelCall | None = None, **fields: Any) -> dict[str, Any]:
    """The body as the provider decodes it."""
    made = replace(call or ModelCall(MODEL, (), Sampling()), messages=messages or (ASK,), **fields)
    decoded: dict[str, Any] = orjson.loads(orjson.dumps(AnthropicProvider.to_wire(made, stream=False)))
    return decoded


def sampled(**sampling: Any) -> dict[str, Any]:
    """The body of a plain call that is to be sampled so."""
    return body(sampling=Sampling(**sampling))


def told(*messages: Message) -> list[dict[str, Any]]:
    """The turns of a body."""
    turns: list[dict[str, Any]] = body(*messages)["messages"]
    return turns


def known_to_sdk(kind: Any, value: object) -> bool:
    """Whether the vendor's own types take a value with all its fields."""
    adapter = TypeAdapter[Any](kind)
    return bool(orjson.loads(adapter.dump_json(adapter.validate_python(value))) == value)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(calls)
def test_the_vendors_own_types_know_everything_we_write(call: ModelCall) -> None:
    assume(inexpressible("anthropic", call) is None)
    written = body(*call.messages, call=call)
    blocks = [
        block for turn in written["messages"] if isinstance(turn["content"], list) for block in turn["content"]
    ]
    for block in blocks:
        inner = block.pop("content", None) if block["type"] == "tool_result" else None
        assert all(known_to_sdk(BLOCKS[each["type"]], each) for each in (inner if isinstance(inner, list) else ()))
        assert known_to_sdk(BLOCKS[block["type"]], block)
    assert all(known_to_sdk(sdk.ToolParam, tool) for tool in written.get("tools", ()))
    assert known_to_sdk(sdk.ToolChoiceParam, written.get("tool_choice", {"type": "auto"}))
    assert known_to_sdk(sdk.ThinkingConfigParam, written.get("thinking", {"type": "disabled"}))
    assert known_to_sdk(sdk.OutputConfigParam, written.get("output_config", {}))
    assert known_to_sdk(sdk.MetadataParam, written.get("metadata", {}))


def test_results_of_parallel_calls_are_one_turn_in_order_before_what_the_user_adds() -> None:
    turns = told(
        ASK,
        CALLED,
        Message("tool", "one", tool_call_id="call_1"),
        Message("user", "Well?"),
        Message("tool", "", tool_call_id="call_2", failed=True),
    )
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert turns[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "call_1", "content": "one"},
        {"type": "tool_result", "tool_use_id": "call_2", "is_error": True},
        {"type": "text", "text": "Well?"},
    ]


@pytest.mark.parametrize("theirs", ["functions.f:0", "", "x y", "é", "a\n"])
def test_ids_of_calls_that_the_format_refuses_are_written_anew_for_call_and_result_alike(theirs: str) -> None:
    called, result = Message("assistant", "", (ToolCall(theirs, "look_up", "{}"),)), Message("tool", "x")
    turns = told(ASK, called, replace(result, tool_call_id=theirs))
    made = turns[1]["content"][0]["id"]
    assert re.fullmatch("[a-zA-Z0-9_-]+", made)
    assert made == turns[2]["content"][0]["tool_use_id"]


@given(ids=st.sets(st.text(st.sampled_from("af_-.: é"), max_size=3), max_size=20))
def test_ids_of_calls_stay_apart_and_those_that_the_format_takes_stay_as_they_are(ids: set[str]) -> None:
    turns = told(ASK, Message("assistant", "", tuple(ToolCall(each, "f", "{}") for each in ids))) if ids else []
    sent = [block["id"] for turn in turns[1:] for block in turn["content"]]
    assert len(set(sent)) == len(ids)
    assert {each for each in ids if re.fullmatch("[a-z_-]+", each)} <= set(sent)


def test_arguments_are_sent_byte_for_byte_as_the_model_wrote_them() -> None:
    made = AnthropicProvider.to_wire(ModelCall(MODEL, (ASK, CALLED), Sampling()), stream=False)
    assert b'"input":{"a": 1.50}' in orjson.dumps(made)
    assert b'"input":{}' in orjson.dumps(made)


def test_thoughts_come_before_the_call_they_led_to() -> None:
    thinking = (Thinking("hm", "seal"), Thinking("xyz", redacted=True))
    turns = told(ASK, replace(CALLED, content="I look.", thinking=thinking))
    assert [block["type"] for block in turns[1]["content"]] == [
        "thinking",
        "redacted_thinking",
        "text",
        "tool_use",
        "tool_use",
    ]
    assert turns[1]["content"][0] == {"type": "thinking", "thinking": "hm", "signature": "seal"}
    assert turns[1]["content"][1] == {"type": "redacted_thinking", "data": "xyz"}


def test_what_another_provider_sealed_or_thought_before_is_left_out_and_the_call_goes_through_whole() -> None:
    sealed = tuple(replace(call, signature="seal") for call in CALLED.tool_calls)
    foreign = replace(CALLED, tool_calls=sealed, thinking=(Thinking("hm"),))
    assert told(ASK, foreign, ASK) == told(ASK, CALLED, ASK)


def test_media_are_sent_as_bytes_by_address_or_by_id() -> None:
    parts = (
        ImagePart(data="aGk=", media_type="image/png"),
        ImagePart(url="https://acme.test/a.png"),
        FilePart(data="aGk=", media_type="application/pdf", filename="a.pdf"),
        FilePart(data="aGk=", media_type="text/plain"),
        FilePart(file_id="file_1"),
    )
    blocks = told(Message("user", parts))[0]["content"]
    assert [block["source"] for block in blocks] == [
        {"type": "base64", "media_type": "image/png", "data": "aGk="},
        {"type": "url", "url": "https://acme.test/a.png"},
        {"type": "base64", "media_type": "application/pdf", "data": "aGk="},
        {"type": "text", "media_type": "text/plain", "data": "hi"},
        {"type": "file", "file_id": "file_1"},
    ]
    assert blocks[2]["title"] == "a.pdf"


def test_plain_text_that_is_none_is_refused() -> None:
    with pytest.raises(Unusable, match="UTF-8"):
        told(Message("user", (FilePart(data="/w==", media_type="text/plain"),)))


def test_a_tool_may_answer_with_an_image() -> None:
    result = Message("tool", (TextPart("a"), ImagePart(data="aGk=", media_type="image/png")), tool_call_id="call_1")
    assert [part["type"] for part in told(ASK, CALLED, result)[2]["content"][0]["content"]] == ["text", "image"]


def test_system_messages_from_the_middle_join_the_system_prompt() -> None:
    written = body(Message("system", "A"), ASK, Message("assistant", "Ho"), Message("developer", "B"), ASK)
    assert written["system"] == "A\n\nB"
    assert [turn["role"] for turn in written["messages"]] == ["user", "assistant", "user"]


def test_system_messages_stay_in_the_middle_where_the_model_takes_them() -> None:
    model = replace(MODEL, capabilities=frozenset({"mid_system"}))
    late = (Message("system", "B"), ASK, Message("developer", "C"))
    written = body(Message("system", "A"), ASK, Message("assistant", "Ho"), *late, model=model)
    assert written["system"] == "A"
    assert [turn["role"] for turn in written["messages"]] == ["user", "assistant", "user", "system"]
    assert written["messages"][-1]["content"] == "B\n\nC"


def test_a_system_message_behind_an_answer_alone_has_no_lawful_place_but_the_prompt() -> None:
    model = replace(MODEL, capabilities=frozenset({"mid_system"}))
    written = body(ASK, Message("assistant", "Ho"), Message("system", "A"), model=model)
    assert (written["system"], len(written["messages"])) == ("A", 2)


def test_cache_hints_stand_where_the_caller_put_them() -> None:
    hint = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    written = body(
        Message("system", "A", cache="1h"),
        Message("system", "B"),
        Message("user", (TextPart("Hi", cache="1h"), TextPart("ho"))),
        replace(CALLED, content="I look.", tool_calls=CALLED.tool_calls[:1], cache="1h"),
        Message("tool", "one", tool_call_id="call_1", cache="1h"),
        toolbox=Toolbox((Tool("look_up", cache="1h"),)),
    )
    assert written["system"] == [{"type": "text", "text": "A"} | hint, {"type": "text", "text": "\n\nB"}]
    assert written["messages"][0]["content"][0] == {"type": "text", "text": "Hi"} | hint
    assert [hint.items() <= block.items() for block in written["messages"][1]["content"]] == [False, True]
    assert hint.items() <= written["messages"][2]["content"][0].items()
    assert hint.items() <= written["tools"][0].items()


def test_turns_that_say_nothing_are_left_out() -> None:
    assert [turn["role"] for turn in told(ASK, Message("assistant", ""), Message("user", ""), ASK)] == ["user"]


@pytest.mark.parametrize(
    ("choice", "parallel", "wire"),
    [
        (None, None, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("auto", None, {"type": "auto"}),
        ("none", True, {"type": "none"}),
        ("required", True, {"type": "any", "disable_parallel_tool_use": False}),
        (NamedTool("look_up"), None, {"type": "tool", "name": "look_up"}),
    ],
)
def test_the_choice_among_tools(choice: Any, parallel: bool | None, wire: object) -> None:
    tool = Tool("look_up", "Looks up.", SCHEMA, strict=True)
    written = body(toolbox=Toolbox((tool, Tool("stop")), choice, parallel))
    assert written.get("tool_choice") == wire
    assert written["tools"] == [
        {"name": "look_up", "description": "Looks up.", "input_schema": SCHEMA, "strict": True},
        {"name": "stop", "input_schema": {"type": "object", "properties": {}}},
    ]


def test_a_schema_is_the_format_of_the_answer() -> None:
    wanted = ResponseFormat("json_schema", schema=SCHEMA, description="A thing.")
    config = body(response_format=wanted, sampling=Sampling(effort="max"))["output_config"]
    schema = SCHEMA | {"description": "A thing."}
    assert config == {"effort": "max", "format": {"type": "json_schema", "schema": schema}}


def test_any_json_object_is_asked_for_in_words() -> None:
    written = body(Message("system", "A"), ASK, response_format=ResponseFormat("json_object"))
    assert written["system"] == "A\n\nAnswer with one JSON object and nothing else."
    assert "output_config" not in written


@pytest.mark.parametrize(
    ("sampling", "thinking"),
    [
        ({}, None),
        ({"effort": "high"}, {"type": "adaptive"}),
        ({"effort": "none"}, {"type": "disabled"}),
        ({"thinking_tokens": 0, "effort": "low"}, {"type": "disabled"}),
        ({"thinking_tokens": 2000}, {"type": "enabled", "budget_tokens": 2000}),
    ],
)
def test_how_to_think(sampling: dict[str, Any], thinking: object) -> None:
    assert sampled(**sampling).get("thinking") == thinking


def test_the_limit_is_always_above_the_budget_for_thoughts() -> None:
    assert sampled(thinking_tokens=9000)["max_tokens"] == 9000 + 4096
    capped = sampled(thinking_tokens=9000, max_tokens=2000)
    assert (capped["max_tokens"], capped["thinking"]["budget_tokens"]) == (2000, 1999)


def test_who_asks_and_how_to_sample() -> None:
    written = sampled(user="ann", top_k=40, top_p=0.9, temperature=0.5, stop=("END",))
    assert written["metadata"] == {"user_id": "ann"}
    assert [written[name] for name in ("top_k", "top_p", "temperature", "stop_sequences")] == [
        40,
        0.9,
        0.5,
        ["END"],
    ]


def test_a_model_whose_sampling_is_fixed_hears_no_wish_of_a_strategy() -> None:
    model = replace(MODEL, capabilities=frozenset({"fixed_sampling"}))
    assert "temperature" not in body(model=model, sampling=Sampling(temperature=0.7))
