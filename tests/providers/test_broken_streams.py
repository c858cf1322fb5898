"""What a stream that broke off had told of its tokens is not lost: it is billed."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.providers.formats import CALL, FORMATS, Format, event
from tests.providers.upstream import Act, head

from prysm.errors import ProviderError

if TYPE_CHECKING:
    import httpx
    from tests.providers.upstream import Step, Upstream

    from prysm.core.chat import ModelCall

CHUNK = {"choices": [{"index": 0, "delta": {"content": "Grüß"}, "finish_reason": None}]}
TOLD: dict[str, tuple[bytes, tuple[int, int | None]]] = {
    "openai": (event({**CHUNK, "usage": {"prompt_tokens": 70, "completion_tokens": 2}}), (70, 2)),
    "anthropic": (
        event({"type": "message_start", "message": {"usage": {"input_tokens": 60, "cache_read_input_tokens": 10}}})
        + event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Grüß"}}),
        (70, None),
    ),
    "gemini": (
        event(
            {
                "candidates": [{"content": {"parts": [{"text": "Grüß"}]}}],
                "usageMetadata": {"promptTokenCount": 70, "candidatesTokenCount": 2},
            }
        ),
        (70, 2),
    ),
}


@pytest.fixture
def call() -> ModelCall:
    return replace(CALL, broken=[])


def plays(upstream: Upstream, form: Format, *then: Step) -> None:
    start = TOLD[form.kind][0]
    upstream.plays(
        head(content_type="text/event-stream", transfer_encoding="chunked"),
        b"%x\r\n%s\r\n" % (len(start), start),
        *then,
    )


@pytest.mark.parametrize("form", FORMATS, ids=str)
async def test_a_stream_that_was_cut_leaves_the_tokens_it_told(
    form: Format, upstream: Upstream, transport: httpx.AsyncBaseTransport, call: ModelCall
) -> None:
    plays(upstream, form, Act.CLOSE)
    with pytest.raises(ProviderError):
        async for _ in form.provider(upstream.url, transport).stream(call):
            pass
    assert [(told.prompt_tokens, told.completion_tokens) for told in call.broken] == [TOLD[form.kind][1]]


@pytest.mark.parametrize("form", FORMATS, ids=str)
async def test_so_does_one_that_nobody_reads_any_longer(
    form: Format, upstream: Upstream, transport: httpx.AsyncBaseTransport, call: ModelCall
) -> None:
    plays(upstream, form, Act.HANG)
    async with aclosing(form.provider(upstream.url, transport).stream(call)) as pieces:
        await anext(pieces)
    assert [told.prompt_tokens for told in call.broken] == [70]


@pytest.mark.parametrize("form", FORMATS, ids=str)
async def test_one_that_ends_well_leaves_them_in_its_answer_alone(
    form: Format, upstream: Upstream, transport: httpx.AsyncBaseTransport, call: ModelCall
) -> None:
    upstream.plays(
        head(content_type="text/event-stream", content_length=str(sum(map(len, form.events)))), *form.events
    )
    assert [piece async for piece in form.provider(upstream.url, transport).stream(call)]
    assert call.broken == []
