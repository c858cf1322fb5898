"""Answers as providers of each format write them: whole, and as the events of a stream."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from tests.providers.formats import event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prysm.core.chat import Completion, TokenLogprob, Usage
    from prysm.core.content import Thinking, ToolCall

OPENAI_FINISH = {name: name for name in ("stop", "length", "tool_calls", "content_filter")}
ANTHROPIC_FINISH = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
GEMINI_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "content_filter": "SAFETY"}


class Rendered(NamedTuple):
    """One answer in both its forms."""

    whole: bytes
    stream: bytes


def cut(text: str) -> list[str]:
    """A text as a stream would bring it."""
    return [text[i : i + 3] for i in range(0, len(text), 3)]


def given(**fields: Any) -> dict[str, Any]:
    """The fields that are known."""
    return {name: value for name, value in fields.items() if value is not None}


# -- OpenAI.


def openai(done: Completion) -> Rendered:
    """A `chat.completion`, or its chunks."""
    meta = given(id=done.provider_request_id, model=done.served_model, system_fingerprint=done.system_fingerprint)
    usage = _openai_usage(done.usage)
    reason = OPENAI_FINISH[done.finish_reason]
    message = {
        "role": "assistant",
        "content": None if done.refused else done.text or None,
        "refusal": done.text if done.refused else None,
        "reasoning_content": "".join(thought.text for thought in done.thinking) or None,
        "tool_calls": [_openai_call(call) for call in done.tool_calls] or None,
    }
    logprobs = None if done.logprobs is None else {"content": [_openai_token(token) for token in done.logprobs]}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": reason, "logprobs": logprobs}
    deltas: list[dict[str, Any]] = [{"delta": delta} for delta in _openai_deltas(done)]
    if done.logprobs is not None:
        deltas.append({"delta": {"content": ""}, "logprobs": logprobs or {}})
    choices: list[list[dict[str, Any]]] = [[{"index": 0, **delta, "finish_reason": None}] for delta in deltas]
    choices.append([{"index": 0, "delta": {}, "finish_reason": reason}])
    events = [event({**meta, "choices": each}) for each in choices] + [
        event({**meta, "choices": [], "usage": usage})
    ]
    whole = orjson.dumps({**meta, "choices": [choice], "usage": usage})
    return Rendered(whole, b"".join(events) + b"data: [DONE]\n\n")


def _openai_deltas(done: Completion) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": ""}
    yield from ({"reasoning_content": piece} for thought in done.thinking for piece in cut(thought.text))
    yield from ({"refusal" if done.refused else "content": piece} for piece in cut(done.text))
    for i, call in enumerate(done.tool_calls):
        form = _openai_call(call)
        function = form.pop("function")
        yield {"tool_calls": [{**form, "index": i, "function": function | {"arguments": ""}}]}
        for piece in cut(call.arguments):
            yield {"tool_calls": [{"index": i, "function": {"arguments": piece}}]}


def _openai_call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _openai_token(token: TokenLogprob) -> dict[str, Any]:
    form = asdict(token)
    form["top_logprobs"] = form.pop("top")
    return form


def _openai_usage(usage: Usage) -> dict[str, Any]:
    inputs = given(
        cached_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        audio_tokens=usage.audio_prompt_tokens,
    )
    outputs = given(reasoning_tokens=usage.reasoning_tokens, audio_tokens=usage.audio_completion_tokens)
    return given(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        prompt_tokens_details=inputs,
        completion_tokens_details=outputs,
    )


# -- Anthropic.


def anthropic(done: Completion) -> Rendered:
    """A `message`, or its events."""
    meta = given(id=done.provider_request_id, type="message", role="assistant", model=done.served_model)
    reason = "stop_sequence" if done.stop_sequence else ANTHROPIC_FINISH[done.finish_reason]
    end = given(stop_reason=reason, stop_sequence=done.stop_sequence)
    if done.refused:
        end["stop_details"] = {"type": "refusal", "category": None, "explanation": done.text}
    blocks = [_thought(thought) for thought in done.thinking]
    if done.text and not done.refused:
        blocks.append({"type": "text", "text": done.text})
    blocks += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": orjson.loads(call.arguments)}
        for call in done.tool_calls
    ]
    usage = _anthropic_usage(done.usage)
    events = [_typed("message_start", message={**meta, "content": [], "usage": usage | {"output_tokens": 1}})]
    for i, block in enumerate(blocks):
        events += [_typed(kind, index=i, **rest) for kind, rest in _anthropic_block(block)]
    counted = {
        "output_tokens": usage.get("output_tokens"),
        "output_tokens_details": usage.get("output_tokens_details"),
    }
    events += [_typed("ping"), _typed("message_delta", delta=end, usage=counted), _typed("message_stop")]
    return Rendered(orjson.dumps({**meta, "content": blocks, **end, "usage": usage}), b"".join(events))


def _typed(kind: str, **rest: Any) -> bytes:
    return event({"type": kind, **rest}, kind)


def _thought(thought: Thinking) -> dict[str, Any]:
    if thought.redacted:
        return {"type": "redacted_thinking", "data": thought.text}
    return {"type": "thinking", "thinking": thought.text, "signature": thought.signature}


def _anthropic_block(block: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    empty: dict[str, dict[str, Any]] = {
        "thinking": {"thinking": "", "signature": ""},
        "text": {"text": ""},
        "tool_use": {"input": {}},
    }
    yield "content_block_start", {"content_block": {**block, **empty.get(block["type"], {})}}
    yield from (("content_block_delta", {"delta": delta}) for delta in _anthropic_deltas(block))
    yield "content_block_stop", {}


def _anthropic_deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    match block["type"]:
        case "thinking":
            yield from ({"type": "thinking_delta", "thinking": piece} for piece in cut(block["thinking"]))
            yield {"type": "signature_delta", "signature": block["signature"]}
        case "text":
            yield from ({"type": "text_delta", "text": piece} for piece in cut(block["text"]))
        case "tool_use" if block["input"]:
            written = orjson.dumps(block["input"]).decode()
            yield from ({"type": "input_json_delta", "partial_json": piece} for piece in ["", *cut(written)])


def _anthropic_usage(usage: Usage) -> dict[str, Any]:
    prompt = usage.prompt_tokens
    thinking = None if usage.reasoning_tokens is None else {"thinking_tokens": usage.reasoning_tokens}
    return given(
        input_tokens=None
        if prompt is None
        else prompt - (usage.cached_tokens or 0) - (usage.cache_write_tokens or 0),
        cache_read_input_tokens=usage.cached_tokens,
        cache_creation_input_tokens=usage.cache_write_tokens,
        output_tokens=usage.completion_tokens,
        output_tokens_details=thinking,
    )


# -- Gemini.


def gemini(done: Completion) -> Rendered:
    """A `GenerateContentResponse`, or several."""
    meta = given(responseId=done.provider_request_id, modelVersion=done.served_model)
    end = {"usageMetadata": _gemini_usage(done.usage)}
    thoughts: list[dict[str, Any]] = [{"text": thought.text, "thought": True} for thought in done.thinking]
    spoken: list[dict[str, Any]] = [{"text": done.text}] if done.text else []
    called = [_gemini_call(call) for call in done.tool_calls]
    logprobs = {} if done.logprobs is None else {"logprobsResult": _gemini_logprobs(done.logprobs)}
    reason = {"finishReason": GEMINI_FINISH[done.finish_reason]}
    pieces = [{**part, "text": text} for part in [*thoughts, *spoken] for text in cut(part["text"])]
    events = [event({**meta, "candidates": [_content(part)]}) for part in [*pieces, *called]]
    events.append(event({**meta, "candidates": [{**_content(), **reason, **logprobs}], **end}))
    candidate = {**_content(*thoughts, *spoken, *called), **reason, **logprobs}
    return Rendered(orjson.dumps({**meta, "candidates": [candidate], **end}), b"".join(events))


def _content(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"index": 0, "content": {"role": "model", "parts": list(parts)}} if parts else {"index": 0}


def _gemini_call(call: ToolCall) -> dict[str, Any]:
    form = {"functionCall": {"id": call.id, "name": call.name, "args": orjson.loads(call.arguments)}}
    return form | given(thoughtSignature=call.signature)


def _gemini_logprobs(tokens: tuple[TokenLogprob, ...]) -> dict[str, Any]:
    def form(token: Any) -> dict[str, Any]:
        return {"token": token.token, "logProbability": token.logprob}

    return {
        "chosenCandidates": [form(token) for token in tokens],
        "topCandidates": [{"candidates": [form(top) for top in token.top]} for token in tokens],
    }


def _gemini_usage(usage: Usage) -> dict[str, Any]:
    heard, spoken = usage.audio_prompt_tokens, usage.audio_completion_tokens
    done = usage.completion_tokens
    return given(
        promptTokenCount=usage.prompt_tokens,
        candidatesTokenCount=None if done is None else done - (usage.reasoning_tokens or 0),
        thoughtsTokenCount=usage.reasoning_tokens,
        cachedContentTokenCount=usage.cached_tokens,
        promptTokensDetails=None if heard is None else [{"modality": "AUDIO", "tokenCount": heard}],
        candidatesTokensDetails=None if spoken is None else [{"modality": "AUDIO", "tokenCount": spoken}],
    )


RENDERERS: dict[str, Callable[[Completion], Rendered]] = {
    "openai": openai,
    "anthropic": anthropic,
    "gemini": gemini,
}
