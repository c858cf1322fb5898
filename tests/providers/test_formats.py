from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.formats import (
    ANTHROPIC,
    CALL,
    FORMATS,
    GEMINI,
    KEY,
    MODEL,
    OPENAI,
    Format,
    asking,
    collect,
    event,
)

from prysm.core.chat import Message, Usage
from prysm.errors import ProviderError
from prysm.providers.failures import Unusable
from prysm.providers.openai import OpenAIProvider
from prysm.providers.openai_answer import usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

URL = "https://acme.test/v1"
NOWHERE = httpx.AsyncBaseTransport()
FULL = asking(
    Message("system", "One."),
    Message("developer", "Two."),
    Message("user", "Hi"),
    Message("assistant", "Ho"),
    Message("user", "Hi!"),
    temperature=0.5,
    top_p=0.9,
    max_tokens=100,
    stop=("END",),
)
GOLDEN: dict[str, dict[str, Any]] = {
    "openai": {
        "model": "tiny-1",
        "messages": [
            {"role": "system", "content": "One."},
            {"role": "system", "content": "Two."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Ho"},
            {"role": "user", "content": "Hi!"},
        ],
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 100,
        "stop": ["END"],
    },
    "anthropic": {
        "model": "tiny-1",
        "max_tokens": 100,
        "system": "One.\n\nTwo.",
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Ho"},
            {"role": "user", "content": "Hi!"},
        ],
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_sequences": ["END"],
    },
    "gemini": {
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "model", "parts": [{"text": "Ho"}]},
            {"role": "user", "parts": [{"text": "Hi!"}]},
        ],
        "systemInstruction": {"parts": [{"text": "One."}, {"text": "Two."}]},
        "generationConfig": {"temperature": 0.5, "topP": 0.9, "maxOutputTokens": 100, "stopSequences": ["END"]},
    },
}
PATHS = {
    "openai": ("/chat/completions", "/chat/completions"),
    "anthropic": ("/messages", "/messages"),
    "gemini": ("/models/tiny-1:generateContent", "/models/tiny-1:streamGenerateContent?alt=sse"),
}
STREAM_FLAGS: dict[str, dict[str, Any]] = {
    "openai": {"stream": True, "stream_options": {"include_usage": True}},
    "anthropic": {"stream": True},
    "gemini": {},
}
HEADERS = {
    "openai": {"authorization": f"Bearer {KEY}"},
    "anthropic": {"x-api-key": KEY, "anthropic-version": "2023-06-01"},
    "gemini": {"x-goog-api-key": KEY},
}
USAGE = {
    "openai": Usage(20, 9, 8, None, 3),
    "anthropic": Usage(20, 9, 8, 2, None),
    "gemini": Usage(20, 9, 8, None, 3),
}
FINISHES = [
    (OPENAI, "length", "length"),
    (OPENAI, "content_filter", "content_filter"),
    (OPENAI, "eos", "stop"),
    (ANTHROPIC, "stop_sequence", "stop"),
    (ANTHROPIC, "max_tokens", "length"),
    (ANTHROPIC, "model_context_window_exceeded", "length"),
    (ANTHROPIC, "refusal", "content_filter"),
    (GEMINI, "MAX_TOKENS", "length"),
    (GEMINI, "SAFETY", "content_filter"),
    (GEMINI, "RECITATION", "content_filter"),
    (GEMINI, "PROHIBITED_CONTENT", "content_filter"),
]
every_format = pytest.mark.parametrize("form", FORMATS, ids=str)


def finishing(form: Format, reason: object) -> dict[str, Any]:
    match form.kind:
        case "openai":
            return {**form.answer, "choices": [{**form.answer["choices"][0], "finish_reason": reason}]}
        case "anthropic":
            return {**form.answer, "stop_reason": reason}
        case _:
            return {**form.answer, "candidates": [{**form.answer["candidates"][0], "finishReason": reason}]}


@pytest.fixture
def router() -> respx.Router:
    return respx.Router(assert_all_mocked=True)


def adapter(form: Format, router: respx.Router) -> Any:
    return form.provider(URL, httpx.MockTransport(router.async_handler))


@every_format
async def test_a_call_is_the_request_that_the_vendor_documents(form: Format, router: respx.Router) -> None:
    route = router.post(f"{URL}{PATHS[form.kind][0]}").respond(json=form.answer)
    await adapter(form, router).complete(FULL)
    request = route.calls.last.request
    assert httpx.Response(200, content=request.content).json() == GOLDEN[form.kind]
    assert HEADERS[form.kind].items() <= dict(request.headers).items()
    assert request.headers["content-type"] == "application/json"


@every_format
async def test_a_streamed_call_asks_for_the_stream_and_its_usage(form: Format, router: respx.Router) -> None:
    route = router.post(f"{URL}{PATHS[form.kind][1]}")
    route.respond(content=b"".join(form.events), content_type="text/event-stream; charset=utf-8")
    await collect(adapter(form, router), FULL)
    request = route.calls.last.request
    assert httpx.Response(200, content=request.content).json() == GOLDEN[form.kind] | STREAM_FLAGS[form.kind]
    assert KEY not in str(request.url)


@every_format
async def test_an_answer_keeps_all_that_the_provider_reported(form: Format, router: respx.Router) -> None:
    router.post().respond(json=form.answer)
    completion = await adapter(form, router).complete(CALL)
    assert (completion.text, completion.finish_reason) == ("Grüß Gott", "stop")
    assert completion.usage == USAGE[form.kind]
    assert completion.served_model == "tiny-1-0101"
    assert completion.provider_request_id in {"chatcmpl-1", "msg_1", "resp_1"}
    assert completion.system_fingerprint == form.answer.get("system_fingerprint")


@every_format
async def test_a_streamed_answer_ends_in_the_completion_of_a_whole_one(form: Format, router: respx.Router) -> None:
    router.post().respond(content=b"".join(form.events), content_type="text/event-stream")
    whole = type(adapter(form, router)).from_wire(form.answer)
    deltas, completion = await collect(adapter(form, router))
    assert "".join(deltas) == "Grüß Gott"
    assert completion == whole


@pytest.mark.parametrize(("form", "theirs", "ours"), FINISHES)
async def test_finish_reasons_are_mapped(form: Format, theirs: str, ours: str, router: respx.Router) -> None:
    router.post().respond(json=finishing(form, theirs))
    assert (await adapter(form, router).complete(CALL)).finish_reason == ours


@pytest.mark.parametrize("reason", ["tool_calls", "tool_use", "UNEXPECTED_TOOL_CALL", "who knows", None, 7, []])
@every_format
async def test_a_finish_reason_that_is_no_finish_is_no_answer(
    form: Format, reason: object, router: respx.Router
) -> None:
    router.post().respond(json=finishing(form, reason))
    with pytest.raises(ProviderError) as caught:
        await adapter(form, router).complete(CALL)
    assert caught.value.kind == "no_answer"


def test_models_with_new_names_get_them() -> None:
    model = replace(MODEL, capabilities=frozenset({"max_completion_tokens", "developer_role"}))
    body = OpenAIProvider.to_wire(replace(FULL, model=model), stream=False)
    assert body["max_completion_tokens"] == 100
    assert "max_tokens" not in body
    assert body["messages"][1]["role"] == "developer"


def test_seed_and_penalties_reach_the_formats_that_have_them() -> None:
    call = asking(seed=7, frequency_penalty=0.1, presence_penalty=0.2)
    assert OpenAIProvider.to_wire(call, stream=False)["seed"] == 7
    config = type(GEMINI.provider(URL, NOWHERE)).to_wire(call, stream=False)["generationConfig"]
    assert config == {"seed": 7, "frequencyPenalty": 0.1, "presencePenalty": 0.2}


@pytest.mark.parametrize(
    "wrong", [{"seed": 0}, {"frequency_penalty": 0.1}, {"presence_penalty": 0.1}, {"temperature": 1.5}]
)
async def test_what_a_format_cannot_say_is_refused_at_once(wrong: dict[str, Any], router: respx.Router) -> None:
    route = router.post().respond(json=ANTHROPIC.answer)
    with pytest.raises(ProviderError, match=next(iter(wrong))) as caught:
        await adapter(ANTHROPIC, router).complete(asking(**wrong))
    assert caught.value.kind == "rejected"
    assert not route.called


def test_anthropic_always_gets_a_limit() -> None:
    to_wire = type(ANTHROPIC.provider(URL, NOWHERE)).to_wire
    assert to_wire(asking(), stream=False)["max_tokens"] == 4096
    limited = replace(asking(), model=replace(MODEL, max_output_tokens=777))
    assert to_wire(limited, stream=False)["max_tokens"] == 777


@pytest.mark.parametrize("tokens", [-1, "9", 1.5, True, None, 10**12])
def test_absurd_token_counts_are_unknown_not_zero(tokens: object) -> None:
    assert usage({"prompt_tokens": tokens, "completion_tokens": tokens}) == Usage()


def test_reasoning_on_top_of_the_completion_is_added_when_the_total_shows_it() -> None:
    block = {"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 30}}
    assert usage({**block, "total_tokens": 45}).completion_tokens == 35
    assert usage({**block, "total_tokens": 15}).completion_tokens == 5


async def test_a_blocked_prompt_is_a_content_filter_failure(router: respx.Router) -> None:
    router.post().respond(json={"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {}})
    with pytest.raises(ProviderError) as caught:
        await adapter(GEMINI, router).complete(CALL)
    assert caught.value.kind == "content_filter"


async def test_text_parts_are_joined_and_thinking_parts_left_out(router: respx.Router) -> None:
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    choice = {"index": 0, "message": {"role": "assistant", "content": parts}, "finish_reason": "stop"}
    router.post().respond(json={**OPENAI.answer, "choices": [choice]})
    assert (await adapter(OPENAI, router).complete(CALL)).text == "ab"


async def test_a_thinking_model_may_run_out_of_tokens_without_a_word(router: respx.Router) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": None}, "finish_reason": "length"}
    router.post().respond(json={**OPENAI.answer, "choices": [choice]})
    completion = await adapter(OPENAI, router).complete(CALL)
    assert (completion.text, completion.finish_reason) == ("", "length")


@every_format
async def test_one_delta_per_network_read(form: Format) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"".join(form.events[:-1])
        yield form.events[-1]

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body())

    deltas, _ = await collect(form.provider(URL, httpx.MockTransport(answer)))
    assert deltas == ["Grüß Gott"]


async def test_chunks_of_other_choices_and_unknown_events_are_skipped(router: respx.Router) -> None:
    stray = event({"choices": [{"index": 1, "delta": {"content": "no"}, "finish_reason": None}]})
    router.post().respond(content=stray + b"".join(OPENAI.events), content_type="text/event-stream")
    assert (await collect(adapter(OPENAI, router)))[1].text == "Grüß Gott"
    future = event({"type": "something_new"}, "something_new")
    router.post().respond(content=future + b"".join(ANTHROPIC.events), content_type="text/event-stream")
    assert (await collect(adapter(ANTHROPIC, router)))[1].text == "Grüß Gott"


FIELDS = ["choices", "message", "delta", "content", "finish_reason", "candidates", "parts", "text", "error", "type"]
FIELDS += ["usage", "usageMetadata", "finishReason", "stop_reason", "promptFeedback", "details"]
json_values = st.recursive(
    st.sampled_from([None, True, 0, -1, 1.5, "", "stop", "STOP", "end_turn", "text", "message_stop", "error"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@every_format
@given(st.dictionaries(st.sampled_from(["choices", "error", "candidates", "content", "type"]), json_values))
def test_no_json_makes_an_adapter_raise_anything_but_its_verdict(form: Format, data: dict[str, Any]) -> None:
    kind = type(form.provider(URL, NOWHERE))
    with suppress(Unusable):
        kind.from_wire(data)
    draft = kind.draft()
    with suppress(Unusable):
        draft.add(data)
        draft.completion()
