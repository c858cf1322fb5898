from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from tests.providers.conversations import MODEL

from prysm.core.chat import (
    Message,
    ModelCall,
    Sampling,
)
from prysm.core.content import AudioPart, FilePart, ImagePart, TextPart, Thinking, ToolCall
from prysm.core.tools import NamedTool, ResponseFormat, Tool, Toolbox
from prysm.providers.gemini import GeminiProvider

ASK = Message("user", "Hi")
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
CALLED = Message(
    "assistant",
    "",
    (ToolCall("call_1", "look_up", '{"a": 1.50}', signature="seal"), ToolCall("call_2", "weather", "")),
)
JSON = "application/json"


def body(*messages: Message, **fields: Any) -> dict[str, Any]:
    """The body as the provider decodes it."""
    made = replace(ModelCall(MODEL, messages or (ASK,), Sampling()), **fields)
    decoded: dict[str, Any] = orjson.loads(orjson.dumps(GeminiProvider.to_wire(made, stream=False)))
    return decoded


def told(*messages: Message) -> list[dict[str, Any]]:
    """The turns of a body."""
    contents: list[dict[str, Any]] = body(*messages)["contents"]
    return contents


def config(**fields: Any) -> dict[str, Any]:
    """The generation config of a plain call."""
    generation: dict[str, Any] = body(**fields).get("generationConfig", {})
    return generation


def test_results_of_parallel_calls_are_one_turn_in_order_under_the_names_of_their_calls() -> None:
    turns = told(
        ASK,
        CALLED,
        Message("tool", "one", tool_call_id="call_1"),
        Message("user", "Well?"),
        Message("tool", "two", tool_call_id="call_2", failed=True),
    )
    assert [turn["role"] for turn in turns] == ["user", "model", "user", "user"]
    assert [part["functionResponse"] for part in turns[2]["parts"]] == [
        {"id": "call_1", "name": "look_up", "response": {"output": "one"}},
        {"id": "call_2", "name": "weather", "response": {"error": "two"}},
    ]
    assert turns[3]["parts"] == [{"text": "Well?"}]


def test_calls_go_back_with_their_ids_and_seals_byte_for_byte() -> None:
    made = GeminiProvider.to_wire(ModelCall(MODEL, (ASK, CALLED), Sampling()), stream=False)
    assert b'"args":{"a": 1.50}' in orjson.dumps(made)
    first, second = told(ASK, CALLED)[1]["parts"]
    assert first["thoughtSignature"] == "seal"
    assert second == {"functionCall": {"id": "call_2", "name": "weather", "args": {}}}


@pytest.mark.parametrize(
    ("upstream", "seal"), [("gemini-3-pro", "skip_thought_signature_validator"), ("gemini-2.5-pro", None)]
)
def test_a_call_of_another_model_is_marked_as_such_where_seals_are_checked(upstream: str, seal: str | None) -> None:
    foreign = replace(CALLED, tool_calls=tuple(replace(call, signature=None) for call in CALLED.tool_calls))
    parts = body(ASK, foreign, model=replace(MODEL, upstream=upstream))["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == [seal, None]


def test_thoughts_are_parts_before_what_they_led_to() -> None:
    parts = told(ASK, Message("assistant", "Ho", thinking=(Thinking("hm"),)))[1]["parts"]
    assert parts == [{"text": "hm", "thought": True}, {"text": "Ho"}]


def test_media_are_sent_as_bytes_or_by_address() -> None:
    parts = (
        ImagePart(data="aGk=", media_type="image/png"),
        ImagePart(url="https://acme.test/a.JPG?x=1"),
        ImagePart(url="https://acme.test/a"),
        AudioPart("aGk=", "mp3"),
        FilePart(data="aGk=", media_type="application/pdf", filename="a.pdf"),
        FilePart(url="https://acme.test/a.pdf", media_type="application/pdf"),
    )
    assert told(Message("user", parts))[0]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://acme.test/a.JPG?x=1"}},
        {"fileData": {"fileUri": "https://acme.test/a"}},
        {"inlineData": {"mimeType": "audio/mp3", "data": "aGk="}},
        {"text": "File: a.pdf"},
        {"inlineData": {"mimeType": "application/pdf", "data": "aGk="}},
        {"fileData": {"mimeType": "application/pdf", "fileUri": "https://acme.test/a.pdf"}},
    ]


def test_a_tool_may_answer_with_an_image() -> None:
    shown = (TextPart("a"), ImagePart(data="aGk=", media_type="image/png"))
    response = told(ASK, CALLED, Message("tool", shown, tool_call_id="call_1"))[2]["parts"][0]["functionResponse"]
    assert response["response"] == {"output": "a"}
    assert response["parts"] == [{"inlineData": {"mimeType": "image/png", "data": "aGk="}}]


def test_system_messages_join_the_system_instruction_in_order() -> None:
    written = body(Message("system", "A"), ASK, Message("assistant", "Ho"), Message("developer", "B"), ASK)
    assert written["systemInstruction"] == {"parts": [{"text": "A"}, {"text": "B"}]}
    assert [turn["role"] for turn in written["contents"]] == ["user", "model", "user"]


def test_turns_that_say_nothing_are_left_out() -> None:
    assert [turn["role"] for turn in told(ASK, Message("assistant", ""), Message("user", ""))] == ["user"]


@pytest.mark.parametrize(
    ("choice", "strict", "calling"),
    [
        (None, None, None),
        ("auto", None, {"mode": "AUTO"}),
        ("auto", True, {"mode": "VALIDATED"}),
        (None, True, {"mode": "VALIDATED"}),
        ("none", True, {"mode": "NONE"}),
        ("required", True, {"mode": "ANY"}),
        (NamedTool("look_up"), None, {"mode": "ANY", "allowedFunctionNames": ["look_up"]}),
    ],
)
def test_the_choice_among_tools(choice: Any, strict: bool | None, calling: dict[str, Any] | None) -> None:
    offered = (Tool("look_up", "Looks up.", SCHEMA, strict), Tool("stop"))
    written = body(toolbox=Toolbox(offered, choice, parallel=True))
    declared = [{"name": "look_up", "description": "Looks up.", "parametersJsonSchema": SCHEMA}, {"name": "stop"}]
    assert written["tools"] == [{"functionDeclarations": declared}]
    assert written.get("toolConfig", {}).get("functionCallingConfig") == calling


def test_the_format_of_the_answer() -> None:
    wanted = ResponseFormat("json_schema", schema=SCHEMA, description="A thing.")
    schema = SCHEMA | {"description": "A thing."}
    assert config(response_format=wanted) == {"responseMimeType": JSON, "responseJsonSchema": schema}
    assert config(response_format=ResponseFormat("json_object")) == {"responseMimeType": JSON}


@pytest.mark.parametrize(
    ("sampling", "thinking"),
    [
        ({"effort": "none"}, {"thinkingBudget": 0}),
        ({"thinking_tokens": 0}, {"thinkingBudget": 0}),
        ({"effort": "minimal"}, {"thinkingLevel": "MINIMAL", "includeThoughts": True}),
        ({"thinking_tokens": 2000}, {"thinkingBudget": 2000, "includeThoughts": True}),
    ],
)
def test_how_to_think(sampling: dict[str, Any], thinking: object) -> None:
    assert config(sampling=Sampling(**sampling)) == {"thinkingConfig": thinking}


def test_log_probabilities_are_asked_for_and_always_of_a_model_that_can_tell_them() -> None:
    wanted = Sampling(logprobs=True, top_logprobs=3, top_k=40)
    assert config(sampling=wanted) == {"responseLogprobs": True, "logprobs": 3, "topK": 40}
    assert config(model=replace(MODEL, capabilities=frozenset({"logprobs"}))) == {"responseLogprobs": True}
