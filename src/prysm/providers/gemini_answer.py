"""What an answer in the Gemini generateContent format says. https://ai.google.dev/api/generate-content."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import orjson

from prysm.core.chat import Completion, Usage
from prysm.core.content import Thinking, ToolCall
from prysm.providers.failures import Unusable, check_error
from prysm.providers.fields import count, label, mapping, optional, sequence, string
from prysm.providers.logprobs import whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prysm.core.chat import FinishReason, TokenLogprob

FINISH: Mapping[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
}
BROKEN: Mapping[str, str] = {
    "MALFORMED_FUNCTION_CALL": "wrote a tool call that is not one",
    "UNEXPECTED_TOOL_CALL": "called a tool that it was not offered",
    "TOO_MANY_TOOL_CALLS": "called tools without end",
    "MALFORMED_RESPONSE": "wrote an answer that cannot be read",
    "MISSING_THOUGHT_SIGNATURE": "misses the thought signature of an earlier tool call",
}


def check(data: dict[str, Any]) -> None:
    """Raise `Unusable` for an error in place of an answer, or a prompt that was blocked."""
    check_error(data)
    if optional(data.get("promptFeedback")).get("blockReason"):
        raise Unusable("content_filter", "blocked the prompt; rephrase it or choose another model")


def candidate(data: dict[str, Any]) -> dict[str, Any]:
    """Return the one answer that we ask for."""
    candidates = sequence(data.get("candidates"), "candidates")
    return mapping(candidates[0] if candidates else None, "candidates")


def pieces(
    answer: dict[str, Any], calls_before: int, response: dict[str, Any]
) -> Iterator[str | Thinking | ToolCall]:
    """The texts, thoughts and tool calls of a candidate, in order; a stopped answer may have none.

    A seal on a text is left: Google asks for those on calls alone to be sent back.
    Calls that come without an id get one: of the response and their place in it, `calls_before` being done already.
    """
    parts = optional(answer.get("content")).get("parts")
    made = calls_before
    for item in sequence([] if parts is None else parts, "parts"):
        part = mapping(item, "parts")
        if "functionCall" in part:
            yield _tool_call(part, made, response)
            made += 1
        elif "text" in part:
            text = string(part["text"], "text")
            yield Thinking(text) if part.get("thought") else text


def _tool_call(part: dict[str, Any], index: int, response: dict[str, Any]) -> ToolCall:
    call = mapping(part["functionCall"], "functionCall")
    seal, args = part.get("thoughtSignature"), call.get("args")
    return ToolCall(
        id=label(call.get("id")) or f"call_{label(response.get('responseId')) or uuid.uuid4().hex}_{index}",
        name=string(call.get("name"), "name"),
        arguments=orjson.dumps(mapping({} if args is None else args, "args")).decode(),
        signature=None if seal is None else string(seal, "thoughtSignature"),
    )


def assemble(
    data: dict[str, Any],
    reason: object,
    *,
    text: str,
    thoughts: str,
    calls: Sequence[ToolCall],
    logprobs: Sequence[TokenLogprob | None],
) -> Completion:
    """Put an answer together; `data` is the response that names the model and the usage."""
    return Completion(
        text=text,
        finish_reason=finish(reason, calls),
        usage=usage(optional(data.get("usageMetadata"))),
        served_model=label(data.get("modelVersion")),
        provider_request_id=label(data.get("responseId")),
        tool_calls=tuple(calls),
        thinking=(Thinking(thoughts),) if thoughts else (),
        logprobs=whole(logprobs),
    )


def finish(reason: object, calls: Sequence[ToolCall]) -> FinishReason:
    """Map a finish reason; the format has none of its own for tool calls."""
    if isinstance(reason, str) and reason in FINISH:
        return "tool_calls" if calls and reason == "STOP" else FINISH[reason]
    why = BROKEN.get(reason) if isinstance(reason, str) else None
    raise Unusable("no_answer", f"{why or 'ended its answer for no reason that we know'}; try another model")


def usage(block: dict[str, Any]) -> Usage:
    """Read token counts, zeros left out by Google. Thoughts and tool use count beside the rest there, here inside."""
    prompt, total = count(block.get("promptTokenCount")), count(block.get("totalTokenCount"))
    visible, thoughts = count(block.get("candidatesTokenCount")), count(block.get("thoughtsTokenCount"))
    if prompt is not None:
        prompt += count(block.get("toolUsePromptTokenCount")) or 0
    if visible is not None:
        completion: int | None = visible + (thoughts or 0)
    else:
        completion = None if prompt is None or total is None else max(0, total - prompt)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=count(block.get("cachedContentTokenCount")),
        reasoning_tokens=thoughts,
        audio_prompt_tokens=_fresh_audio(block),
        audio_completion_tokens=_audio(block.get("candidatesTokensDetails")),
    )


def _fresh_audio(block: dict[str, Any]) -> int | None:
    """Sound in the prompt, without what the cache had of it: that is priced as cached."""
    heard = _audio(block.get("promptTokensDetails"))
    if heard is None:
        return None
    heard += _audio(block.get("toolUsePromptTokensDetails")) or 0
    return max(0, heard - (_audio(block.get("cacheTokensDetails")) or 0))


def _audio(details: object) -> int | None:
    """Sum up the tokens of sound in a breakdown by modality; none given is unknown."""
    if not isinstance(details, list):
        return None
    sound = (entry for entry in map(optional, details) if entry.get("modality") == "AUDIO")
    return sum(count(entry.get("tokenCount")) or 0 for entry in sound)
