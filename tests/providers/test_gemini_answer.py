from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.formats import GEMINI, asking, collect, event
from tests.providers.test_answer_round_trip import streamed
from tests.providers.upstream import answer, sse

from prysm.core.chat import (
    Completion,
    Message,
    TextDelta,
    ThinkingDelta,
    TokenLogprob,
    ToolCallDelta,
    TopLogprob,
    Usage,
)
from prysm.core.content import Thinking, ToolCall
from prysm.errors import ProviderError
from prysm.providers.failures import Unusable
from prysm.providers.gemini import GeminiProvider
from prysm.providers.gemini_answer import usage

if TYPE_CHECKING:
    import httpx
    from tests.providers.upstream import Upstream

ASK = Message("user", "Hi")
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
CALLED = Message(
    "assistant",
    "",
    (ToolCall("call_1", "look_up", '{"a": 1.50}', signature="seal"), ToolCall("call_2", "weather", "")),
)
JSON = "application/json"


def response(*parts: dict[str, Any], reason: str | None = None, **rest: Any) -> dict[str, Any]:
    """One response, or one chunk of a stream."""
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}}
    return {"responseId": "r1", "candidates": [candidate | ({"finishReason": reason} if reason else {})], **rest}


def read(*chunks: dict[str, Any]) -> tuple[list[Any], Completion]:
    """The pieces of a stream, and the completion that ends it."""
    *pieces, last = streamed(GEMINI, b"".join(map(event, chunks)), ())
    assert isinstance(last, Completion)
    return pieces, last


def call(name: str, **rest: Any) -> dict[str, Any]:
    """A part that calls a tool."""
    return {"functionCall": {"name": name, **rest}}


def test_calls_without_an_id_get_one_of_their_own_in_both_forms() -> None:
    parts = (call("a", args={"x": 1}), {**call("b"), "thoughtSignature": "seal"})
    whole = GeminiProvider.from_wire(response(*parts, reason="STOP"))
    pieces, done = read(response(parts[0]), response(parts[1]), response(reason="STOP"))
    assert whole == done
    assert done.tool_calls == (
        ToolCall("call_r1_0", "a", '{"x":1}'),
        ToolCall("call_r1_1", "b", "{}", signature="seal"),
    )
    assert pieces == [
        ToolCallDelta(0, '{"x":1}', "call_r1_0", "a"),
        ToolCallDelta(1, "{}", "call_r1_1", "b", signature="seal"),
    ]
    assert done.finish_reason == "tool_calls"


def test_ids_are_unique_even_where_the_response_has_none() -> None:
    answers = [GeminiProvider.from_wire(response(call("a"), reason="STOP", responseId=None)) for _ in range(2)]
    assert answers[0].tool_calls[0].id != answers[1].tool_calls[0].id


def test_thoughts_are_told_apart_from_the_answer() -> None:
    pieces, done = read(
        response({"text": "h", "thought": True}),
        response({"text": "m", "thought": True}, {"text": "Hi"}, reason="STOP"),
    )
    assert pieces == [ThinkingDelta("h"), ThinkingDelta("m"), TextDelta("Hi")]
    assert (done.text, done.thinking) == ("Hi", (Thinking("hm"),))


@pytest.mark.parametrize(
    "reason",
    [
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MALFORMED_RESPONSE",
        "MISSING_THOUGHT_SIGNATURE",
        "OTHER",
    ],
)
def test_a_broken_answer_is_a_failure_in_both_forms(reason: str) -> None:
    with pytest.raises(Unusable) as whole:
        GeminiProvider.from_wire(response(reason=reason))
    with pytest.raises(ProviderError) as cut:
        read(response({"text": "Hi"}), response(reason=reason))
    assert whole.value.kind == cut.value.kind == "no_answer"


def test_a_prompt_blocked_in_the_stream_is_a_content_filter_failure() -> None:
    with pytest.raises(ProviderError) as caught:
        read({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}})
    assert caught.value.kind == "content_filter"


def test_parts_that_we_do_not_know_are_skipped() -> None:
    _, done = read(
        response({"executableCode": {"code": "1"}}, {"text": "Hi", "thoughtSignature": "s"}, reason="STOP")
    )
    assert done.text == "Hi"


def test_log_probabilities_come_with_the_text_they_rate() -> None:
    rated = response({"text": "Hi"}, reason="STOP")
    rated["candidates"][0]["logprobsResult"] = {
        "chosenCandidates": [{"token": "Hi", "tokenId": 1, "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "Ho", "logProbability": -1}]}],
    }
    pieces, done = read(rated)
    token = TokenLogprob("Hi", -0.5, None, (TopLogprob("Ho", -1.0),))
    assert pieces == [TextDelta("Hi", logprobs=(token,))]
    assert done.logprobs == (token,)


def test_thoughts_and_tool_use_are_parts_of_the_totals() -> None:
    block = {
        "promptTokenCount": 10,
        "toolUsePromptTokenCount": 5,
        "thoughtsTokenCount": 3,
        "cachedContentTokenCount": 4,
    }
    assert usage({**block, "candidatesTokenCount": 7}) == Usage(15, 10, 4, None, 3)
    assert usage({**block, "totalTokenCount": 25}) == Usage(15, 10, 4, None, 3)


def test_sound_is_counted_once_even_when_cached() -> None:
    def heard(tokens: int) -> list[dict[str, Any]]:
        return [{"modality": "TEXT", "tokenCount": 1}, {"modality": "AUDIO", "tokenCount": tokens}]

    block = {"promptTokenCount": 90, "cachedContentTokenCount": 30, "promptTokensDetails": heard(50)}
    counted = usage({**block, "cacheTokensDetails": heard(20), "candidatesTokensDetails": heard(7)})
    assert (counted.audio_prompt_tokens, counted.audio_completion_tokens) == (30, 7)
    assert usage({"promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}]}).audio_prompt_tokens == 0
    assert usage({}).audio_prompt_tokens is None


async def test_a_tool_call_over_the_wire(upstream: Upstream, transport: httpx.AsyncBaseTransport) -> None:
    provider = GEMINI.provider(upstream.url, transport)
    called = response(call("look_up", id="c1", args={"a": 1}), reason="STOP")
    upstream.plays(answer(orjson.dumps(called)))
    whole = await provider.complete(asking(ASK, CALLED))
    assert b'{"a": 1.50}' in upstream.seen[0].body
    upstream.plays(sse(event(called)))
    _, done = await collect(provider)
    assert whole.tool_calls == done.tool_calls == (ToolCall("c1", "look_up", '{"a":1}'),)


values: st.SearchStrategy[Any] = st.sampled_from([None, 1, "x", [], {}, [{}], [1], True, "STOP"])
NAMES = ["text", "thought", "functionCall", "name", "args", "id", "thoughtSignature"]
things = st.dictionaries(st.sampled_from(NAMES), values | st.dictionaries(st.sampled_from(NAMES), values))
candidates = st.fixed_dictionaries(
    {"content": st.fixed_dictionaries({"parts": st.lists(things, max_size=3)})},
    optional={"finishReason": values, "logprobsResult": values},
)
chunks = st.fixed_dictionaries(
    {"candidates": st.lists(candidates, max_size=2)}, optional={"usageMetadata": values, "responseId": values}
)


@given(st.lists(chunks, max_size=3))
def test_no_stream_of_chunks_raises_anything_but_a_verdict(told: list[dict[str, Any]]) -> None:
    draft = GeminiProvider.draft()
    try:
        for chunk in told:
            draft.add(chunk)
            draft.take()
        draft.completion()
    except Unusable:
        pass
