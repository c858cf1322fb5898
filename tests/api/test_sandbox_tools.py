"""A whole round of tools with the unmodified `openai` package, over simulated models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import openai
import pytest
from tests.serving import ROOT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.serving import Served

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA, "strict": True}}
ASKED: list[Any] = [{"role": "user", "content": "What is the weather in Rome?"}]
MODEL = "sandbox-strong"


@pytest.fixture
def chat(sandbox: Served) -> Iterator[Any]:
    with openai.OpenAI(base_url=f"{sandbox.url}/v1", api_key=ROOT_KEY, max_retries=0) as client:
        yield client.chat.completions


def test_a_tool_is_called_and_its_result_quoted(chat: Any) -> None:
    answer = chat.create(model=MODEL, messages=ASKED, tools=[WEATHER], temperature=0)
    message = answer.choices[0].message
    assert (answer.choices[0].finish_reason, message.content) == ("tool_calls", None)
    assert json.loads(message.tool_calls[0].function.arguments).keys() == {"city"}
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "Sunny, 24 °C"}
    turns = [*ASKED, message.model_dump(exclude_none=True), result]
    assert "Sunny, 24 °C" in chat.create(model=MODEL, messages=turns, tools=[WEATHER]).choices[0].message.content


def test_a_streamed_tool_call_is_the_same_as_a_whole_one(chat: Any) -> None:
    asked = {"model": MODEL, "messages": ASKED, "tools": [WEATHER], "temperature": 0}
    whole = chat.create(**asked).choices[0].message.tool_calls
    with chat.stream(**asked) as stream:
        streamed = stream.get_final_completion().choices[0].message.tool_calls
    assert [(x.id, x.function.name, x.function.arguments) for x in streamed] == [
        (x.id, x.function.name, x.function.arguments) for x in whole
    ]


def test_an_answer_keeps_to_its_schema(chat: Any) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}
    answer = chat.create(model=MODEL, messages=ASKED, response_format=form)
    assert json.loads(answer.choices[0].message.content).keys() == {"city"}
