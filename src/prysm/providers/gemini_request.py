"""A call as a generateContent request. https://ai.google.dev/api/generate-content."""

from __future__ import annotations

from itertools import groupby
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from prysm.core.content import AudioPart, FilePart, ImagePart, TextPart
from prysm.core.tools import NamedTool
from prysm.providers.failures import Unusable
from prysm.registry.thoughts import without_foreign
from prysm.registry.wire_limits import inexpressible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.core.chat import Message, ModelCall, Sampling
    from prysm.core.content import Part, ToolCall
    from prysm.core.tools import ResponseFormat, Tool, Toolbox

SYSTEM_ROLES = frozenset({"system", "developer"})
MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
UNSEALED = "skip_thought_signature_validator"
"""What Google has one write for the seal of a call that another model made, which Gemini 3 and later ask for:
https://ai.google.dev/gemini-api/docs/thought-signatures."""
BEFORE_SEALS = ("gemini-1", "gemini-2", "gemma")
MEDIA_TYPES = {
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".webp": "image/webp",
}


def request(call: ModelCall) -> dict[str, Any]:
    """Write the body of a call; raise `Unusable` for what the format cannot say."""
    if (field := inexpressible("gemini", call)) is not None:
        raise Unusable("rejected", f"has no way to say {field}; leave it out or choose another model")
    body: dict[str, Any] = {"contents": _contents(call)}
    if system := [{"text": m.text} for m in call.messages if m.role in SYSTEM_ROLES and m.text]:
        body["systemInstruction"] = {"parts": system}
    if call.toolbox is not None and call.toolbox.tools:
        body["tools"] = [{"functionDeclarations": [_declaration(tool) for tool in call.toolbox.tools]}]
        if (calling := _calling(call.toolbox)) is not None:
            body["toolConfig"] = {"functionCallingConfig": calling}
    if config := _config(call):
        body["generationConfig"] = config
    return body


def _config(call: ModelCall) -> dict[str, Any]:
    sampling = call.sampling
    # Always asked of a model that can tell them: they cost no tokens, and confidence can be calibrated by them.
    logprobs = sampling.logprobs or "logprobs" in call.model.capabilities
    return _given(
        {
            "temperature": sampling.temperature,
            "topP": sampling.top_p,
            "topK": sampling.top_k,
            "maxOutputTokens": sampling.max_tokens,
            "stopSequences": list(sampling.stop) or None,
            "seed": sampling.seed,
            "frequencyPenalty": sampling.frequency_penalty,
            "presencePenalty": sampling.presence_penalty,
            "responseLogprobs": logprobs or None,
            "logprobs": sampling.top_logprobs,
            "thinkingConfig": _thinking(sampling),
            **_format(call.response_format),
        }
    )


def _thinking(sampling: Sampling) -> dict[str, Any] | None:
    """How much to think; who asks for thoughts is shown them."""
    if sampling.thinking_tokens == 0 or sampling.effort == "none":
        return {"thinkingBudget": 0}
    if sampling.thinking_tokens is not None:
        return {"thinkingBudget": sampling.thinking_tokens, "includeThoughts": True}
    if sampling.effort is not None:
        return {"thinkingLevel": sampling.effort.upper(), "includeThoughts": True}
    return None


def _format(wanted: ResponseFormat | None) -> dict[str, Any]:
    if wanted is None:
        return {}
    schema = wanted.schema
    if schema is not None and wanted.description is not None and "description" not in schema:
        schema = {"description": wanted.description, **schema}
    return {"responseMimeType": "application/json", "responseJsonSchema": schema}


def _declaration(tool: Tool) -> dict[str, Any]:
    return _given(
        {"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.parameters or None}
    )


def _calling(box: Toolbox) -> dict[str, Any] | None:
    """The mode of calling. A strict tool asks for arguments that fit their schema, which ANY grants by itself."""
    if isinstance(box.choice, NamedTool):
        return {"mode": "ANY", "allowedFunctionNames": [box.choice.name]}
    if box.choice in {None, "auto"} and any(tool.strict for tool in box.tools):
        return {"mode": "VALIDATED"}
    return None if box.choice is None else {"mode": MODES[box.choice]}


def _contents(call: ModelCall) -> list[dict[str, Any]]:
    """The turns. The results of one step stand together and alone behind the calls that they answer."""
    names = {made.id: made.name for message in call.messages for made in message.tool_calls}
    said = without_foreign("gemini", call.messages)
    spoken = [message for message in said if message.role not in SYSTEM_ROLES]
    sealed = not call.model.upstream.startswith(BEFORE_SEALS)
    contents: list[dict[str, Any]] = []
    for answers, stretch in groupby(spoken, lambda message: message.role == "assistant"):
        group = sorted(stretch, key=lambda message: message.role != "tool")
        for _, turn in groupby(group, lambda message: message.role):
            parts = [part for message in turn for part in _parts(message, names)]
            if answers and sealed:
                _seal(parts)
            if parts:
                contents.append({"role": "model" if answers else "user", "parts": parts})
    return contents


def _seal(parts: list[dict[str, Any]]) -> None:
    """Mark the first call of a step as another model's, when it has no seal of Gemini's."""
    first = next((part for part in parts if "functionCall" in part), None)
    if first is not None:
        first.setdefault("thoughtSignature", UNSEALED)


def _parts(message: Message, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The parts of one message; thoughts come before what they led to, and no text is empty."""
    if message.role == "tool":
        return [_result(message, names)]
    content = (TextPart(message.content),) if isinstance(message.content, str) else message.content
    parts: list[dict[str, Any]] = [{"text": thought.text, "thought": True} for thought in message.thinking]
    parts += [form for part in content for form in _part(part)]
    parts += [_function_call(call) for call in message.tool_calls]
    return parts


def _part(part: Part) -> list[dict[str, Any]]:
    match part:
        case TextPart():
            return [{"text": part.text}] if part.text else []
        case AudioPart():
            return [{"inlineData": {"mimeType": f"audio/{part.format}", "data": part.data}}]
        case ImagePart():
            return [_media(part)]
        case FilePart():  # no field has its name, by which the conversation may call it
            return [*([{"text": f"File: {part.filename}"}] if part.filename else []), _media(part)]


def _media(part: ImagePart | FilePart) -> dict[str, Any]:
    if part.url is None:
        return {"inlineData": {"mimeType": part.media_type, "data": part.data}}
    kind = part.media_type or MEDIA_TYPES.get(PurePosixPath(urlsplit(part.url).path).suffix.lower())
    return {"fileData": _given({"mimeType": kind, "fileUri": part.url})}


def _function_call(call: ToolCall) -> dict[str, Any]:
    """A tool call, its arguments byte for byte as the model wrote them."""
    made = {"id": call.id, "name": call.name, "args": orjson.Fragment(call.arguments or "{}")}
    return {"functionCall": made} | ({} if call.signature is None else {"thoughtSignature": call.signature})


def _result(message: Message, names: Mapping[str, str]) -> dict[str, Any]:
    """A tool's answer: its text under the key that tells success from failure, media beside it."""
    result: dict[str, Any] = {
        "id": message.tool_call_id,
        "name": names.get(message.tool_call_id or "", message.name),
        "response": {"error" if message.failed else "output": message.text},
    }
    if not isinstance(message.content, str):
        media = [_media(part) for part in message.content if isinstance(part, ImagePart | FilePart)]
        result |= {"parts": media} if media else {}
    return {"functionResponse": result}


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
