"""Everything a call can hold, as OpenAI documents it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest
from tests.providers.formats import CALL, MODEL, asking

from prysm.core.chat import Message, ModelCall, Sampling
from prysm.core.content import AudioPart, FilePart, ImagePart, TextPart, Thinking, ToolCall
from prysm.core.provider import ProviderSpec
from prysm.core.tools import NamedTool, ResponseFormat, Tool, Toolbox
from prysm.providers.build import build_provider
from prysm.providers.failures import Unusable
from prysm.providers.openai import OpenAIProvider

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
GRAMMAR = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "[a-z]+"}}
WEATHER = Tool("weather", "Tells the weather.", SCHEMA, strict=True)
SHELL = Tool("shell", custom=True, format=GRAMMAR)


def wire(call: ModelCall) -> dict[str, Any]:
    return OpenAIProvider.to_wire(call, stream=False)


def written(*messages: Message) -> list[dict[str, Any]]:
    messages_on_the_wire: list[dict[str, Any]] = wire(asking(*messages))["messages"]
    return messages_on_the_wire


def boxed(*tools: Tool, **more: Any) -> dict[str, Any]:
    body = wire(replace(CALL, toolbox=Toolbox(tools, **more)))
    return {name: body[name] for name in ("tools", "tool_choice", "parallel_tool_calls") if name in body}


def able(*capabilities: str, **sampling: Any) -> dict[str, Any]:
    return wire(replace(asking(**sampling), model=replace(MODEL, capabilities=frozenset(capabilities))))


def test_parts_are_written_as_documented() -> None:
    parts = (
        TextPart("Look:"),
        ImagePart(url="https://a.test/b.png", detail="low"),
        ImagePart(data="aGk=", media_type="image/png"),
        AudioPart("aGk=", "wav"),
        FilePart(file_id="file_1"),
        FilePart(data="aGk=", media_type="application/pdf", filename="a.pdf"),
    )
    assert written(Message("user", parts))[0]["content"] == [
        {"type": "text", "text": "Look:"},
        {"type": "image_url", "image_url": {"url": "https://a.test/b.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
        {"type": "file", "file": {"file_id": "file_1"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}},
    ]


def test_a_round_of_tools_is_written_as_documented() -> None:
    calls = (
        ToolCall("call_1", "weather", '{"city": "Rome"}'),
        ToolCall("call_2", "shell", "ls", custom=True),
    )
    turns = written(
        Message("user", "Weather?", name="ada"),
        Message("assistant", "", tool_calls=calls, thinking=(Thinking("Let me "), Thinking("look."))),
        Message("tool", "Sunny", tool_call_id="call_1"),
        Message("tool", "no such file", tool_call_id="call_2", failed=True),
    )
    assert turns == [
        {"role": "user", "content": "Weather?", "name": "ada"},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "Let me look.",
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city": "Rome"}'},
                },
                {"id": "call_2", "type": "custom", "custom": {"name": "shell", "input": "ls"}},
            ],
        },
        {"role": "tool", "content": "Sunny", "tool_call_id": "call_1"},
        {"role": "tool", "content": "Error: no such file", "tool_call_id": "call_2"},
    ]


SEALED = ToolCall("call_1", "weather", "{}", signature="c2VhbA==")
GOOGLES = "https://generativelanguage.googleapis.com/v1beta/openai"


@pytest.mark.parametrize(
    ("base_url", "sealed"),
    [
        (GOOGLES, True),
        ("https://us-east1-aiplatform.googleapis.com/v1/projects/p/locations/l/endpoints/openapi", True),
        ("https://api.openai.com/v1", False),
        ("https://googleapis.com.acme.test/v1", False),
        ("https://notgoogleapis.com/v1", False),
        ("https://acme.test/googleapis.com", False),
    ],
)
def test_a_seal_on_a_call_goes_to_googles_own_hosts_alone(base_url: str, *, sealed: bool) -> None:
    provider = build_provider(ProviderSpec("acme", "openai", base_url), httpx.AsyncHTTPTransport())
    assert isinstance(provider, OpenAIProvider)
    turns = (Message("user", "Weather?"), Message("assistant", "", (SEALED,)))
    body = provider.to_wire(ModelCall(MODEL, turns, Sampling()), stream=False)
    seal = {"extra_content": {"google": {"thought_signature": "c2VhbA=="}}} if sealed else {}
    made = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    assert body["messages"][1]["tool_calls"] == [made | seal]


def test_sealed_thoughts_of_earlier_turns_are_left_out_and_turns_of_nothing_else_with_them() -> None:
    thoughts = (Thinking("hm", "seal"), Thinking("xyz", redacted=True))
    turns = written(
        Message("user", "Hi"),
        Message("assistant", "", thinking=thoughts),
        Message("assistant", "Ho", thinking=thoughts),
        Message("user", "Well?"),
    )
    assert turns == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Ho"},
        {"role": "user", "content": "Well?"},
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("gone", "Error: gone"),
        ("Error: gone", "Error: gone"),
        ("", "Error: "),
        ((TextPart("a"),), [{"type": "text", "text": "Error: "}, {"type": "text", "text": "a"}]),
        ((TextPart("Error: a"),), [{"type": "text", "text": "Error: a"}]),
    ],
)
def test_a_failed_tool_says_so_once(content: Any, told: Any) -> None:
    assert written(Message("tool", content, tool_call_id="c", failed=True))[0]["content"] == told


def test_tools_are_written_with_what_is_known_of_them() -> None:
    assert boxed(WEATHER, SHELL, Tool("now")) == {
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "Tells the weather.",
                    "parameters": SCHEMA,
                    "strict": True,
                },
            },
            {"type": "custom", "custom": {"name": "shell", "format": GRAMMAR}},
            {"type": "function", "function": {"name": "now"}},
        ]
    }


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        (NamedTool("weather"), {"type": "function", "function": {"name": "weather"}}),
        (NamedTool("shell"), {"type": "custom", "custom": {"name": "shell"}}),
    ],
)
def test_the_choice_of_a_tool_is_passed_on(choice: Any, told: Any) -> None:
    assert (
        boxed(WEATHER, SHELL, choice=choice, parallel=False).items()
        >= {
            "tool_choice": told,
            "parallel_tool_calls": False,
        }.items()
    )


def test_an_answer_in_json_is_asked_for() -> None:
    fmt = ResponseFormat("json_schema", "city", SCHEMA, strict=True, description="A city.")
    assert wire(replace(CALL, response_format=ResponseFormat("json_object")))["response_format"] == {
        "type": "json_object"
    }
    assert wire(replace(CALL, response_format=fmt))["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "city", "schema": SCHEMA, "strict": True, "description": "A city."},
    }


def test_every_sampling_parameter_has_its_field() -> None:
    call = asking(
        temperature=1.0,
        top_p=0.5,
        seed=7,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        logprobs=True,
        top_logprobs=3,
        effort="high",
        user="ada",
        own={
            "logit_bias": {"50256": -100},
            "service_tier": "flex",
            "prediction": {"type": "content", "content": "x"},
        },
    )
    body = wire(call)
    del body["messages"]
    assert body == {
        "model": "tiny-1",
        "temperature": 1.0,
        "top_p": 0.5,
        "seed": 7,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
        "logprobs": True,
        "top_logprobs": 3,
        "reasoning_effort": "high",
        "user": "ada",
        "logit_bias": {"50256": -100},
        "service_tier": "flex",
        "prediction": {"type": "content", "content": "x"},
    }


def test_fields_of_the_callers_own_replace_none_of_ours() -> None:
    body = OpenAIProvider.to_wire(asking(own={"model": "other", "stream": False, "store": True}), stream=True)
    assert (body["model"], body["stream"], body["store"]) == ("tiny-1", True, True)


def test_only_a_model_that_thinks_is_told_not_to() -> None:
    assert able("reasoning", thinking_tokens=0)["reasoning_effort"] == "none"
    assert "reasoning_effort" not in able(thinking_tokens=0)
    assert able(effort="none")["reasoning_effort"] == "none"


def test_a_model_that_can_tell_log_probabilities_is_always_asked_for_them() -> None:
    assert able("logprobs")["logprobs"] is True
    assert "logprobs" not in able()
    assert "top_logprobs" not in able(top_logprobs=2)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (asking(top_k=5), "top_k"),
        (asking(thinking_tokens=1024), "thinking"),
        (asking(Message("assistant", "Hi", thinking=(Thinking("hm", "seal"),))), r"messages\[0\]\.thinking"),
        (asking(Message("assistant", "Hi", thinking=(Thinking("x", redacted=True),))), r"messages\[0\]\.thinking"),
    ],
)
def test_what_the_format_cannot_say_is_refused_by_name(call: ModelCall, name: str) -> None:
    with pytest.raises(Unusable, match=name) as caught:
        wire(call)
    assert caught.value.kind == "rejected"


def test_a_plain_call_says_nothing_more_than_before() -> None:
    assert wire(replace(CALL, sampling=Sampling())) == {
        "model": "tiny-1",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Grüß dich"}],
    }


def test_where_sampling_is_fixed_no_wish_about_it_is_sent() -> None:
    wishes = {"temperature": 0.7, "top_p": 0.9, "frequency_penalty": 0.0, "presence_penalty": 0.0}
    assert wishes.keys() <= able(**wishes).keys()
    assert not wishes.keys() & able("fixed_sampling", **wishes).keys()
    assert able("fixed_sampling", seed=1)["seed"] == 1


def test_a_model_that_takes_tools_only_without_thinking_is_told_not_to_think() -> None:
    model = replace(MODEL, capabilities=frozenset({"tools_without_thinking", "reasoning"}))
    call = replace(CALL, model=model, toolbox=Toolbox((WEATHER,)))
    assert wire(call)["reasoning_effort"] == "none"
    assert "reasoning_effort" not in wire(replace(call, toolbox=None))
    assert wire(replace(call, sampling=Sampling(effort="low")))["reasoning_effort"] == "low"
