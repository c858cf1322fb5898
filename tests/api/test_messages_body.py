"""What `/v1/messages` takes: every field honoured, or refused by its name."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import HealthCheck, assume, given, settings
from tests.providers.conversations import calls

from prysm.api.messages_body import CountBody, MessagesBody
from prysm.api.messages_count import count
from prysm.api.parse import read
from prysm.core.chat import Message, ModelCall, Sampling
from prysm.core.content import FilePart, ImagePart, TextPart, Thinking, ToolCall
from prysm.core.tools import NamedTool, ResponseFormat, Tool, Toolbox
from prysm.errors import InvalidRequest, UnsupportedParameter
from prysm.providers.anthropic_request import request
from prysm.registry.wire_limits import inexpressible

if TYPE_CHECKING:
    from prysm.core.plan import ChatRequest

PNG = "iVBORw0KGgo="
HI = {"role": "user", "content": "Hi"}
USED = {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Paris"}}
CALL = ToolCall("c1", "weather", '{"city":"Paris"}')
WEATHER = {"name": "weather", "input_schema": {"type": "object"}}


def asked(**fields: Any) -> ChatRequest:
    body = {"model": "auto", "max_tokens": 4096, "messages": [HI]} | fields
    return read(MessagesBody, json.dumps(body).encode()).chat_request()


def shown(*blocks: dict[str, Any]) -> Any:
    return asked(messages=[{"role": "user", "content": list(blocks)}]).messages[0].content


def refused(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as raised:
        asked(**fields)
    return raised.value


@settings(
    max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None
)
@given(call=calls)
def test_what_a_provider_of_the_format_is_sent_can_be_sent_to_us_and_on_again(call: ModelCall) -> None:
    assume(inexpressible("anthropic", call) is None)
    body = orjson.dumps(request(call, stream=False))
    told = read(MessagesBody, body).chat_request()
    again = replace(
        call,
        messages=told.messages,
        sampling=told.sampling,
        toolbox=told.toolbox,
        response_format=told.response_format,
    )
    assert orjson.loads(orjson.dumps(request(again, stream=False))) == orjson.loads(body)


@pytest.mark.parametrize(
    ("model", "target"),
    [
        ("auto", {}),
        ("acme/large", {"pinned": "acme/large"}),
        ("prysm/careful", {"policy": "careful"}),
        ("prysm/debate", {"strategy": "debate"}),
    ],
)
def test_the_model_says_who_answers(model: str, target: dict[str, str]) -> None:
    found = asked(model=model)
    assert {name: getattr(found, name) for name in target} == target
    assert found.orchestrated is ("policy" in target or "strategy" in target)


def test_images_and_documents_become_parts() -> None:
    document = {"type": "document", "title": "Notes", "cache_control": {"type": "ephemeral"}}
    assert shown(
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "image", "source": {"type": "url", "url": "https://acme.test/a.png"}, "cache_control": None},
        document | {"source": {"type": "base64", "media_type": "application/pdf", "data": PNG}},
        document | {"source": {"type": "text", "media_type": "text/plain", "data": "Grüße"}},
        document | {"source": {"type": "url", "url": "https://acme.test/a.pdf"}},
        document | {"source": {"type": "file", "file_id": "file_1"}},
        document | {"source": {"type": "content", "content": [{"type": "text", "text": "One."}]}},
    ) == (
        ImagePart(data=PNG, media_type="image/png"),
        ImagePart(url="https://acme.test/a.png"),
        FilePart(data=PNG, media_type="application/pdf", filename="Notes", cache="5m"),
        FilePart(
            data=base64.b64encode("Grüße".encode()).decode(), media_type="text/plain", filename="Notes", cache="5m"
        ),
        FilePart(url="https://acme.test/a.pdf", media_type="application/pdf", filename="Notes", cache="5m"),
        FilePart(file_id="file_1", filename="Notes", cache="5m"),
        TextPart("Notes\n\n"),
        TextPart("One.", cache="5m"),
    )


def test_results_of_tools_come_before_what_the_user_says() -> None:
    result = {"type": "tool_result", "tool_use_id": "c1", "content": "no such city", "is_error": True}
    found = asked(
        messages=[
            HI,
            {"role": "assistant", "content": [USED]},
            {"role": "user", "content": [{"type": "text", "text": "And?"}, result]},
        ]
    )
    assert found.messages[1:] == (
        Message("assistant", "", tool_calls=(CALL,)),
        Message("tool", "no such city", tool_call_id="c1", failed=True),
        Message("user", "And?"),
    )


def test_a_thought_stays_at_its_place() -> None:
    seal = {"google": {"thought_signature": "c2VhbA=="}}
    found = asked(
        messages=[
            HI,
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "s1"},
                    {"type": "text", "text": "Well."},
                    {"type": "redacted_thinking", "data": "opaque"},
                    {"type": "thinking", "thinking": "In the open.", "signature": ""},
                    USED | {"extra_content": seal, "caller": {"type": "direct"}},
                ],
            },
        ]
    )
    assert found.messages[1:] == (
        Message("assistant", "Well.", thinking=(Thinking("Hm.", "s1"),)),
        Message(
            "assistant",
            "",
            tool_calls=(replace(CALL, signature="c2VhbA=="),),
            thinking=(Thinking("opaque", redacted=True), Thinking("In the open.")),
        ),
    )


def test_system_prompts_and_hints_keep_their_place() -> None:
    kept = {"type": "ephemeral", "ttl": "1h"}
    found = asked(
        system=[{"type": "text", "text": "Be brief.", "cache_control": kept}],
        messages=[HI, {"role": "system", "content": "Be kind."}, HI],
        cache_control={"type": "ephemeral"},
    )
    assert found.messages == (
        Message("system", (TextPart("Be brief.", cache="1h"),)),
        Message("user", "Hi"),
        Message("system", "Be kind."),
        Message("user", "Hi", cache="5m"),
    )


def test_turns_of_one_role_and_a_begun_answer_are_taken() -> None:
    found = asked(messages=[HI, HI, {"role": "assistant", "content": "Hel"}])
    assert [message.role for message in found.messages] == ["user", "user", "assistant"]


@pytest.mark.parametrize(
    ("choice", "box"),
    [
        (None, Toolbox((Tool("weather", parameters={"type": "object"}),))),
        ({"type": "auto"}, Toolbox((Tool("weather", parameters={"type": "object"}),), "auto")),
        (
            {"type": "any", "disable_parallel_tool_use": True},
            Toolbox((Tool("weather", parameters={"type": "object"}),), "required", parallel=False),
        ),
        (
            {"type": "tool", "name": "weather", "disable_parallel_tool_use": False},
            Toolbox((Tool("weather", parameters={"type": "object"}),), NamedTool("weather"), parallel=True),
        ),
        ({"type": "none"}, Toolbox((Tool("weather", parameters={"type": "object"}),), "none")),
    ],
)
def test_tools_and_the_choice_among_them(choice: dict[str, Any] | None, box: Toolbox) -> None:
    assert asked(tools=[WEATHER | {"type": "custom"}], tool_choice=choice).toolbox == box


@pytest.mark.parametrize(
    ("fields", "sampling"),
    [
        ({"temperature": 0.5, "top_p": 0.9, "top_k": 5}, Sampling(temperature=0.5, top_p=0.9, top_k=5)),
        ({"stop_sequences": ["a", "b", "c", "d", "e"]}, Sampling(stop=("a", "b", "c", "d", "e"))),
        ({"metadata": {"user_id": "u1"}}, Sampling(user="u1")),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, Sampling(thinking_tokens=1024)),
        ({"thinking": {"type": "disabled"}}, Sampling(thinking_tokens=0)),
        ({"thinking": {"type": "adaptive"}}, Sampling(effort="high")),
        (
            {"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "low"}},
            Sampling(effort="low", thinking_display="omitted"),
        ),
        ({"output_config": {"effort": "max"}, "service_tier": "auto", "speed": "standard"}, Sampling(effort="max")),
    ],
)
def test_how_models_are_to_sample(fields: dict[str, Any], sampling: Sampling) -> None:
    assert asked(**fields).sampling == replace(sampling, max_tokens=4096)


def test_a_schema_is_the_format_of_the_answer() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    found = asked(output_config={"format": {"type": "json_schema", "schema": schema}})
    assert found.response_format == ResponseFormat("json_schema", schema=schema)


def test_our_own_fields_stand_beside_theirs() -> None:
    found = asked(model="prysm/debate", rounds=2, max_cost_usd=0.5, retention="zero", routing_mode="quality")
    assert (found.rounds, found.max_cost_nano, found.retention_zero) == (2, 500_000_000, True)
    assert found.routing_mode == "quality"


def block(kind: str, **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": kind} | fields]}]}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"container": "box"}, "container"),
        ({"mcp_servers": [{"url": "https://acme.test"}]}, "mcp_servers"),
        ({"context_management": {"edits": [{}]}}, "context_management"),
        ({"inference_geo": "eu"}, "inference_geo"),
        ({"diagnostics": {"previous_message_id": "m"}}, "diagnostics"),
        ({"user_profile_id": "p"}, "user_profile_id"),
        ({"service_tier": "standard_only"}, "service_tier"),
        ({"speed": "fast"}, "speed"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
        ({"tools": [WEATHER, {"type": "bash_20250124", "name": "bash"}]}, "tools[1].type"),
        ({"tools": [WEATHER | {"defer_loading": True}]}, "tools[0].defer_loading"),
        ({"thinking": {"type": "between_tools"}}, "thinking.type"),
        (block("search_result"), "messages[0].content[0].type"),
        (block("image", source={"type": "file", "file_id": "f"}), "messages[0].content[0].source.type"),
        (block("document", context="x", source={"type": "file", "file_id": "f"}), "messages[0].content[0].context"),
        (
            block("document", citations={"enabled": True}, source={"type": "file", "file_id": "f"}),
            "messages[0].content[0].citations.enabled",
        ),
    ],
)
def test_what_nobody_here_can_honour_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    error = refused(**fields)
    assert isinstance(error, UnsupportedParameter)
    assert error.param == param
    assert param in error.message


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": None}, "max_tokens"),
        ({"temperature": 1.5}, "temperature"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        (block("tool_result", tool_use_id="c9"), "messages[0].content[0].tool_use_id"),
        (block("image", source={"type": "url", "url": "file:///etc/hosts"}), "messages[0].content[0].source.url"),
        ({"tools": [{"name": "weather"}]}, "tools[0].input_schema"),
        ({"tools": [WEATHER | {"input_schema": {"type": "nothing"}}]}, "tools[0].input_schema.type"),
        ({"tools": [WEATHER, WEATHER]}, "tools[1]"),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "sun"}}, "tool_choice"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"thinking": {"type": "enabled", "budget_tokens": 10}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 4096}}, "thinking.budget_tokens"),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "nothing"}}}},
            "output_config.format.schema.type",
        ),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], param: str) -> None:
    error = refused(**fields)
    assert error.param == param


def test_an_argument_that_json_cannot_carry_on_is_refused() -> None:
    used = USED | {"input": {"n": 2**70}}
    assert refused(messages=[{"role": "assistant", "content": [used]}]).param == "messages[0].content[0].input"


def counted(**fields: Any) -> int:
    body = read(CountBody, json.dumps({"model": "auto", "messages": [HI]} | fields).encode())
    return count(body.conversation(), body.toolbox())


def test_all_that_a_model_reads_is_counted() -> None:
    text = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "word " * 500}}
    turn = {"role": "user", "content": [text]}
    assert counted() < counted(system="Be brief.") < counted(system="Be brief.", tools=[WEATHER])
    assert 500 <= counted(messages=[turn]) <= 700


def test_a_long_prompt_is_counted_by_samples_in_a_moment() -> None:
    line, frame = "The quick brown fox jumps over 42 dogs.\n", counted() - 1
    began = time.perf_counter()
    whole = counted(messages=[{"role": "user", "content": line * 25_000}])
    assert counted(messages=[{"role": "user", "content": " " * 1_000_000}]) == frame
    assert time.perf_counter() - began < 2
    part = counted(messages=[{"role": "user", "content": line * 100}])
    assert (whole - frame) / (part - frame) == pytest.approx(250, rel=0.05)


def test_a_document_that_only_its_reader_can_count_is_refused() -> None:
    pdf = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PNG}}
    with pytest.raises(UnsupportedParameter, match="a page"):
        counted(messages=[{"role": "user", "content": [pdf]}])
