"""The unmodified `openai` package against the gateway: what its users rely on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import openai
import pytest
from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel
from tests.api.wire import completion, stream_start, streamed
from tests.providers.renderers import RENDERERS
from tests.providers.upstream import Act, sse
from tests.serving import ROOT_KEY

from prysm.core.chat import Completion, Usage
from prysm.core.content import Thinking, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types.chat import (
        ChatCompletionFunctionToolParam,
        ChatCompletionMessageParam,
        ChatCompletionUserMessageParam,
    )
    from tests.providers.upstream import Upstream
    from tests.serving import Served

ASKED: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "What is the capital of France?"}]

WEATHER: ChatCompletionFunctionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


class City(BaseModel):
    """The answer that is asked for."""

    name: str
    people: int


@pytest.fixture
def client(sandbox: Served) -> Iterator[openai.OpenAI]:
    with _client(sandbox) as opened:
        yield opened


def test_an_answer_validates_and_carries_our_block(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="auto", messages=ASKED)
    ChatCompletion.model_validate(answer.model_dump(warnings="error"), strict=True)
    assert answer.choices[0].message.content == "The capital of France is Paris."
    assert answer.model_extra is not None
    assert answer.model_extra["prysm"]["routing"]["model"] == answer.model
    assert answer.usage is not None
    assert answer.usage.total_tokens == 16


def test_extras_travel_in_extra_body(client: openai.OpenAI) -> None:
    extra = {"samples": 3, "max_cost_usd": 1, "routing_mode": "quality"}
    answer = client.chat.completions.create(model="prysm/self_consistency", messages=ASKED, extra_body=extra)
    assert answer.model_extra is not None
    assert len(answer.model_extra["prysm"]["calls"]) == 3


@pytest.mark.parametrize("model", ["auto", "prysm/balanced", "prysm/ensemble_moa", "prysm/self_consistency"])
def test_the_canonical_loop_never_breaks(client: openai.OpenAI, model: str) -> None:
    text, last = "", None
    for chunk in client.chat.completions.create(model=model, messages=ASKED, stream=True):
        ChatCompletionChunk.model_validate(chunk.model_dump(warnings="error"), strict=True)
        text += chunk.choices[0].delta.content or ""
        last = chunk
    assert last is not None
    assert last.choices[0].finish_reason == "stop"
    assert last.model_extra is not None
    assert last.model_extra["prysm"]["proof"]["verifiable"] is True
    assert "Paris" in text


def test_usage_arrives_in_a_chunk_without_choices_on_request(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="auto", messages=ASKED, stream=True, stream_options={"include_usage": True}
    )
    *rest, last = list(stream)
    assert last.choices == []
    assert last.usage is not None
    assert all(chunk.usage is None for chunk in rest)


def test_its_own_stream_accumulator_reads_the_stream(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="auto", messages=ASKED) as stream:
        assert stream.get_final_completion().choices[0].message.content == "The capital of France is Paris."


def test_the_list_of_models_validates(client: openai.OpenAI) -> None:
    models = list(client.models.list())
    for model in models:
        Model.model_validate(model.model_dump(warnings="error"), strict=True)
    assert "sandbox-small" in {model.id for model in models}
    assert client.models.retrieve("sandbox-small").owned_by == "sandbox"


def test_errors_are_its_own_classes_with_our_code(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="nobody", messages=ASKED)
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    assert unknown.value.request_id
    with pytest.raises(openai.BadRequestError, match="temperature") as wrong:
        client.chat.completions.create(model="auto", messages=ASKED, temperature=9)
    assert (wrong.value.code, wrong.value.type) == ("invalid_request", "invalid_request_error")
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").models.list()


def test_it_does_not_retry_what_cost_money(scripted: Served, left: Upstream) -> None:
    left.plays(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\ngarbage")
    with _client(scripted, max_retries=2) as client, pytest.raises(openai.APIStatusError) as failed:
        client.chat.completions.create(model="left", messages=ASKED)
    assert failed.value.status_code == 502
    assert len(left.seen) == 1


def test_a_run_that_breaks_off_raises_in_the_loop(scripted: Served, left: Upstream) -> None:
    left.plays(stream_start("Par"), Act.RESET)
    with _client(scripted) as client:
        stream = client.chat.completions.create(model="left", messages=ASKED, stream=True)
        with pytest.raises(openai.APIError, match="left"):
            list(stream)


def test_a_pinned_answer_of_an_upstream_validates(scripted: Served, left: Upstream) -> None:
    left.plays(completion("Paris"))
    with _client(scripted) as client:
        answer = client.chat.completions.create(model="left", messages=ASKED)
    ChatCompletion.model_validate(answer.model_dump(warnings="error"), strict=True)
    assert (answer.model, answer.choices[0].message.content) == ("left", "Paris")


def test_the_loop_of_an_agent_runs(scripted: Served, left: Upstream) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
    left.plays(completion(None, tool_calls=[call]))
    turns: list[ChatCompletionMessageParam] = [*ASKED]
    with _client(scripted) as client:
        message = client.chat.completions.create(model="left", messages=turns, tools=[WEATHER]).choices[0].message
        assert message.tool_calls is not None
        left.plays(completion("21 °C"))
        turns.append(cast("ChatCompletionMessageParam", message))
        turns.append({"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "21"})
        last = client.chat.completions.create(model="left", messages=turns, tools=[WEATHER]).choices[0].message
    assert last.content == "21 °C"
    assert left.seen[1].json["messages"][1]["tool_calls"] == [call]


def test_its_accumulator_puts_streamed_calls_together(scripted: Served, left: Upstream) -> None:
    pieces: list[dict[str, Any]] = [
        {"index": 0, "id": "c1", "type": "function", "function": {"name": "weather", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"city": '}},
        {"index": 0, "function": {"arguments": '"Paris"}'}},
    ]
    left.plays(streamed(*({"tool_calls": [piece]} for piece in pieces), finish="tool_calls"))
    turns: list[ChatCompletionMessageParam] = [*ASKED]
    with _client(scripted) as client:
        with client.chat.completions.stream(model="left", messages=turns, tools=[WEATHER]) as stream:
            message = stream.get_final_completion().choices[0].message
        assert message.tool_calls is not None
        assert message.tool_calls[0].function.arguments == '{"city": "Paris"}'
        left.plays(completion("21 °C"))
        turns.append(cast("ChatCompletionMessageParam", message))
        turns.append({"role": "tool", "tool_call_id": "c1", "content": "21"})
        client.chat.completions.create(model="left", messages=turns, tools=[WEATHER])


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # its own, about what it parsed itself
def test_it_parses_structured_answers(scripted: Served, left: Upstream) -> None:
    left.plays(completion('{"name": "Paris", "people": 2100000}'))
    with _client(scripted) as client:
        answer = client.chat.completions.parse(model="left", messages=ASKED, response_format=City)
        message = answer.choices[0].message
        turns = [*ASKED, cast("ChatCompletionMessageParam", message), *ASKED]
        client.chat.completions.parse(model="left", messages=turns, response_format=City)
    assert message.parsed == City(name="Paris", people=2_100_000)
    assert left.seen[0].json["response_format"]["json_schema"]["strict"] is True


def test_its_accumulator_keeps_every_sealed_thought(formats: Served, left: Upstream) -> None:
    thoughts = (Thinking("Hm.", "s"), Thinking("opaque", redacted=True), Thinking(" So.", "t"))
    calls = (ToolCall("c1", "weather", "{}"),)
    done = Completion("Paris", "tool_calls", Usage(9, 9), tool_calls=calls, thinking=thoughts)
    left.plays(sse(RENDERERS["anthropic"](done).stream))
    with (
        _client(formats) as client,
        client.chat.completions.stream(
            model="anthropic", messages=ASKED, tools=[WEATHER], max_tokens=3000, reasoning_effort="low"
        ) as stream,
    ):
        events = [event.chunk for event in stream if event.type == "chunk"]
        message = stream.get_final_completion().choices[0].message
    assert message.model_extra is not None
    assert message.model_extra["reasoning_content"] == "Hm. So."
    assert message.model_extra["thinking_blocks"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "redacted_thinking", "data": "opaque"},
        {"type": "thinking", "thinking": " So.", "signature": "t"},
    ]
    told = [choice.delta.model_extra or {} for chunk in events for choice in chunk.choices]
    assert "" not in [delta.get("reasoning_content") for delta in told]


def _client(gateway: Served, max_retries: int = 0, **more: Any) -> openai.OpenAI:
    return openai.OpenAI(api_key=ROOT_KEY, base_url=f"{gateway.url}/v1", max_retries=max_retries, **more)
