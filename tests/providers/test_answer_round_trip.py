"""What a provider of a format answers is read as it was meant, whole or streamed, wherever the network cuts it."""

from __future__ import annotations

import asyncio
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.providers.answers import answers
from tests.providers.formats import CALL, FORMATS, Format
from tests.providers.renderers import RENDERERS

from prysm.core.chat import Completion, TextDelta, ThinkingDelta, ToolCallDelta
from prysm.core.content import Thinking, ToolCall

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from prysm.core.chat import Piece

every_format = pytest.mark.parametrize("form", FORMATS, ids=str)
quick = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)


def streamed(form: Format, body: bytes, cuts: Sequence[int]) -> list[Piece | Completion]:
    """What a stream of these bytes brings when the network cuts it at these places."""

    async def reads() -> AsyncIterator[bytes]:
        for start, end in pairwise(sorted({0, len(body), *(cut % len(body) for cut in cuts)})):
            yield body[start:end]

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=reads())

    async def collect() -> list[Piece | Completion]:
        provider = form.provider("https://acme.test/v1", httpx.MockTransport(answer))
        return [piece async for piece in provider.stream(CALL)]

    return asyncio.run(collect())


def text_of(pieces: Sequence[Any], *, refusal: bool) -> str:
    """The text of an answer, or of its refusal."""
    return "".join(piece.text for piece in pieces if isinstance(piece, TextDelta) and piece.refusal is refusal)


def calls_of(pieces: Sequence[Any]) -> tuple[ToolCall, ...]:
    """The tool calls, put together again by their place."""
    deltas = [piece for piece in pieces if isinstance(piece, ToolCallDelta)]
    groups = [list(group) for _, group in groupby(deltas, lambda delta: delta.index)]
    return tuple(
        ToolCall(
            first.id or "",
            first.name or "",
            "".join(d.arguments for d in (first, *rest)),
            signature=first.signature,
        )
        for first, *rest in groups
    )


def thoughts_of(pieces: Sequence[Any]) -> tuple[Thinking, ...]:
    """The thoughts: a redacted one is whole, a signature ends another."""
    out: list[Thinking] = []
    text = ""
    for piece in (piece for piece in pieces if isinstance(piece, ThinkingDelta)):
        text += piece.text
        if piece.signature or piece.redacted:
            out.append(Thinking(text, piece.signature, piece.redacted))
            text = ""
    return (*out, Thinking(text)) if text else tuple(out)


@every_format
@quick
@given(data=st.data())
def test_a_whole_answer_is_read_as_it_was_meant(form: Format, data: st.DataObject) -> None:
    done = data.draw(answers(form.kind))
    adapter = type(form.provider("https://acme.test", httpx.AsyncBaseTransport()))
    body = httpx.Response(200, content=RENDERERS[form.kind](done).whole).json()
    assert adapter.from_wire(body) == done


@every_format
@quick
@given(data=st.data(), cuts=st.lists(st.integers(0, 10_000), max_size=8))
def test_a_streamed_answer_is_read_as_it_was_meant(form: Format, data: st.DataObject, cuts: list[int]) -> None:
    done = data.draw(answers(form.kind))
    *pieces, last = streamed(form, RENDERERS[form.kind](done).stream, cuts)
    assert last == done
    assert text_of(pieces, refusal=done.refused) == done.text
    assert text_of(pieces, refusal=not done.refused) == ""
    assert calls_of(pieces) == done.tool_calls
    assert thoughts_of(pieces) == done.thinking
    told = [token for piece in pieces if isinstance(piece, TextDelta) for token in piece.logprobs]
    assert tuple(told) == (done.logprobs or ())
