"""The versions of an answer as OpenAI's chat completions write them, and what they took.

https://platform.openai.com/docs/api-reference/chat/object
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from prysm.core.openai_form import answer_form, thinking_block

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.chat import Completion, FinishReason, TokenLogprob, TopLogprob
    from prysm.core.content import Thinking
    from prysm.gateway import Answer

DETAILS = (
    ("prompt_tokens_details", "cached_tokens", "cached_tokens"),
    ("prompt_tokens_details", "cache_write_tokens", "cache_write_tokens"),
    ("prompt_tokens_details", "audio_tokens", "audio_prompt_tokens"),
    ("completion_tokens_details", "reasoning_tokens", "reasoning_tokens"),
    ("completion_tokens_details", "audio_tokens", "audio_completion_tokens"),
)
"""Parts of the totals: where OpenAI puts them, its names for them, and ours."""
_PARTS = attrgetter(*[ours for _, _, ours in DETAILS])
_NONE_TOLD = (None,) * len(DETAILS)


def choice(index: int, done: Completion, *, told: bool, legacy: bool) -> dict[str, Any]:
    """One version of the answer; its log probabilities are `told` to who asked for them.

    `legacy`: the caller gave `functions`, and looks for `function_call`.
    """
    message = answer_form(done)
    if done.own:
        message |= done.own
    if done.thinking:
        message |= _thoughts(done.thinking)
    if legacy and done.tool_calls:
        message |= _older(message)
    return {
        "index": index,
        "message": message,
        "logprobs": logprobs(done.logprobs, refused=done.refused) if told and done.logprobs else None,
        "finish_reason": finish_reason(done.finish_reason, legacy=legacy),
    }


def finish_reason(reason: FinishReason, *, legacy: bool) -> str:
    """Why the answer ended."""
    return "function_call" if legacy and reason == "tool_calls" else reason


def logprobs(tokens: Sequence[TokenLogprob], *, refused: bool) -> dict[str, Any] | None:
    """OpenAI's `logprobs`; null where there are none."""
    if not tokens:
        return None
    listed = [_logprob(token) | {"top_logprobs": [_logprob(other) for other in token.top]} for token in tokens]
    return {"content": None if refused else listed, "refusal": listed if refused else None}


def usage(answer: Answer) -> dict[str, Any]:
    """OpenAI's usage, summed over every call. Parts of the totals are those of the calls that told them."""
    spent = answer.receipt.account
    found: dict[str, Any] = {
        "prompt_tokens": spent.prompt_tokens,
        "completion_tokens": spent.completion_tokens,
        "total_tokens": spent.prompt_tokens + spent.completion_tokens,
    }
    for stage in answer.stages:
        parts = _NONE_TOLD if stage.usage is None else _PARTS(stage.usage)
        if parts == _NONE_TOLD:
            continue
        for (side, theirs, _), tokens in zip(DETAILS, parts, strict=True):
            if tokens is not None:
                sums = found.setdefault(side, {})
                sums[theirs] = sums.get(theirs, 0) + tokens
    return found


def sealed(thinking: Sequence[Thinking]) -> dict[str, Any]:
    """All thoughts apart, if any is sealed: each has to be sent back as it came."""
    if not thinking or not any(thought.redacted or thought.signature is not None for thought in thinking):
        return {}
    return {"thinking_blocks": [thinking_block(thought) for thought in thinking]}


def _thoughts(thinking: Sequence[Thinking]) -> dict[str, Any]:
    """Thoughts, which OpenAI's own API never shows: what can be read in one text, and what is sealed apart."""
    text = "".join(thought.text for thought in thinking if not thought.redacted)
    return ({"reasoning_content": text} if text else {}) | sealed(thinking)


def _older(message: dict[str, Any]) -> dict[str, Any]:
    """The call in OpenAI's older spelling, which has room for one; more than one stay beside it as `tool_calls`."""
    calls = message["tool_calls"]
    if len(calls) == 1:
        del message["tool_calls"]
    return {"function_call": calls[0]["function"]}


def _logprob(token: TopLogprob) -> dict[str, Any]:
    raw = None if token.bytes is None else list(token.bytes)
    return {"token": token.token, "logprob": token.logprob, "bytes": raw}
