"""The unmodified `openai` package against `/v1/responses`: what its users rely on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai.types.responses import Response, ResponseCompletedEvent, ResponseFunctionToolCall
from pydantic import BaseModel
from tests.api.wire import completion, stream_start, streamed
from tests.providers.upstream import Act
from tests.serving import PROMPT, ROOT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types.responses import FunctionToolParam, ResponseInputParam
    from tests.providers.upstream import Upstream
    from tests.serving import Served

PARIS = "The capital of France is Paris."
PIXEL = "data:image/png;base64,iVBORw0KGgo="
WEATHER: FunctionToolParam = {
    "type": "function",
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
CALL = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}


class City(BaseModel):
    """The answer that is asked for."""

    name: str
    people: int


@pytest.fixture
def client(sandbox: Served) -> Iterator[openai.OpenAI]:
    with sdk(sandbox) as opened:
        yield opened


def sdk(gateway: Served, **options: Any) -> openai.OpenAI:
    """OpenAI's client, as its users make it."""
    return openai.OpenAI(api_key=ROOT_KEY, base_url=f"{gateway.url}/v1", **({"max_retries": 0} | options))


def strict(response: Response) -> dict[str, Any]:
    """Check the answer as strictly as the package can, and give our block."""
    Response.model_validate(response.model_dump(warnings="error"), strict=True)
    assert response.model_extra is not None
    block: dict[str, Any] = response.model_extra["prysm"]
    return block


def test_an_answer_validates_and_carries_our_block(client: openai.OpenAI) -> None:
    answer = client.responses.create(model="auto", input=PROMPT, instructions="Be brief.", temperature=0.5)
    block = strict(answer)
    assert (answer.output_text, answer.status, answer.error) == (PARIS, "completed", None)
    assert (answer.instructions, answer.temperature, answer.tool_choice) == ("Be brief.", 0.5, "auto")
    assert answer.id == "resp_" + block["request_id"].replace("-", "")
    assert block["routing"]["model"] == answer.model
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0
    assert answer.model_extra is not None
    assert answer.model_extra["store"] is False


def test_the_proof_of_an_answer_is_where_its_header_says(client: openai.OpenAI, sandbox: Served) -> None:
    raw = client.responses.with_raw_response.create(model="auto", input=PROMPT)
    found = sandbox.http.get(raw.headers["x-prysm-proof-url"]).json()
    assert found["verified"] is True
    assert found["request_id"] == raw.headers["x-request-id"]


@pytest.mark.parametrize("model", ["prysm/balanced", "prysm/ensemble_moa", "prysm/self_consistency"])
def test_several_models_answer_in_this_shape_too(client: openai.OpenAI, model: str) -> None:
    extra = {"samples": 3} if "consistency" in model else {}
    answer = client.responses.create(model=model, input=PROMPT, extra_body=extra)
    assert strict(answer)["orchestration"]["agreement"] is not None or model == "prysm/balanced"
    assert "Paris" in answer.output_text


def test_a_tool_is_called_and_its_answer_taken(client: openai.OpenAI) -> None:
    asked: ResponseInputParam = [{"role": "user", "content": "Call get_weather for Paris."}]
    first = client.responses.create(model="sandbox-strong", input=asked, tools=[WEATHER], tool_choice="required")
    strict(first)
    call = first.output[0]
    assert isinstance(call, ResponseFunctionToolCall)
    assert call.name == "get_weather"
    asked += [item.to_dict() for item in first.output]  # type: ignore[misc]  # as OpenAI's guide does it
    asked.append({"type": "function_call_output", "call_id": call.call_id, "output": "21 °C"})
    second = client.responses.create(model="sandbox-strong", input=asked, tools=[WEATHER])
    strict(second)
    assert second.output_text


def test_structured_output_is_parsed(client: openai.OpenAI) -> None:
    answer = client.responses.parse(model="sandbox-strong", input="Describe Paris.", text_format=City)
    assert isinstance(answer.output_parsed, City)
    turns: Any = [
        {"role": "user", "content": "Describe Paris."},
        *answer.output,
        {"role": "user", "content": "More."},
    ]
    assert client.responses.create(model="sandbox-strong", input=turns).output_text


def test_parsed_arguments_can_be_sent_back(client: openai.OpenAI) -> None:
    asked: Any = [{"role": "user", "content": "Call get_weather for Paris."}]
    first = client.responses.parse(model="sandbox-strong", input=asked, tools=[WEATHER], tool_choice="required")
    call = first.output[0]
    assert call.type == "function_call"
    assert isinstance(call.parsed_arguments, dict)
    assert "city" in call.parsed_arguments
    asked += [*first.output, {"type": "function_call_output", "call_id": call.call_id, "output": "21 °C"}]
    assert client.responses.create(model="sandbox-strong", input=asked, tools=[WEATHER]).output_text


def test_a_conversation_is_sent_back_as_it_came(scripted: Served, left: Upstream) -> None:
    left.plays(completion("Paris", reasoning_content="France, so…"))
    with sdk(scripted) as client:
        first = client.responses.create(model="left", input=PROMPT)
        strict(first)
        assert [item.type for item in first.output] == ["reasoning", "message"]
        turns: list[Any] = [{"role": "user", "content": PROMPT}, *first.output, {"role": "user", "content": "Why?"}]
        left.plays(completion("So it is."))
        assert client.responses.create(model="left", input=turns).output_text == "So it is."
    assert left.seen[1].json["messages"] == [
        {"role": "user", "content": PROMPT},
        {"role": "assistant", "content": "Paris", "reasoning_content": "France, so…"},
        {"role": "user", "content": "Why?"},
    ]


def test_an_image_goes_by_address_or_as_data(scripted: Served, left: Upstream) -> None:
    left.plays(completion("A dot."))
    parts: list[Any] = [
        {"type": "input_text", "text": "What is it?"},
        {"type": "input_image", "image_url": "https://example.com/dot.png", "detail": "low"},
        {"type": "input_image", "image_url": PIXEL, "detail": "auto"},
    ]
    with sdk(scripted) as client:
        strict(client.responses.create(model="left", input=[{"role": "user", "content": parts}]))
    assert left.seen[0].json["messages"][0]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/dot.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "auto"}},
    ]


@pytest.mark.parametrize("model", ["auto", "prysm/ensemble_moa", "prysm/cascade"])
def test_its_own_stream_accumulator_reads_the_stream(client: openai.OpenAI, model: str) -> None:
    with client.responses.stream(model=model, input=PROMPT) as stream:
        events = list(stream)
        final = stream.get_final_response()
    strict(final)
    assert "Paris" in final.output_text
    assert [event.sequence_number for event in events] == list(range(len(events)))
    told = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert told == final.output_text
    assert isinstance(events[-1], ResponseCompletedEvent)


def test_a_streamed_call_is_put_together(scripted: Served, left: Upstream) -> None:
    opened = {"index": 0} | CALL | {"function": {"name": "get_weather", "arguments": ""}}
    rest = [{"tool_calls": [{"index": 0, "function": {"arguments": text}}]} for text in ('{"city"', ': "Paris"}')]
    left.plays(streamed({"tool_calls": [opened]}, *rest, finish="tool_calls"))
    with (
        sdk(scripted) as client,
        client.responses.stream(model="left", input="Weather?", tools=[WEATHER]) as stream,
    ):
        final = stream.get_final_response()
    strict(final)
    call = final.output[0]
    assert isinstance(call, ResponseFunctionToolCall)
    assert (call.call_id, call.arguments) == ("c1", '{"city": "Paris"}')


def test_a_stream_is_parsed_into_its_format(client: openai.OpenAI) -> None:
    with client.responses.stream(model="sandbox-strong", input="Describe Paris.", text_format=City) as stream:
        assert isinstance(stream.get_final_response().output_parsed, City)


def test_a_run_that_breaks_off_fails_and_does_not_complete(scripted: Served, left: Upstream) -> None:
    left.plays(stream_start("Par"), Act.RESET)
    with sdk(scripted) as client:
        events = list(client.responses.create(model="left", input=PROMPT, stream=True))
    last = events[-1]
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert (last.response.status, last.response.error.code) == ("failed", "server_error")
    assert "response.completed" not in {event.type for event in events}
    Response.model_validate(last.response.model_dump(warnings="error"), strict=True)
    assert strict(last.response)["error"]["code"] == "provider_error"


def test_errors_are_its_own_classes_with_our_code(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.responses.create(model="nobody", input=PROMPT)
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="prysm/nothing", input=PROMPT)
    with pytest.raises(openai.BadRequestError, match="temperature"):
        client.responses.create(model="auto", input=PROMPT, temperature=9)
    with pytest.raises(openai.BadRequestError, match="web_search"):
        client.responses.create(model="auto", input=PROMPT, tools=[{"type": "web_search"}])
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").responses.create(model="auto", input=PROMPT)
    with pytest.raises(openai.BadRequestError, match="close its connection"):
        client.responses.cancel("resp_x")
