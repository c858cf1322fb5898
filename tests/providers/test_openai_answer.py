"""What servers of the OpenAI format answer, whole and one byte at a time: the same in both."""

from __future__ import annotations

from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.formats import CALL, OPENAI, event
from tests.providers.openai_answers import DONE, agrees, answer, body, chunk, events
from tests.providers.openai_cases import CASES, Case, adds, starts
from tests.providers.upstream import answer as http
from tests.providers.upstream import sse

from prysm.core.chat import Completion, TokenLogprob, TopLogprob, Usage
from prysm.errors import ProviderError
from prysm.providers.failures import Unusable
from prysm.providers.openai import OpenAIProvider
from prysm.providers.openai_stream import OpenAIDraft

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.providers.upstream import Upstream

    from prysm.core.chat import Piece

LOGPROBS: list[dict[str, Any]] = [
    {
        "token": "No",
        "logprob": -0.5,
        "bytes": [78, 111],
        "top_logprobs": [{"token": "Ja", "logprob": -1.5, "bytes": None}],
    },
    {"token": "!", "logprob": -0.25, "bytes": None, "top_logprobs": []},
]
TOKENS = (TokenLogprob("No", -0.5, (78, 111), (TopLogprob("Ja", -1.5),)), TokenLogprob("!", -0.25))
every_case = pytest.mark.parametrize("case", CASES, ids=str)


async def streamed(provider: Any) -> tuple[list[Piece], Completion]:
    async with aclosing(provider.stream(CALL)) as stream:
        *pieces, last = [item async for item in stream]
    assert isinstance(last, Completion)
    return pieces, last


def bytewise(stream: bytes) -> bytes:
    return sse(*(bytes([byte]) for byte in stream))


@every_case
async def test_a_whole_answer_keeps_everything(
    case: Case, upstream: Upstream, transport: httpx.AsyncBaseTransport
) -> None:
    upstream.plays(http(body(case.message, case.reason)))
    done = await OPENAI.provider(upstream.url, transport).complete(CALL)
    assert {name: getattr(done, name) for name in case.means} == case.means


@every_case
async def test_a_stream_of_single_bytes_brings_the_same(
    case: Case, upstream: Upstream, transport: httpx.AsyncBaseTransport
) -> None:
    upstream.plays(bytewise(events(case.deltas, case.reason)))
    pieces, done = await streamed(OPENAI.provider(upstream.url, transport))
    assert done == OpenAIProvider.from_wire(answer(case.message, case.reason))
    agrees(pieces, done)


@every_case
@given(data=st.data())
async def test_any_cut_of_the_bytes_brings_the_same(case: Case, data: st.DataObject) -> None:
    stream = events(case.deltas, case.reason)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=12)))

    async def reads() -> AsyncIterator[bytes]:
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            yield stream[start:end]

    def served(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=reads())

    pieces, done = await streamed(OPENAI.provider("https://acme.test/v1", httpx.MockTransport(served)))
    assert done == OpenAIProvider.from_wire(answer(case.message, case.reason))
    agrees(pieces, done)


@pytest.mark.parametrize("refusal", [False, True])
async def test_log_probabilities_come_with_their_text(
    refusal: bool,
    upstream: Upstream,
    transport: httpx.AsyncBaseTransport,
) -> None:
    said, other = ("refusal", "content") if refusal else ("content", "refusal")
    logprobs = [{said: [token], other: None} for token in LOGPROBS]
    deltas = [
        event(chunk({said: token["token"]}, logprobs=told)) for token, told in zip(LOGPROBS, logprobs, strict=True)
    ]
    upstream.plays(bytewise(b"".join(deltas) + event(chunk({}, "stop", logprobs=None)) + DONE))
    pieces, done = await streamed(OPENAI.provider(upstream.url, transport))
    whole = answer({"content": None, said: "No!"}, logprobs={said: LOGPROBS, other: None})
    assert done == OpenAIProvider.from_wire(whole)
    assert done.logprobs == TOKENS
    agrees(pieces, done)


async def test_usage_comes_with_every_kind_of_token(
    upstream: Upstream, transport: httpx.AsyncBaseTransport
) -> None:
    usage = {
        "prompt_tokens": 30,
        "completion_tokens": 20,
        "total_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 6},
        "completion_tokens_details": {"reasoning_tokens": 4, "audio_tokens": 5},
    }
    stream = event(chunk({"content": "Hi"})) + event(chunk({}, "stop"))
    upstream.plays(bytewise(stream + event({"choices": [], "usage": usage}) + DONE))
    _, done = await streamed(OPENAI.provider(upstream.url, transport))
    assert done.usage == Usage(30, 20, 8, None, 4, 6, 5)
    assert OpenAIProvider.from_wire(answer({"content": "Hi"}) | {"usage": usage}).usage == done.usage


@pytest.mark.parametrize(
    "function",
    [
        {"name": "weather", "arguments": {"city": "Rome"}},
        {"name": "weather", "arguments": None},
        {"name": "weather"},
        {"name": "", "arguments": "{}"},
        {"name": 7, "arguments": "{}"},
        {"arguments": "{}"},
        None,
    ],
)
async def test_a_tool_call_without_a_name_or_textual_arguments_is_no_answer(
    function: Any, upstream: Upstream, transport: httpx.AsyncBaseTransport
) -> None:
    call = {"id": "call_1", "type": "function", "function": function}
    provider = OPENAI.provider(upstream.url, transport)
    upstream.plays(http(body({"content": None, "tool_calls": [call]}, "tool_calls")))
    with pytest.raises(ProviderError) as whole:
        await provider.complete(CALL)
    upstream.plays(sse(events([{"tool_calls": [{"index": 0} | call]}], "tool_calls")))
    with pytest.raises(ProviderError) as flowing:
        await streamed(provider)
    assert (whole.value.kind, flowing.value.kind) == ("no_answer", "no_answer")


async def test_a_stream_that_is_cut_inside_a_tool_call_is_truncated(
    upstream: Upstream, transport: httpx.AsyncBaseTransport
) -> None:
    upstream.plays(sse(event(chunk(starts(0, "weather", "call_1"))), event(chunk(adds(0, '{"ci'))), DONE))
    with pytest.raises(ProviderError) as caught:
        await streamed(OPENAI.provider(upstream.url, transport))
    assert caught.value.kind == "truncated"


@pytest.mark.parametrize("reason", ["tool_calls", "function_call"])
def test_an_end_for_a_tool_call_that_never_came_is_malformed(reason: str) -> None:
    with pytest.raises(Unusable, match="did not send"):
        OpenAIProvider.from_wire(answer({"content": "Hi"}, reason))


def test_sound_that_is_not_base64_is_malformed() -> None:
    draft = OpenAIDraft()
    for data in ("aGk=", "?"):
        draft.add(chunk({"audio": {"data": data}}))
    draft.add(chunk({}, "stop"))
    with pytest.raises(Unusable, match="base64"):
        draft.completion()


def test_a_made_id_is_that_of_its_own_answer_alone() -> None:
    message = {"content": None, "tool_calls": [{"function": {"name": "now", "arguments": "{}"}}] * 2}
    first = OpenAIProvider.from_wire(answer(message, "tool_calls"))
    again = OpenAIProvider.from_wire(answer(message, "tool_calls"))
    other = OpenAIProvider.from_wire(answer(message, "tool_calls") | {"id": "chatcmpl-2"})
    ids = {call.id for done in (first, other) for call in done.tool_calls}
    assert first == again
    assert len(ids) == 4
    assert first.tool_calls[0].id.startswith("call_0_")


FIELDS = ["content", "refusal", "tool_calls", "function_call", "function", "custom", "name", "arguments", "index"]
FIELDS += ["id", "type", "audio", "data", "annotations", "logprobs", "reasoning", "extra_content", "google"]
odd = st.recursive(
    st.sampled_from([None, True, 0, 1, 1.5, "", "a", "{}", "stop", "tool_calls", "custom", "thinking"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(FIELDS), odd), odd)
def test_no_message_is_too_strange_to_be_read_or_refused(message: dict[str, Any], logprobs: Any) -> None:
    with suppress(Unusable):
        OpenAIProvider.from_wire(answer(message, logprobs=logprobs))
    draft = OpenAIDraft()
    with suppress(Unusable):
        draft.add(chunk(message, logprobs=logprobs))
        pieces = draft.take()
        draft.add(chunk({}, "stop"))
        agrees(pieces, draft.completion())
