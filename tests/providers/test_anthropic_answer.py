from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic.types as sdk
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.formats import ANTHROPIC, asking, collect, event
from tests.providers.test_answer_round_trip import streamed
from tests.providers.upstream import answer, sse

from prysm.core.chat import Completion, Message, TextDelta, ThinkingDelta, ToolCallDelta, Usage
from prysm.core.content import ToolCall
from prysm.errors import ProviderError
from prysm.providers.anthropic import AnthropicProvider
from prysm.providers.failures import Unusable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx
    from tests.providers.upstream import Upstream

ASK = Message("user", "Hi")
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
CALLED = Message("assistant", "", (ToolCall("call_1", "look_up", '{"a": 1.50}'), ToolCall("call_2", "look_up", "")))
BLOCKS: dict[str, Any] = {
    "text": sdk.TextBlockParam,
    "image": sdk.ImageBlockParam,
    "document": sdk.DocumentBlockParam,
    "thinking": sdk.ThinkingBlockParam,
    "redacted_thinking": sdk.RedactedThinkingBlockParam,
    "tool_use": sdk.ToolUseBlockParam,
    "tool_result": sdk.ToolResultBlockParam,
}


def typed(kind: str, **rest: Any) -> bytes:
    """One event."""
    return event({"type": kind, **rest}, kind)


def stream(*blocks: Sequence[dict[str, Any]], reason: str = "end_turn", **end: Any) -> bytes:
    """A stream of blocks: each its opening and its deltas."""
    events = [typed("message_start", message={"id": "msg_1", "model": "m", "usage": {"input_tokens": 3}})]
    for i, (block, *deltas) in enumerate(blocks):
        events.append(typed("content_block_start", index=i, content_block=block))
        events += [typed("content_block_delta", index=i, delta=delta) for delta in deltas]
        events.append(typed("content_block_stop", index=i))
    delta = {"stop_reason": reason, "stop_sequence": None, **end}
    return b"".join(
        [*events, typed("message_delta", delta=delta, usage={"output_tokens": 5}), typed("message_stop")]
    )


def read(raw: bytes) -> tuple[list[Any], Completion]:
    """The pieces of a stream, and the completion that ends it."""
    *pieces, last = streamed(ANTHROPIC, raw, ())
    assert isinstance(last, Completion)
    return pieces, last


def tool(**fields: Any) -> dict[str, Any]:
    """The opening of a tool call."""
    return {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {}, **fields}


def test_a_streamed_call_is_told_as_it_is_written() -> None:
    raw = stream(
        [{"type": "thinking", "thinking": "", "signature": ""}, {"type": "thinking_delta", "thinking": "hm"}],
        [tool(), *({"type": "input_json_delta", "partial_json": piece} for piece in ("", '{"a":', "1}"))],
        reason="tool_use",
    )
    pieces, done = read(raw)
    assert pieces == [
        ThinkingDelta("hm"),
        ToolCallDelta(0, "", "toolu_1", "look_up"),
        ToolCallDelta(0, '{"a":'),
        ToolCallDelta(0, "1}"),
    ]
    assert done.tool_calls == (ToolCall("toolu_1", "look_up", '{"a":1}'),)
    assert done.finish_reason == "tool_calls"


@pytest.mark.parametrize(("opening", "arguments"), [({}, "{}"), ({"input": {"a": 1}}, '{"a":1}')])
def test_a_call_without_deltas_has_the_arguments_it_began_with(opening: dict[str, Any], arguments: str) -> None:
    pieces, done = read(stream([tool(**opening)], reason="tool_use"))
    assert done.tool_calls[0].arguments == arguments
    assert pieces[-1] == ToolCallDelta(0, arguments)


def test_blocks_that_are_never_closed_are_kept() -> None:
    raw = stream([tool()], [tool(id="toolu_2")], reason="tool_use")
    for i in range(2):
        raw = raw.replace(typed("content_block_stop", index=i), b"")
    assert [call.id for call in read(raw)[1].tool_calls] == ["toolu_1", "toolu_2"]


def test_blocks_and_deltas_of_the_vendors_own_tools_are_skipped() -> None:
    raw = stream(
        [
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            {"type": "input_json_delta", "partial_json": "{}"},
        ],
        [{"type": "text", "text": ""}, {"type": "text_delta", "text": "Hi"}, {"type": "citations_delta"}],
    )
    pieces, done = read(raw)
    assert pieces == [TextDelta("Hi")]
    assert (done.text, done.tool_calls) == ("Hi", ())


def test_calls_decide_how_an_answer_ended() -> None:
    assert read(stream([tool()], reason="end_turn"))[1].finish_reason == "tool_calls"
    with pytest.raises(ProviderError, match="no reason that we know"):
        read(stream(reason="tool_use"))


def test_a_pause_is_no_end() -> None:
    with pytest.raises(ProviderError) as caught:
        read(stream(reason="pause_turn"))
    assert caught.value.kind == "no_answer"


def test_a_refusal_without_a_word_says_why() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "Not that."}
    pieces, done = read(stream(reason="refusal", stop_details=details))
    assert pieces == [TextDelta("Not that.", refusal=True)]
    assert (done.text, done.refused, done.finish_reason) == ("Not that.", True, "content_filter")
    begun = stream(
        [{"type": "text", "text": ""}, {"type": "text_delta", "text": "Well"}],
        reason="refusal",
        stop_details=details,
    )
    assert (read(begun)[1].text, read(begun)[1].refused) == ("Well", False)


def test_counts_of_a_stream_are_the_last_told_and_hold_the_cached_ones() -> None:
    start = {"input_tokens": 3, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 7, "output_tokens": 1}
    end = {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}, "server_tool_use": None}
    raw = typed("message_start", message={"usage": start}) + typed(
        "message_delta", delta={"stop_reason": "end_turn"}, usage=end
    )
    assert read(raw + typed("message_stop"))[1].usage == Usage(15, 9, 5, 7, 4)


def test_cache_writes_that_are_kept_for_an_hour_are_told_apart() -> None:
    written = {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4}
    start = {"input_tokens": 3, "cache_creation_input_tokens": 7, "cache_creation": written}
    raw = typed("message_start", message={"usage": start})
    raw += typed("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 9})
    usage = read(raw + typed("message_stop"))[1].usage
    assert (usage.cache_write_tokens, usage.cache_write_1h_tokens) == (7, 4)


def test_a_stop_sequence_is_named() -> None:
    assert read(stream(reason="stop_sequence", stop_sequence="END"))[1].stop_sequence == "END"


@pytest.mark.parametrize("cut", [typed("message_stop"), typed("message_delta", delta={"stop_reason": None})])
def test_a_stream_without_its_end_is_truncated(cut: bytes) -> None:
    whole = stream([{"type": "text", "text": "Hi"}])
    raw = (
        whole.replace(cut, b"") if cut in whole else whole.split(b"event: message_delta")[0] + typed("message_stop")
    )
    with pytest.raises(ProviderError) as caught:
        read(raw)
    assert caught.value.kind == "truncated"


async def test_a_tool_call_over_the_wire(upstream: Upstream, transport: httpx.AsyncBaseTransport) -> None:
    provider = ANTHROPIC.provider(upstream.url, transport)
    message = {"content": [tool(input={"a": 1})], "stop_reason": "tool_use", "usage": {}}
    upstream.plays(answer(orjson.dumps(message)))
    whole = await provider.complete(asking(ASK, CALLED))
    assert b'{"a": 1.50}' in upstream.seen[0].body
    upstream.plays(
        sse(stream([tool(), {"type": "input_json_delta", "partial_json": '{"a":1}'}], reason="tool_use"))
    )
    _, done = await collect(provider)
    assert whole.tool_calls == done.tool_calls == (ToolCall("toolu_1", "look_up", '{"a":1}'),)


values: st.SearchStrategy[Any] = st.sampled_from(
    [None, 1, "x", [], {}, "tool_use", "text", "thinking", "redacted_thinking", "end_turn"]
)
NAMES = ["type", "id", "name", "input", "text", "thinking", "data", "signature", "partial_json", "stop_reason"]
things = st.dictionaries(st.sampled_from(NAMES), values)
KINDS = ["content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"]
events = st.builds(
    lambda kind, thing: {"type": kind, "content_block": thing, "delta": thing}, st.sampled_from(KINDS), things
)


@given(st.lists(events, max_size=6))
def test_no_stream_of_events_raises_anything_but_a_verdict(told: list[dict[str, Any]]) -> None:
    draft = AnthropicProvider.draft()
    try:
        for chunk in told:
            draft.add(chunk)
            draft.take()
        draft.completion()
    except Unusable:
        pass
