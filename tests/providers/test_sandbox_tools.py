"""Simulated models with tools and schemas: deterministic, and within what the schema allows."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.openai_answers import agrees

from prysm.config import Settings, load_config
from prysm.core.chat import Completion, Message, ModelCall, Sampling
from prysm.core.content import ToolCall
from prysm.core.provider import ProviderSpec
from prysm.core.tools import NamedTool, ResponseFormat, Tool, Toolbox
from prysm.errors import ProviderError
from prysm.providers.sandbox import SandboxProfile, SandboxProvider
from prysm.providers.sandbox_answers import settle
from prysm.providers.sandbox_schema import example
from prysm.providers.sandbox_values import Values

if TYPE_CHECKING:
    from prysm.core.chat import Piece

SPEC = ProviderSpec("sandbox", "sandbox", timeout_s=0.05)
MODEL = next(model for model in load_config(Settings(), {}).models if model.id == "sandbox-strong")
RIGHT, WRONG = {"default": 1.0}, {"default": 0.0}
FORECAST: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "unit": {"enum": ["celsius", "fahrenheit"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 14},
    },
    "required": ["city", "unit", "days"],
    "additionalProperties": False,
}
WEATHER = Tool("get_weather", "Current weather of a city.", FORECAST)
CLOCK = Tool("now")
ASKED = "What is the weather in Rome in fahrenheit for 3 days?"


def asking(prompt: str, *tools: Tool, answer: ResponseFormat | None = None, **more: Any) -> ModelCall:
    box = Toolbox(tools, **more) if tools else None
    return ModelCall(MODEL, (Message("user", prompt),), Sampling(), toolbox=box, response_format=answer)


def model(quality: Any = None, **profile: Any) -> SandboxProvider:
    return SandboxProvider(SPEC, {MODEL.upstream: SandboxProfile(quality or RIGHT, **profile)})


async def called(call: ModelCall, quality: Any = None) -> list[tuple[str, Any]]:
    done = await model(quality).complete(call)
    assert done.finish_reason == ("tool_calls" if done.tool_calls else "stop")
    return [(made.name, json.loads(made.arguments)) for made in done.tool_calls]


def test_the_catalog_says_what_they_can_do() -> None:
    assert {"tools", "json_schema"} <= MODEL.capabilities


async def test_a_prompt_about_a_tool_is_a_call_of_it_with_its_values() -> None:
    right = {"city": "Rome", "unit": "fahrenheit", "days": 3}
    assert await called(asking(ASKED, CLOCK, WEATHER)) == [("get_weather", right)]


async def test_a_model_that_is_wrong_still_keeps_to_the_schema() -> None:
    [(_, arguments)] = await called(asking(ASKED, WEATHER), WRONG)
    assert arguments == {"city": "another Rome", "unit": "celsius", "days": 13}
    assert jsonschema_rs.is_valid(FORECAST, arguments)


@pytest.mark.parametrize(
    ("prompt", "more", "names"),
    [
        ("Tell me a joke.", {}, []),
        ("Tell me a joke.", {"choice": "auto"}, []),
        ("Tell me a joke.", {"choice": "required"}, ["get_weather"]),
        ("Tell me a joke.", {"choice": NamedTool("now")}, ["now"]),
        (ASKED, {"choice": "none"}, []),
        ("Weather please, and what is the time now?", {}, ["get_weather", "now"]),
        ("Weather please, and what is the time now?", {"parallel": False}, ["get_weather"]),
        ("Call get_weather.", {}, ["get_weather"]),
    ],
)
async def test_the_choice_decides_whether_a_tool_is_called(
    prompt: str, more: dict[str, Any], names: list[str]
) -> None:
    assert [name for name, _ in await called(asking(prompt, WEATHER, CLOCK, **more))] == names


async def test_the_same_call_is_the_same_tool_call_and_another_seed_has_another_id() -> None:
    call = asking(ASKED, WEATHER)
    first, again = await model().complete(call), await model().complete(call)
    other = await model().complete(replace(call, sampling=Sampling(seed=7)))
    assert first == again
    assert first.tool_calls[0].id != other.tool_calls[0].id


async def test_a_custom_tool_gets_free_text() -> None:
    done = await model().complete(asking("Use shell to list files", Tool("shell", custom=True)))
    assert [(call.custom, call.arguments) for call in done.tool_calls] == [(True, "Use shell to list files")]


async def test_after_a_tool_has_spoken_its_words_are_quoted() -> None:
    call = asking(ASKED, WEATHER)
    made = (await model().complete(call)).tool_calls
    turns = (
        *call.messages,
        Message("assistant", "", tool_calls=made),
        Message("tool", "Sunny, 75 °F", tool_call_id=made[0].id),
    )
    done = await model().complete(replace(call, messages=turns))
    assert "“Sunny, 75 °F”" in done.text
    assert (done.tool_calls, done.finish_reason) == ((), "stop")
    forced = replace(call, messages=turns, toolbox=Toolbox((WEATHER,), choice="required"))
    assert (await model().complete(forced)).tool_calls[0].id != made[0].id


async def test_a_stream_of_tool_calls_adds_up_to_the_answer() -> None:
    call = asking("Weather please, and what is the time now?", WEATHER, CLOCK)
    items: list[Piece | Completion] = [item async for item in model().stream(call)]
    done = items.pop()
    assert isinstance(done, Completion)
    assert done == await model().complete(call)
    agrees([item for item in items if not isinstance(item, Completion)], done)


async def test_a_profile_scripts_tool_calls_for_calls_that_have_tools() -> None:
    scripted = (ToolCall("c1", "get_weather", "not json"),)
    provider = model(tool_calls=scripted, answer="Wait.")
    done = await provider.complete(asking("Hi", CLOCK))
    assert (done.text, done.tool_calls, done.finish_reason) == ("Wait.", scripted, "tool_calls")
    assert (await provider.complete(asking("Hi"))).tool_calls == ()


@pytest.mark.parametrize("profile", [{"refuses": True}, {"answer": "No."}])
async def test_who_is_to_say_something_else_calls_no_tool(profile: dict[str, Any]) -> None:
    assert (await model(**profile).complete(asking(ASKED, WEATHER))).tool_calls == ()


async def test_any_json_object_is_an_object() -> None:
    done = await model().complete(asking("Tell me a joke.", answer=ResponseFormat("json_object")))
    assert json.loads(done.text)["simulated"] is True


@pytest.mark.parametrize(("quality", "answer"), [(RIGHT, 391), (WRONG, 401)])
async def test_a_closed_question_is_answered_in_the_field_that_asks_for_it(quality: Any, answer: int) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}
    wanted = ResponseFormat("json_schema", schema=schema)
    answers = {
        (await model(quality).complete(asking(f"What is 17 * 23?{' ' * i}", answer=wanted))).text for i in range(9)
    }
    assert json.dumps({"answer": answer}) in answers
    assert (len(answers) == 1) == (quality is RIGHT)


async def test_what_is_no_schema_is_rejected() -> None:
    wanted = ResponseFormat("json_schema", schema={"type": "object", "properties": [1]})
    with pytest.raises(ProviderError) as caught:
        await model().complete(asking("Hi", answer=wanted))
    assert caught.value.kind == "rejected"


def made(schema: Any, prompt: str = "Give me 12 of 'em") -> Any:
    settled = settle("m", (Message("user", prompt),), RIGHT, "")
    return example(schema, Values(settled, prompt))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "format": "email"},
        {"type": "string", "format": "date-time"},
        {"type": "string", "format": "uuid"},
        {"type": "string", "format": "ipv6"},
        {"type": "string", "format": "duration"},
        {"type": ["string", "null"], "minLength": 300},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.01},
        {"type": "number", "minimum": 0, "maximum": 1},
        {"type": "integer", "exclusiveMinimum": 99},
        {"type": "integer", "multipleOf": 7, "minimum": 50},
        {"type": "array", "items": {"enum": [1, 2]}, "minItems": 3},
        {"type": "array", "prefixItems": [{"const": 1}, {"type": "null"}], "items": False},
        {"type": "array", "items": {"type": "string"}, "maxItems": 0},
        {"properties": {"a": {"const": None}}, "required": ["a", "b"]},
        {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        {"allOf": [{"required": ["a"]}, {"properties": {"a": {"type": "boolean"}}, "required": ["a"]}]},
        {
            "$ref": "#/$defs/tree",
            "$defs": {
                "tree": {
                    "type": "object",
                    "properties": {
                        "leaf": {"type": "string"},
                        "left": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]},
                        "all": {"type": "array", "items": {"$ref": "#/$defs/tree"}},
                    },
                    "required": ["leaf", "left", "all"],
                    "additionalProperties": False,
                }
            },
        },
        True,
    ],
)
def test_what_a_schema_describes_satisfies_it(schema: Any) -> None:
    jsonschema_rs.validate(schema, made(schema), validate_formats=True)


names = st.sampled_from(["city", "answer", "n", "a/b", "ä"])
leaves = (
    st.fixed_dictionaries(
        {"type": st.just("string"), "minLength": st.integers(0, 9), "maxLength": st.integers(9, 20)}
    )
    | st.fixed_dictionaries(
        {
            "type": st.sampled_from(["integer", "number"]),
            "minimum": st.integers(-9, 9),
            "maximum": st.integers(9, 99),
        }
    )
    | st.lists(st.integers() | st.text(max_size=5) | st.none(), min_size=1, max_size=4).map(lambda x: {"enum": x})
    | st.sampled_from(["boolean", "null", "string", "integer"]).map(lambda kind: {"type": kind})
    | st.text(max_size=3).map(lambda text: {"const": text})
)


def branches(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    properties = st.dictionaries(names, inner, max_size=4)
    objects = properties.flatmap(
        lambda known: (
            st.lists(st.sampled_from(sorted(known)), unique=True).map(
                lambda required: {"type": "object", "properties": known, "required": required}
            )
            if known
            else st.just({"type": "object"})
        )
    )
    arrays = st.tuples(inner, st.integers(0, 3)).map(
        lambda x: {"type": "array", "items": x[0], "minItems": x[1], "maxItems": 3}
    )
    return objects | arrays | st.lists(inner, min_size=1, max_size=3).map(lambda some: {"anyOf": some})


@given(st.recursive(leaves, branches, max_leaves=12), st.text(max_size=40))
def test_any_schema_is_satisfied_whatever_the_prompt(schema: Any, prompt: str) -> None:
    jsonschema_rs.validate(schema, made(schema, prompt))


def test_a_schema_that_asks_for_the_moon_does_not_hold_up_the_loop() -> None:
    wide = {"type": "object", "properties": {f"p{i}": {"$ref": "#"} for i in range(200)}}
    endless = {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "b"]}
    long = {"type": "array", "minItems": 10**9, "items": {"type": "string", "minLength": 10**9}}
    for schema in (wide, endless, long, {"$ref": "#"}):
        began = time.perf_counter()
        made(schema, "x" * 50_000)
        assert time.perf_counter() - began < 1
