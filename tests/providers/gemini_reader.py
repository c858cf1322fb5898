"""Bodies of the Gemini format read back into what they say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.providers.said import Said

from prysm.core.chat import Message, Sampling
from prysm.core.content import AudioPart, FilePart, ImagePart, TextPart, Thinking, ToolCall
from prysm.core.tools import NamedTool, ResponseFormat, Tool, Toolbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prysm.core.content import Part
    from prysm.core.tools import ToolChoice

UNSEALED = "skip_thought_signature_validator"


def read_gemini(body: dict[str, Any]) -> Said:
    """A generateContent request."""
    system = [Message("system", part["text"]) for part in body.get("systemInstruction", {}).get("parts", ())]
    turns = [m for content in body["contents"] for m in _gemini_turn(content)]
    config = body.get("generationConfig", {})
    return Said((*system, *turns), _gemini_sampling(config), _gemini_box(body), _gemini_format(config))


def _gemini_sampling(config: dict[str, Any]) -> Sampling:
    thinking = config.get("thinkingConfig", {})
    level, budget = thinking.get("thinkingLevel"), thinking.get("thinkingBudget")
    assert thinking.get("includeThoughts", False) is bool(level or budget)
    return Sampling(
        temperature=config.get("temperature"),
        top_p=config.get("topP"),
        top_k=config.get("topK"),
        max_tokens=config.get("maxOutputTokens"),
        stop=tuple(config.get("stopSequences", ())),
        seed=config.get("seed"),
        frequency_penalty=config.get("frequencyPenalty"),
        presence_penalty=config.get("presencePenalty"),
        logprobs=config.get("responseLogprobs", False),
        top_logprobs=config.get("logprobs"),
        effort=None if level is None else level.lower(),
        thinking_tokens=budget,
    )


def _gemini_turn(content: dict[str, Any]) -> list[Message]:
    parts = content["parts"]
    results = [_gemini_result(part["functionResponse"]) for part in parts if "functionResponse" in part]
    thinking = tuple(Thinking(part["text"]) for part in parts if part.get("thought"))
    calls = tuple(_gemini_call(part) for part in parts if "functionCall" in part)
    role: Any = "assistant" if content["role"] == "model" else "user"
    return [*results, Message(role, tuple(_gemini_parts(parts)), calls, thinking=thinking)]


def _gemini_result(form: dict[str, Any]) -> Message:
    (key, text), *none = form["response"].items()
    assert not none
    media = tuple(_gemini_media(part, None) for part in form.get("parts", ()))
    return Message(
        "tool", (TextPart(text), *media), tool_call_id=form["id"], failed={"error": True, "output": False}[key]
    )


def _gemini_call(part: dict[str, Any]) -> ToolCall:
    form, seal = part["functionCall"], part.get("thoughtSignature")
    signature = None if seal == UNSEALED else seal
    return ToolCall(form["id"], form["name"], json.dumps(form["args"]), signature=signature)


def _gemini_parts(parts: Sequence[dict[str, Any]]) -> Iterable[Part]:
    for before, part, behind in zip([{}, *parts], parts, [*parts[1:], {"text": ""}], strict=False):
        names_a_file = part.get("text", "").startswith("File: ") and "text" not in behind
        if "text" in part and not part.get("thought") and not names_a_file:
            yield TextPart(part["text"])
        elif "inlineData" in part or "fileData" in part:
            text = before.get("text", "")
            yield _gemini_media(part, text.removeprefix("File: ") if text.startswith("File: ") else None)


def _gemini_media(part: dict[str, Any], filename: str | None) -> Part:
    inline, kept = part.get("inlineData", {}), part.get("fileData", {})
    media_type, data, url = (inline or kept).get("mimeType"), inline.get("data"), kept.get("fileUri")
    if data and media_type.startswith("audio/"):
        return AudioPart(data, media_type.removeprefix("audio/"))
    if media_type and media_type.startswith("image/"):
        return ImagePart(url=url, data=data, media_type=media_type)
    return FilePart(url=url, data=data, media_type=media_type, filename=filename)


def _gemini_box(body: dict[str, Any]) -> Toolbox | None:
    if "tools" not in body:
        return None
    tools = tuple(
        Tool(form["name"], form.get("description"), form.get("parametersJsonSchema"))
        for form in body["tools"][0]["functionDeclarations"]
    )
    form = body.get("toolConfig", {}).get("functionCallingConfig", {"mode": "AUTO"})
    if "allowedFunctionNames" in form:
        return Toolbox(tools, NamedTool(form["allowedFunctionNames"][0]))
    choices: dict[str, ToolChoice] = {"AUTO": "auto", "VALIDATED": "auto", "NONE": "none", "ANY": "required"}
    return Toolbox(tools, choices[form["mode"]])


def _gemini_format(config: dict[str, Any]) -> ResponseFormat | None:
    if "responseMimeType" not in config:
        return None
    schema = config.get("responseJsonSchema")
    return ResponseFormat("json_object" if schema is None else "json_schema", schema=schema)
