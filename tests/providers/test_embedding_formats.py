"""Vectors on the wire, in the two formats that have them."""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.formats import CALL, KEY
from tests.providers.upstream import answer, running

from prysm.core.embedding import Embed
from prysm.core.plan import ChatRequest
from prysm.core.provider import ProviderSpec
from prysm.errors import ProviderError
from prysm.providers.build import OVER_HTTP
from prysm.providers.embeddings import packed
from prysm.providers.failures import Unusable
from prysm.providers.gemini_embeddings import GEMINI_EMBEDDINGS
from prysm.providers.transport import open_transport
from prysm.registry.wire_limits import inexpressible

if TYPE_CHECKING:
    from prysm.core.provider import WireFormat

float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(
    st.integers(1, 5).flatmap(lambda n: st.lists(st.lists(float32, min_size=n, max_size=n), min_size=1, max_size=4))
)
def test_every_finite_number_survives(rows: list[list[float]]) -> None:
    found = packed(rows, Embed(("a",) * len(rows)))
    assert [list(found.floats(i)) for i in range(len(found))] == rows


@given(
    st.lists(float32, max_size=5), st.sampled_from((math.nan, math.inf, -math.inf)), st.lists(float32, max_size=5)
)
def test_no_other_number_does(before: list[float], wrong: float, after: list[float]) -> None:
    numbers = (*before, wrong, *after)
    with pytest.raises(Unusable, match="infinite or none"):
        packed([list(numbers)], Embed(("a",)))


def test_gemini_is_sent_a_request_a_text_and_answers_in_order() -> None:
    embed = Embed(("a", "ü"), 2)
    body = GEMINI_EMBEDDINGS.request(replace(CALL, messages=(), embed=embed), embed)
    assert body["requests"] == [
        {"model": "models/tiny-1", "content": {"parts": [{"text": text}]}, "outputDimensionality": 2}
        for text in ("a", "ü")
    ]
    sent: dict[str, Any] = {
        "embeddings": [{"values": [0.5, 1]}, {"values": [-2, 0]}],
        "usageMetadata": {"promptTokenCount": 4},
    }
    done = GEMINI_EMBEDDINGS.answer(sent, embed)
    assert done.vectors is not None
    assert done.vectors.data == struct.pack("<4f", 0.5, 1, -2, 0)
    assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (4, 0)


@pytest.mark.parametrize(
    ("embed", "fails"),
    [
        (Embed(("a",)), {"anthropic"}),
        (Embed(((1, 2),)), {"anthropic", "gemini"}),
        (Embed(("a",) * 100), {"anthropic"}),
        (Embed(("a",) * 101), {"anthropic", "gemini"}),
    ],
)
def test_what_a_format_cannot_embed_is_the_input(embed: Embed, fails: set[WireFormat]) -> None:
    request = ChatRequest((), embed=embed)
    kinds: tuple[WireFormat, ...] = ("openai", "anthropic", "gemini", "sandbox")
    assert {kind for kind in kinds if inexpressible(kind, request) == "input"} == fails


async def test_each_provider_does_what_its_format_can() -> None:
    call = replace(CALL, messages=(), embed=Embed(("a",)))
    async with running() as upstream, open_transport() as transport:
        specs = {kind: ProviderSpec("acme", kind, upstream.url, KEY) for kind in OVER_HTTP}
        upstream.plays(answer(b'{"embeddings": [{"values": [1, 2]}]}'))
        done = await OVER_HTTP["gemini"](specs["gemini"], transport).complete(call)
        assert upstream.seen[0].target == "/v1/models/tiny-1:batchEmbedContents"
        assert done.vectors is not None
        assert done.vectors.floats(0) == (1, 2)
        with pytest.raises(ProviderError, match="makes no embeddings"):
            await OVER_HTTP["anthropic"](specs["anthropic"], transport).complete(call)
        assert len(upstream.seen) == 1
