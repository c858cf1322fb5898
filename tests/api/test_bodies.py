from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.api.bodies import ChatBody, OrchestrateBody
from prysm.api.parse import read
from prysm.core.chat import Message
from prysm.core.content import AudioPart, FilePart, ImagePart, TextPart, Thinking, ToolCall
from prysm.core.openai_form import message_form
from prysm.core.tools import NamedTool, ResponseFormat, Tool, Toolbox
from prysm.errors import InvalidRequest, UnsupportedParameter

if TYPE_CHECKING:
    from prysm.core.plan import ChatRequest

PNG = "iVBORw0KGgo="
HI = {"role": "user", "content": "Hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
GREP = {"type": "custom", "custom": {"name": "grep", "format": {"type": "text"}}}


def asked(**fields: Any) -> ChatRequest:
    body = {"model": "auto", "messages": [HI]} | fields
    return read(ChatBody, json.dumps(body).encode()).chat_request()


def shown(*parts: dict[str, Any]) -> Any:
    return asked(messages=[{"role": "user", "content": list(parts)}]).messages[0].content


def refused(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as raised:
        asked(**fields)
    assert raised.value.message.endswith(".")
    return raised.value


@pytest.mark.parametrize(
    ("part", "meant"),
    [
        ({"type": "text", "text": "a"}, TextPart("a")),
        (
            {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}},
            TextPart("a", cache="1h"),
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "low"}},
            ImagePart("https://a/b.png", detail="low"),
        ),
        (
            {"type": "image_url", "image_url": {"url": f"data:image/PNG;base64,{PNG}"}},
            ImagePart(data=PNG, media_type="image/png"),
        ),
        ({"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}}, AudioPart(PNG, "wav")),
        ({"type": "file", "file": {"file_id": "file-1"}}, FilePart(file_id="file-1")),
        (
            {"type": "file", "file": {"file_data": PNG, "filename": "a.pdf"}},
            FilePart(data=PNG, media_type="application/pdf", filename="a.pdf"),
        ),
        (
            {"type": "file", "file": {"file_data": f"data:text/plain;charset=utf-8;base64,{PNG}"}},
            FilePart(data=PNG, media_type="text/plain"),
        ),
    ],
)
def test_every_part_of_openais_api_is_understood(part: dict[str, Any], meant: Any) -> None:
    assert shown(part) == (meant,)


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("file:///etc/passwd", "http"),
        ("gs://bucket/a.png", "http"),
        ("", "http"),
        ("data:image/png,<svg/>", "base64"),
        ("data:text/html;base64,aGk=", "image"),
        ("data:image/png;base64,", "base64"),
        ("data:image/png;base64,a", "padded"),
        ("data:image/png;base64,%%%%", "base64"),
        (f"data:image/png;base64,{PNG}\n", "line breaks"),
    ],
)
def test_an_address_that_no_image_has_is_refused(url: str, hint: str) -> None:
    error = refused(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}])
    assert (error.param, error.code) == ("messages[0].content[0].image_url.url", "invalid_request")
    assert hint in error.message


@given(st.text(max_size=60))
def test_no_address_makes_a_defect(url: str) -> None:
    for address in (url, f"data:image/png;base64,{url}", f"data:{url}"):
        part = {"type": "image_url", "image_url": {"url": address}}
        with suppress(InvalidRequest):
            shown(part)


def test_a_conversation_with_calls_is_read_as_it_was_sent() -> None:
    turns = [
        {"role": "developer", "content": "Be brief.", "name": "ops"},
        HI,
        CALLED,
        {"role": "tool", "content": "21 °C", "tool_call_id": "c1"},
        {"role": "assistant", "content": [{"type": "text", "text": "21 °C"}]},
    ]
    messages = asked(messages=turns).messages
    assert messages[2] == Message("assistant", "", (ToolCall("c1", "weather", '{"city": "Paris"}'),))
    assert messages[3] == Message("tool", "21 °C", tool_call_id="c1")
    assert [message_form(message) for message in messages] == turns


@pytest.mark.parametrize(
    ("turn", "meant"),
    [
        ({"content": "a", "reasoning_content": "hm"}, {"content": "a", "thinking": (Thinking("hm"),)}),
        (
            {
                "content": "a",
                "reasoning_content": "hm",
                "thinking_blocks": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "redacted_thinking", "data": "x"},
                ],
            },
            {"content": "a", "thinking": (Thinking("hm", "s"), Thinking("x", redacted=True))},
        ),
        (
            {"tool_calls": [CALL | {"index": 0, "extra_content": {"google": {"thought_signature": "s"}}}]},
            {"content": "", "tool_calls": (ToolCall("c1", "weather", '{"city": "Paris"}', signature="s"),)},
        ),
        (
            {"tool_calls": [{"id": "c2", "type": "custom", "custom": {"name": "grep", "input": "a|b"}}]},
            {"content": "", "tool_calls": (ToolCall("c2", "grep", "a|b", custom=True),)},
        ),
        ({"content": None, "refusal": "No."}, {"content": "No."}),
        ({"content": [{"type": "refusal", "refusal": "No."}]}, {"content": (TextPart("No."),)}),
        (
            {"content": "a", "annotations": [], "audio": None, "function_call": None, "tool_calls": None},
            {"content": "a"},
        ),
    ],
)
def test_an_answers_message_can_be_sent_back(turn: dict[str, Any], meant: dict[str, Any]) -> None:
    assert asked(messages=[HI, {"role": "assistant"} | turn]).messages[1] == Message("assistant", **meant)


def test_the_older_spelling_of_calls_is_translated() -> None:
    called = {"role": "assistant", "content": None, "function_call": CALL["function"]}
    answered = {"role": "function", "name": "weather", "content": "21 °C"}
    messages = asked(messages=[HI, called, answered]).messages
    assert messages[1].tool_calls[0].id == messages[2].tool_call_id == "call_1"
    assert (messages[2].role, messages[2].content) == ("tool", "21 °C")


@pytest.mark.parametrize(
    ("turn", "param", "code"),
    [
        ({"role": "tool", "content": "x", "tool_call_id": "c9"}, "tool_call_id", "invalid_request"),
        ({"role": "tool", "content": "x"}, "tool_call_id", "invalid_request"),
        ({"role": "function", "content": "x", "name": "nobody"}, "name", "invalid_request"),
        ({"role": "assistant", "content": None}, "content", "invalid_request"),
        ({"role": "assistant", "content": "x", "audio": {"id": "a"}}, "audio", "unsupported_parameter"),
        ({"role": "user", "content": "x", "tool_call_id": "c1"}, "tool_call_id", "unsupported_parameter"),
        ({"role": "wizard", "content": "x"}, "role", "invalid_request"),
        ({"role": "user", "content": [{"type": "video"}]}, "content[0].type", "unsupported_parameter"),
        ({"role": "user", "content": [{"text": "x"}]}, "content[0]", "invalid_request"),
        ({"role": "user", "content": [{"type": "text", "text": 5}]}, "content[0].text", "invalid_request"),
        ({"role": "user", "content": [{"type": "file", "file": {}}]}, "content[0].file", "invalid_request"),
        (
            {"role": "assistant", "tool_calls": [CALL | {"type": "mcp"}]},
            "tool_calls[0].type",
            "unsupported_parameter",
        ),
        (
            {"role": "assistant", "tool_calls": [CALL | {"function": {"name": "a"}}]},
            "tool_calls[0].function.arguments",
            "invalid_request",
        ),
    ],
)
def test_a_wrong_turn_is_refused_by_the_name_of_what_is_wrong(turn: dict[str, Any], param: str, code: str) -> None:
    error = refused(messages=[HI, CALLED, turn])
    assert (error.param, error.code) == (f"messages[2].{param}", code)


BOTH = (Tool("weather", parameters={"type": "object"}), Tool("grep", custom=True, format={"type": "text"}))


@pytest.mark.parametrize(
    ("fields", "box"),
    [
        ({}, None),
        ({"tools": [], "tool_choice": "auto", "parallel_tool_calls": True}, None),
        ({"tools": [WEATHER, GREP]}, Toolbox(BOTH)),
        ({"tools": [WEATHER, GREP], "tool_choice": "none"}, Toolbox(BOTH, "none")),
        (
            {"tools": [WEATHER, GREP], "tool_choice": "required", "parallel_tool_calls": False},
            Toolbox(BOTH, "required", parallel=False),
        ),
        (
            {"tools": [WEATHER, GREP], "tool_choice": {"type": "custom", "custom": {"name": "grep"}}},
            Toolbox(BOTH, NamedTool("grep")),
        ),
        (
            {
                "tools": [WEATHER, GREP],
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {
                        "mode": "required",
                        "tools": [{"type": "function", "function": {"name": "weather"}}],
                    },
                },
            },
            Toolbox(BOTH[:1], "required"),
        ),
        (
            {"functions": [WEATHER["function"]], "function_call": {"name": "weather"}},
            Toolbox(BOTH[:1], NamedTool("weather"), parallel=False),
        ),
    ],
)
def test_tools_in_every_spelling_become_one_toolbox(fields: dict[str, Any], box: Toolbox | None) -> None:
    assert asked(**fields).toolbox == box


def _weather(**more: Any) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": "weather"} | more}]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [WEATHER] * 129}, "tools"),
        ({"tools": [WEATHER, WEATHER]}, "tools[1]"),
        ({"tools": [{"type": "mcp"}]}, "tools[0].type"),
        ({"tools": _weather(name="the weather")}, "tools[0].function.name"),
        ({"tools": _weather(name="x" * 65)}, "tools[0].function.name"),
        ({"tools": _weather(parameters={"type": "objet"})}, "tools[0].function.parameters.type"),
        (
            {"tools": _weather(parameters={"properties": {"a": {"minLength": "x"}}})},
            "tools[0].function.parameters.properties.a.minLength",
        ),
        ({"tools": _weather(parameters={"$ref": "http://127.0.0.1/x"})}, "tools[0].function.parameters"),
        ({"tools": _weather(parameters={"title": "x" * 200_000})}, "tools[0].function.parameters"),
        ({"tools": _weather(parameters={"maximum": 2**70})}, "tools[0].function.parameters"),
        ({"tools": _weather(), "tool_choice": "any"}, "tool_choice"),
        ({"tools": _weather(), "tool_choice": {"type": "mcp"}}, "tool_choice.type"),
        (
            {"tools": _weather(), "tool_choice": {"type": "function", "function": {"name": "time"}}},
            "tool_choice",
        ),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"function_call": {"name": "time"}}, "function_call"),
        ({"functions": [{"name": "a"}], "tools": _weather()}, "functions"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"required": 1}}}},
            "response_format.json_schema.schema.required",
        ),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"reasoning_effort": "extreme"}, "reasoning_effort"),
        ({"logit_bias": {"7": 101}}, "logit_bias.7"),
        ({"web_search_options": {"a": 2**70}}, "web_search_options"),
        ({"stream_options": {"pad": True}}, "stream_options.pad"),
        ({"service_tier": "turbo"}, "service_tier"),
        ({"modalities": ["smell"]}, "modalities[0]"),
        ({"n": 9}, "n"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_the_edge(fields: dict[str, Any], param: str) -> None:
    assert refused(**fields).param == param


def test_a_schema_too_deep_to_follow_is_refused() -> None:
    schema = '{"items":' * 300 + "{}" + "}" * 300
    tools = json.dumps(_weather(parameters={})).replace('"parameters": {}', f'"parameters": {schema}')
    with pytest.raises(InvalidRequest, match="recursion"):
        read(ChatBody, b'{"model": "auto", "messages": [], "tools": ' + tools.encode() + b"}")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, ResponseFormat("json_object")),
        (
            {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}, "strict": True}},
            ResponseFormat("json_schema", "a", {"type": "object"}, strict=True),
        ),
    ],
)
def test_the_format_of_the_answer_is_understood(given: dict[str, Any], meant: ResponseFormat | None) -> None:
    assert asked(response_format=given).response_format == meant


def test_how_to_sample_is_understood() -> None:
    wanted = asked(logprobs=True, top_logprobs=2, reasoning_effort="low", user="u", stop="END", seed=7).sampling
    assert (wanted.logprobs, wanted.top_logprobs, wanted.effort) == (True, 2, "low")
    assert (wanted.user, wanted.stop, wanted.seed) == ("u", ("END",), 7)


OWN: dict[str, Any] = {
    "logit_bias": {"50256": -100},
    "modalities": ["text", "audio"],
    "audio": {"format": "wav", "voice": "alloy"},
    "prediction": {"type": "content", "content": "x"},
    "service_tier": "flex",
    "store": True,
    "verbosity": "low",
    "web_search_options": {},
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "prompt_cache_options": {"ttl": "30m"},
    "safety_identifier": "s",
    "moderation": {"model": "omni-moderation-latest"},
}


@pytest.mark.parametrize("name", OWN)
def test_a_field_of_openais_format_alone_travels_as_it_came(name: str) -> None:
    assert asked(**{name: OWN[name]}).sampling.own == {name: OWN[name]}


@pytest.mark.parametrize(
    "fields",
    [
        {"store": False, "service_tier": "auto", "verbosity": "medium", "modalities": ["text"], "logit_bias": {}},
        dict.fromkeys(OWN),
        {"compliance": None, "brain_config": {}, "cache": None},
        {"function_call": None, "functions": None, "n": 1, "stream_options": None},
    ],
)
def test_what_asks_for_nothing_stands_in_nobodys_way(fields: dict[str, Any]) -> None:
    request = asked(**fields)
    assert (request.sampling.own, request.toolbox, request.n) == (None, None, 1)


@pytest.mark.parametrize("name", ["compliance", "brain_config", "wibble"])
def test_a_field_that_nobody_honours_is_refused_by_name(name: str) -> None:
    error = refused(**{name: {"a": 1}})
    assert isinstance(error, UnsupportedParameter)
    assert error.param == name


@pytest.mark.parametrize(
    ("model", "n"), [("auto", 3), ("left", 8), ("prysm/single", 2), ("prysm/debate", None), ("prysm/depth", None)]
)
def test_several_versions_come_from_one_model_only(model: str, n: int | None) -> None:
    if n is not None:
        assert asked(model=model, n=n).n == n
    else:
        assert (refused(model=model, n=2).param, refused(model=model, n=2).code) == ("n", "unsupported_parameter")


def test_an_orchestration_takes_the_same_fields() -> None:
    body = {"prompt": "Hi", "tools": [WEATHER], "tool_choice": "required", "metadata": {"team": "a"}, "seed": 1}
    body["response_format"] = {"type": "json_object"}
    request = read(OrchestrateBody, json.dumps(body).encode()).chat_request()
    assert request.toolbox == Toolbox(BOTH[:1], "required")
    assert (request.response_format, dict(request.metadata)) == (ResponseFormat("json_object"), {"team": "a"})
