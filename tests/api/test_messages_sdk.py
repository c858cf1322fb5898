"""The unmodified `anthropic` package against the gateway: what its users rely on."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, cast

import anthropic
import orjson
import pytest
from anthropic.types import Message, RawMessageStreamEvent, ToolParam, ToolUseBlock
from anthropic.types.shared import ErrorResponse
from pydantic import BaseModel, TypeAdapter
from tests.api.wire import stream_start
from tests.providers.renderers import RENDERERS
from tests.providers.upstream import Act, answer, sse
from tests.serving import ROOT_KEY

from prysm.core.chat import Completion, Usage
from prysm.core.content import Thinking, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anthropic.types import MessageParam, ToolChoiceAnyParam, ToolResultBlockParam
    from tests.providers.upstream import Upstream
    from tests.serving import Served

ASKED: list[MessageParam] = [{"role": "user", "content": "What is the capital of France?"}]
FORMATS = ("openai", "anthropic", "gemini")
WEATHER: ToolParam = {
    "name": "weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PIXEL = base64.b64encode(b"\x89PNG pixel").decode()
USAGE = Usage(prompt_tokens=20, completion_tokens=9, cached_tokens=8, cache_write_tokens=2)
EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)


class City(BaseModel):
    """The answer that is asked for."""

    name: str
    people: int


@pytest.fixture
def client(sandbox: Served) -> Iterator[anthropic.Anthropic]:
    with _client(sandbox) as opened:
        yield opened


def test_an_answer_validates_and_carries_our_block(client: anthropic.Anthropic) -> None:
    message = _valid(client.messages.create(model="auto", max_tokens=100, messages=ASKED))
    assert _text(message) == "The capital of France is Paris."
    assert (message.stop_reason, message.usage.input_tokens > 0) == ("end_turn", True)
    prysm = _prysm(message)
    assert prysm["routing"]["model"] == message.model
    assert message.id == "msg_" + prysm["request_id"].replace("-", "")
    assert message._request_id == prysm["request_id"]


def test_its_key_header_and_a_bearer_are_both_taken(sandbox: Served) -> None:
    with anthropic.Anthropic(auth_token=ROOT_KEY, api_key=None, base_url=sandbox.url, max_retries=0) as client:
        assert client.messages.create(model="auto", max_tokens=9, messages=ASKED).role == "assistant"


def test_extras_travel_in_extra_body(client: anthropic.Anthropic) -> None:
    extra = {"samples": 3, "max_cost_usd": 1, "routing_mode": "quality"}
    model = "prysm/self_consistency"
    message = client.messages.create(model=model, max_tokens=50, messages=ASKED, extra_body=extra)
    assert len(_prysm(message)["calls"]) == 3
    assert message.usage.input_tokens == sum(call["tokens_in"] for call in _prysm(message)["calls"])


@pytest.mark.parametrize("model", ["auto", "prysm/balanced", "prysm/ensemble_moa", "prysm/self_consistency"])
@pytest.mark.parametrize("events", [False, True])
def test_its_accumulator_reads_the_stream(client: anthropic.Anthropic, model: str, *, events: bool) -> None:
    extra = {"prysm_events": events}
    with client.messages.stream(model=model, max_tokens=100, messages=ASKED, extra_body=extra) as stream:
        told = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert "Paris" in told
    assert (_text(message), message.stop_reason) == (told, "end_turn")
    assert message.usage.output_tokens > 0


def test_raw_events_validate_and_the_last_but_one_has_the_receipt(client: anthropic.Anthropic) -> None:
    events = list(client.messages.create(model="auto", max_tokens=100, messages=ASKED, stream=True))
    for event in events:
        EVENT.validate_json(event.to_json(), strict=True)
    kinds = list(dict.fromkeys(event.type for event in events))
    assert kinds == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert _prysm(events[-2])["proof"]["verifiable"] is True


@pytest.mark.parametrize("model", FORMATS)
def test_the_loop_of_an_agent_runs_over_every_format(formats: Served, left: Upstream, model: str) -> None:
    seal = "c2VhbA==" if model == "gemini" else None
    call = ToolCall("c1", "weather", '{"city":"Paris"}', signature=seal)
    left.plays(_whole(model, Completion("Let me look.", "tool_calls", USAGE, tool_calls=(call,))))
    turns: list[MessageParam] = [*ASKED]
    with _client(formats) as client:
        message = _valid(client.messages.create(model=model, max_tokens=100, messages=turns, tools=[WEATHER]))
        used = message.content[1]
        assert isinstance(used, ToolUseBlock)
        assert message.stop_reason == "tool_use"
        assert (used.id, used.name, used.input) == ("c1", "weather", {"city": "Paris"})
        left.plays(_whole(model, Completion("21 °C", "stop", USAGE)))
        turns.append({"role": "assistant", "content": message.content})
        result: ToolResultBlockParam = {"type": "tool_result", "tool_use_id": used.id, "content": "21"}
        turns.append({"role": "user", "content": [result]})
        assert (
            _text(client.messages.create(model=model, max_tokens=100, messages=turns, tools=[WEATHER])) == "21 °C"
        )
    sent = left.seen[1].body.decode()
    assert '"city":"Paris"' in sent.replace(r"\"", '"')
    assert (seal is None) or (seal in sent)


@pytest.mark.parametrize("model", ["sandbox-strong", "prysm/self_consistency"])
def test_tools_are_called_by_one_model_and_by_several_answers(client: anthropic.Anthropic, model: str) -> None:
    asked: list[MessageParam] = [{"role": "user", "content": "What is the weather in Paris?"}]
    choice: ToolChoiceAnyParam = {"type": "any"}
    extra = {"models": ["sandbox-strong"]} if model.startswith("prysm/") else {}
    message = _valid(
        client.messages.create(
            model=model, max_tokens=100, messages=asked, tools=[WEATHER], tool_choice=choice, extra_body=extra
        )
    )
    assert message.stop_reason == "tool_use"
    assert [block.name for block in message.content if isinstance(block, ToolUseBlock)] == ["weather"]


@pytest.mark.parametrize("model", FORMATS)
def test_its_accumulator_puts_streamed_calls_together(formats: Served, left: Upstream, model: str) -> None:
    calls = tuple(ToolCall(f"c{i}", "weather", f'{{"city":"{city}"}}') for i, city in enumerate(("Paris", "Rome")))
    left.plays(_stream(model, Completion("Let me look.", "tool_calls", USAGE, tool_calls=calls)))
    with (
        _client(formats) as client,
        client.messages.stream(model=model, max_tokens=100, messages=ASKED, tools=[WEATHER]) as stream,
    ):
        message = stream.get_final_message()
    assert _text(message) == "Let me look."
    used = [block for block in message.content if block.type == "tool_use"]
    assert [(block.id, block.input) for block in used] == [("c0", {"city": "Paris"}), ("c1", {"city": "Rome"})]
    assert message.stop_reason == "tool_use"


@pytest.mark.parametrize("streamed", [False, True])
def test_thoughts_go_out_and_back_as_they_were_sealed(formats: Served, left: Upstream, *, streamed: bool) -> None:
    thoughts = (Thinking("Hm, Paris.", "sealed"), Thinking("opaque", redacted=True))
    done = Completion("Paris", "stop", USAGE, thinking=thoughts)
    left.plays(_stream("anthropic", done) if streamed else _whole("anthropic", done))
    asked: Any = {"model": "anthropic", "max_tokens": 3000, "thinking": {"type": "enabled", "budget_tokens": 1024}}
    with _client(formats) as client:
        message = _said(client, asked | {"messages": ASKED}, streamed=streamed)
        turns: list[MessageParam] = [*ASKED, {"role": "assistant", "content": message.content}, *ASKED]
        left.plays(_whole("anthropic", done))
        client.messages.create(**asked, messages=turns)
    blocks = left.seen[1].json["messages"][1]["content"]
    assert blocks == [
        {"type": "thinking", "thinking": "Hm, Paris.", "signature": "sealed"},
        {"type": "redacted_thinking", "data": "opaque"},
        {"type": "text", "text": "Paris"},
    ]
    assert left.seen[0].json["thinking"] == {"type": "enabled", "budget_tokens": 1024}


def test_thoughts_in_the_open_go_out_and_back(formats: Served, left: Upstream) -> None:
    left.plays(_whole("openai", Completion("Paris", "stop", USAGE, thinking=(Thinking("Hm."),))))
    with _client(formats) as client:
        message = _valid(client.messages.create(model="openai", max_tokens=9, messages=ASKED))
        turns: list[MessageParam] = [*ASKED, {"role": "assistant", "content": message.content}, *ASKED]
        client.messages.create(model="openai", max_tokens=9, messages=turns)
    assert left.seen[1].json["messages"][1]["reasoning_content"] == "Hm."


@pytest.mark.parametrize(("model", "shown"), [("openai", f"data:image/png;base64,{PIXEL}"), ("anthropic", PIXEL)])
def test_images_are_passed_on(formats: Served, left: Upstream, model: str, shown: str) -> None:
    left.plays(_whole(model, Completion("A cat and a dog.", "stop", USAGE)))
    content: Any = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/dog.png"}},
        {"type": "text", "text": "What is there?"},
    ]
    with _client(formats) as client:
        client.messages.create(model=model, max_tokens=9, messages=[{"role": "user", "content": content}])
    sent = left.seen[0].body.decode()
    assert shown in sent
    assert "https://example.org/dog.png" in sent


@pytest.mark.parametrize("model", FORMATS)
def test_it_parses_structured_answers(formats: Served, left: Upstream, model: str) -> None:
    left.plays(_whole(model, Completion('{"name": "Paris", "people": 2100000}', "stop", USAGE)))
    with _client(formats) as client:
        parsed = client.messages.parse(model=model, max_tokens=99, messages=ASKED, output_format=City)
        turns = [*ASKED, cast("MessageParam", {"role": "assistant", "content": parsed.content}), *ASKED]
        client.messages.create(model=model, max_tokens=99, messages=turns)
    assert parsed.parsed_output == City(name="Paris", people=2_100_000)
    assert "people" in left.seen[0].body.decode()


def test_usage_counts_cached_tokens_beside_the_others(formats: Served, left: Upstream) -> None:
    left.plays(_whole("anthropic", Completion("Paris", "stop", USAGE)))
    with _client(formats) as client:
        used = client.messages.create(model="anthropic", max_tokens=9, messages=ASKED).usage
    assert (used.input_tokens, used.cache_read_input_tokens, used.cache_creation_input_tokens) == (10, 8, 2)
    assert used.output_tokens == 9


def test_hints_failures_and_limits_reach_a_provider_of_the_format(formats: Served, left: Upstream) -> None:
    left.plays(_whole("anthropic", Completion("Sorry", "stop", USAGE, stop_sequence="END")))
    kept: Any = {"type": "ephemeral", "ttl": "1h"}
    failed: Any = {"type": "tool_result", "tool_use_id": "c1", "content": "no such city", "is_error": True}
    asked: Any = {
        "system": [{"type": "text", "text": "Be brief.", "cache_control": kept}],
        "tools": [WEATHER | {"cache_control": kept}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "top_k": 5,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u1"},
        "messages": [
            *ASKED,
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "weather", "input": {}}]},
            {"role": "user", "content": [{"type": "text", "text": "And?"}, failed]},
        ],
    }
    with _client(formats) as client:
        message = client.messages.create(model="anthropic", max_tokens=9, extra_body=asked, messages=ASKED)
    sent = left.seen[0].json
    assert sent["messages"][2]["content"] == [failed, {"type": "text", "text": "And?"}]
    assert sent["tools"][0]["cache_control"] == sent["system"][0]["cache_control"] == kept
    assert {name: sent[name] for name in ("top_k", "stop_sequences", "metadata", "tool_choice")} == {
        name: asked[name] for name in ("top_k", "stop_sequences", "metadata", "tool_choice")
    }
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "END")


def test_arguments_that_were_cut_are_told_as_they_are(formats: Served, left: Upstream) -> None:
    call = ToolCall("c1", "weather", '{"city": "Par')
    left.plays(_whole("openai", Completion("", "length", USAGE, tool_calls=(call,))))
    with _client(formats) as client:
        message = _valid(client.messages.create(model="openai", max_tokens=9, messages=ASKED, tools=[WEATHER]))
    assert message.content[0].type == "tool_use"
    assert message.content[0].input == {"_invalid_arguments": '{"city": "Par'}


def test_a_refusal_is_said_and_is_the_reason(formats: Served, left: Upstream) -> None:
    left.plays(_whole("openai", Completion("I will not.", "stop", USAGE, refused=True)))
    with _client(formats) as client:
        message = _valid(client.messages.create(model="openai", max_tokens=9, messages=ASKED))
    assert (_text(message), message.stop_reason) == ("I will not.", "refusal")
    assert message.stop_details is not None
    assert message.stop_details.explanation == "I will not."


def test_errors_are_its_own_classes_with_our_code(client: anthropic.Anthropic) -> None:
    asked: Any = {"model": "auto", "max_tokens": 9, "messages": ASKED}
    with pytest.raises(anthropic.NotFoundError) as unknown:
        client.messages.create(**asked | {"model": "nobody"})
    assert (unknown.value.type, unknown.value.error_code) == ("not_found_error", "model_not_found")
    assert unknown.value.request_id == unknown.value.response.headers["x-request-id"]
    ErrorResponse.model_validate(unknown.value.body, strict=True)
    with pytest.raises(anthropic.BadRequestError, match="temperature") as wrong:
        client.messages.create(**asked, extra_body={"temperature": 1.5})
    assert wrong.value.type == "invalid_request_error"
    with pytest.raises(anthropic.BadRequestError, match="2022-01-01"):
        client.messages.create(**asked, extra_headers={"anthropic-version": "2022-01-01"})
    with pytest.raises(anthropic.AuthenticationError) as unheard:
        client.with_options(api_key="wrong").messages.create(**asked)
    assert unheard.value.type == "authentication_error"
    with pytest.raises(anthropic.RequestTooLargeError, match="MB"):
        client.messages.create(**asked | {"messages": [{"role": "user", "content": "x" * 30_000_000}]})
    with pytest.raises(anthropic.NotFoundError) as nowhere:
        client.messages.batches.list()
    assert nowhere.value.type == "not_found_error"


@pytest.mark.parametrize(
    ("status", "raised", "kind"),
    [
        ("429 Too Many Requests", anthropic.RateLimitError, "rate_limit_error"),
        ("500 Internal Server Error", anthropic.InternalServerError, "api_error"),
    ],
)
def test_upstream_errors_are_its_own_classes(
    formats: Served, left: Upstream, status: str, raised: type[anthropic.APIStatusError], kind: str
) -> None:
    left.plays(answer(b"{}", status, retry_after="7"))
    with _client(formats) as client, pytest.raises(raised) as failed:
        client.messages.create(model="anthropic", max_tokens=9, messages=ASKED)
    assert failed.value.type == kind
    assert failed.value.response.headers["retry-after"] == "7"


def test_it_does_not_retry_what_cost_money(formats: Served, left: Upstream) -> None:
    left.plays(answer(b"garbage"))
    with _client(formats, max_retries=2) as client, pytest.raises(anthropic.InternalServerError):
        client.messages.create(model="openai", max_tokens=9, messages=ASKED)
    assert len(left.seen) == 1


def test_a_run_that_breaks_off_raises_in_the_loop(formats: Served, left: Upstream) -> None:
    left.plays(stream_start("Par"), Act.RESET)
    with _client(formats) as client:
        stream = client.messages.create(model="openai", max_tokens=9, messages=ASKED, stream=True)
        with pytest.raises(anthropic.APIStatusError, match="openai-host") as broken:
            list(stream)
    assert broken.value.type == "api_error"


def test_tokens_are_counted_without_asking_anyone(formats: Served, left: Upstream) -> None:
    with _client(formats) as client:
        bare = client.messages.count_tokens(model="anthropic", messages=ASKED).input_tokens
        more = client.messages.count_tokens(
            model="anthropic", messages=ASKED, system="Be brief.", tools=[WEATHER]
        ).input_tokens
    assert 5 <= bare <= 20
    assert more > bare + 20
    assert left.seen == []


@pytest.mark.parametrize("model", ["nobody", "prysm/nothing"])
def test_tokens_of_a_model_that_is_not_there_are_not_counted(client: anthropic.Anthropic, model: str) -> None:
    for known in ("auto", "prysm/balanced", "prysm/rank_fuse"):
        assert client.messages.count_tokens(model=known, messages=ASKED).input_tokens
    with pytest.raises(anthropic.NotFoundError) as unknown:
        client.messages.count_tokens(model=model, messages=ASKED)
    assert _details(unknown.value) == {"error_code": "model_not_found", "param": "model"}


@pytest.mark.parametrize(
    "asked",
    [
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        {"thinking": {"type": "adaptive"}},
        {"output_config": {"effort": "low"}},
        {"top_p": 0.9},
    ],
)
def test_samples_bring_no_temperature_to_what_anthropic_takes_without_one(
    formats: Served, left: Upstream, asked: dict[str, Any]
) -> None:
    left.plays(_whole("anthropic", Completion("Paris", "stop", USAGE)))
    extra = asked | {"models": ["anthropic"]}
    with _client(formats) as client:
        message = client.messages.create(
            model="prysm/self_consistency", max_tokens=3000, messages=ASKED, extra_body=extra
        )
    assert message.stop_reason == "end_turn"
    assert len(left.seen) > 1
    assert not any("temperature" in seen.json for seen in left.seen)


def test_its_beta_client_is_served_too(client: anthropic.Anthropic) -> None:
    asked: Any = {"model": "auto", "max_tokens": 100, "messages": ASKED, "betas": ["context-1m-2025-08-07"]}
    assert client.beta.messages.create(**asked).stop_reason == "end_turn"
    with client.beta.messages.stream(**asked) as stream:
        assert "Paris" in stream.get_final_text()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", FORMATS)
def test_its_tool_runner_goes_on_without_a_thread(
    formats: Served, left: Upstream, model: str, *, streamed: bool
) -> None:
    def weather(city: str) -> str:
        """The weather of a city."""
        return f"21 °C in {city}"

    call = ToolCall("c1", "weather", '{"city":"Paris"}', signature="c2VhbA==" if model == "gemini" else None)
    written = _stream if streamed else _whole
    left.plays_in_turn(
        (written(model, Completion("", "tool_calls", USAGE, tool_calls=(call,))),),
        (written(model, Completion("It is 21 °C.", "stop", USAGE)),),
    )
    asked: Any = {"model": model, "max_tokens": 100, "messages": ASKED, "tools": [anthropic.beta_tool(weather)]}
    with _client(formats) as client:
        said = client.beta.messages.tool_runner(**asked, stream=streamed).until_done()
    assert [block.text for block in said.content if block.type == "text"] == ["It is 21 °C."]
    assert len(left.seen) == 2
    assert "21 °C in Paris" in left.seen[1].body.decode()


def test_a_thread_is_refused_by_the_code_that_its_sdk_knows(client: anthropic.Anthropic) -> None:
    asked: Any = {"model": "auto", "max_tokens": 9, "messages": ASKED}
    threads: list[Any] = [{"type": "create"}, {"type": "continue", "previous_message_id": "msg_1"}]
    for thread in threads:
        with pytest.raises(anthropic.BadRequestError) as refused:
            client.beta.messages.create(**asked, thread=thread)
        assert _details(refused.value) == {"error_code": "thread_unsupported_request", "param": "thread"}
        ErrorResponse.model_validate(refused.value.body, strict=True)
    assert client.beta.messages.create(**asked, thread=None).role == "assistant"


async def test_its_asynchronous_client_streams_too(sandbox: Served) -> None:
    async with (
        anthropic.AsyncAnthropic(api_key=ROOT_KEY, base_url=sandbox.url, max_retries=0) as client,
        client.messages.stream(model="auto", max_tokens=100, messages=ASKED) as stream,
    ):
        assert "Paris" in await stream.get_final_text()


def _client(gateway: Served, max_retries: int = 0) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=ROOT_KEY, base_url=gateway.url, max_retries=max_retries)


def _whole(kind: str, done: Completion) -> bytes:
    return answer(RENDERERS[kind](done).whole)


def _stream(kind: str, done: Completion) -> bytes:
    return sse(RENDERERS[kind](done).stream)


def _said(client: anthropic.Anthropic, asked: Any, *, streamed: bool) -> Message:
    """The whole message, however it comes."""
    if not streamed:
        return _valid(client.messages.create(**asked))
    with client.messages.stream(**asked) as stream:
        return stream.get_final_message()


def _valid(message: Message) -> Message:
    """The message, after the SDK's own model has read it strictly."""
    Message.model_validate_json(message.to_json(), strict=True)
    return message


def _text(message: Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def _details(error: anthropic.APIStatusError) -> Any:
    assert isinstance(error.body, dict)
    return error.body["error"]["details"]


def _prysm(told: BaseModel) -> Any:
    assert told.model_extra is not None
    return orjson.loads(orjson.dumps(told.model_extra["prysm"]))
