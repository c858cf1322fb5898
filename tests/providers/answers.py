"""Generated answers: what a provider of each format can say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from hypothesis import strategies as st
from tests.providers.conversations import NAMES, objects, open_thoughts, sealed_thoughts, texts

from prysm.core.chat import Completion, TokenLogprob, TopLogprob, Usage
from prysm.core.content import Thinking, ToolCall

if TYPE_CHECKING:
    from prysm.core.chat import FinishReason

counts = st.none() | st.integers(0, 50)


@st.composite
def usages(draw: st.DrawFn, kind: str) -> Usage:
    """Counts whose parts fit into their totals."""
    heard = draw(counts) if kind != "anthropic" else None
    spoken = draw(counts) if kind != "anthropic" else None
    return Usage(
        prompt_tokens=draw(st.integers(200, 300)),
        completion_tokens=draw(st.integers(200, 300)),
        cached_tokens=draw(counts),
        cache_write_tokens=draw(counts) if kind != "gemini" else None,
        reasoning_tokens=draw(counts),
        audio_prompt_tokens=heard,
        audio_completion_tokens=spoken,
    )


def logprobs(kind: str) -> st.SearchStrategy[tuple[TokenLogprob, ...] | None]:
    """Log probabilities of tokens; OpenAI's have their bytes."""
    known: Any = st.lists(st.integers(0, 255), max_size=2).map(tuple) if kind == "openai" else st.none()
    values = st.floats(-20, 0)
    tops = st.lists(st.builds(TopLogprob, texts, values, known), max_size=2).map(tuple)
    tokens = st.builds(TokenLogprob, texts, values, known, tops)
    return st.none() if kind == "anthropic" else st.none() | st.lists(tokens, min_size=1, max_size=3).map(tuple)


def thoughts(kind: str) -> st.SearchStrategy[tuple[Thinking, ...]]:
    """Sealed thoughts, any number, of Anthropic; of others one in the open."""
    if kind == "anthropic":
        return st.lists(sealed_thoughts, max_size=2).map(tuple)
    return st.just(()) | open_thoughts.map(lambda thought: (thought,))


@st.composite
def answers(draw: st.DrawFn, kind: str) -> Completion:
    """An answer that a provider of this format can give."""
    seals = st.none() | texts if kind == "gemini" else st.none()
    calls = tuple(
        ToolCall(
            f"call_{i}", draw(st.sampled_from(NAMES)), orjson.dumps(draw(objects)).decode(), signature=draw(seals)
        )
        for i in range(draw(st.integers(0, 3)))
    )
    ends: list[FinishReason] = ["tool_calls", "length"] if calls else ["stop", "length", "content_filter"]
    finish = draw(st.sampled_from(ends))
    refused = kind != "gemini" and finish == "content_filter" and draw(st.booleans())
    stopped = kind == "anthropic" and finish == "stop"
    return Completion(
        text=draw(texts if finish == "stop" or refused else st.just("") | texts),
        finish_reason=finish,
        usage=draw(usages(kind)),
        served_model="tiny-1-0101",
        provider_request_id="id_1",
        system_fingerprint="fp_1" if kind == "openai" else None,
        tool_calls=calls,
        thinking=draw(thoughts(kind)),
        refused=refused,
        stop_sequence=draw(st.sampled_from([None, "END"])) if stopped else None,
        logprobs=None if refused else draw(logprobs(kind)),
    )
