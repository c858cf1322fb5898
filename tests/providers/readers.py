"""Wire bodies of each format read back into what they say, independently of the adapters that wrote them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from tests.providers.gemini_reader import read_gemini
from tests.providers.said import Said

from prysm.core.chat import Message, Sampling
from prysm.core.content import AudioPart, FilePart, ImagePart, TextPart, Thinking, ToolCall
from prysm.core.tools import NamedTool, ResponseFormat, Tool, Toolbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from prysm.core.content import Part
    from prysm.core.tools import ToolChoice

JSON_ONLY = "Answer with one JSON object and nothing else."


# -- OpenAI.


def read_openai(body: dict[str, Any]) -> Said:
    """A chat-completions request."""
    names = ("temperature", "top_p", "max_tokens", "seed", "frequency_penalty", "presence_penalty", "user")
    known: dict[str, Any] = {name: body.get(name) for name in (*names, "top_logprobs")}
    expected = {"model", "messages", "tools", "tool_choice", "parallel_tool_calls", "response_format", *known}
    expected |= {"stop", "logprobs", "reasoning_effort"}
    own = {name: value for name, value in body.items() if name not in expected}
    sampling = Sampling(
        **known,
        stop=tuple(body.get("stop", ())),
        logprobs=body.get("logprobs", False),
        effort=body.get("reasoning_effort"),
        own=own or None,
    )
    return Said(tuple(map(_openai_message, body["messages"])), sampling, _openai_box(body), _openai_format(body))


def _openai_message(form: dict[str, Any]) -> Message:
    content = form["content"]
    parts = tuple(map(_openai_part, content)) if isinstance(content, list) else (TextPart(content or ""),)
    first, failed = next(iter(parts), None), False
    if form["role"] == "tool" and isinstance(first, TextPart) and first.text.startswith("Error: "):
        parts, failed = (TextPart(first.text.removeprefix("Error: ")), *parts[1:]), True
    return Message(
        form["role"],
        parts,
        tuple(map(_openai_call, form.get("tool_calls", ()))),
        tool_call_id=form.get("tool_call_id"),
        name=None if form["role"] == "tool" else form.get("name"),
        thinking=(Thinking(form["reasoning_content"]),) if "reasoning_content" in form else (),
        failed=failed,
    )


def _openai_part(form: dict[str, Any]) -> Part:
    match form["type"]:
        case "text":
            return TextPart(form["text"])
        case "image_url":
            url, detail = form["image_url"]["url"], form["image_url"].get("detail")
            if not url.startswith("data:"):
                return ImagePart(url=url, detail=detail)
            return ImagePart(**_from_data_url(url), detail=detail)
        case "input_audio":
            return AudioPart(**form["input_audio"])
    file = form["file"]
    inline = _from_data_url(file["file_data"]) if "file_data" in file else {}
    return FilePart(file_id=file.get("file_id"), filename=file.get("filename"), **inline)


def _from_data_url(url: str) -> dict[str, Any]:
    media_type, data = url.removeprefix("data:").split(";base64,")
    return {"media_type": media_type, "data": data}


def _openai_call(form: dict[str, Any]) -> ToolCall:
    seal = form.get("extra_content", {}).get("google", {}).get("thought_signature")
    if form["type"] == "custom":
        return ToolCall(form["id"], form["custom"]["name"], form["custom"]["input"], custom=True, signature=seal)
    return ToolCall(form["id"], form["function"]["name"], form["function"]["arguments"], signature=seal)


def _openai_box(body: dict[str, Any]) -> Toolbox | None:
    if "tools" not in body:
        return None
    tools = tuple(Tool(**form[form["type"]], custom=form["type"] == "custom") for form in body["tools"])
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        choice = NamedTool(choice[choice["type"]]["name"])
    return Toolbox(tools, choice, body.get("parallel_tool_calls"))


def _openai_format(body: dict[str, Any]) -> ResponseFormat | None:
    form = body.get("response_format")
    return None if form is None else ResponseFormat(form["type"], **form.get("json_schema", {}))


# -- Anthropic.


def read_anthropic(body: dict[str, Any]) -> Said:
    """A Messages request."""
    system = body.get("system", "")
    text = system if isinstance(system, str) else "".join(block["text"] for block in system)
    wanted = _anthropic_format(body.get("output_config", {}).get("format"))
    if text.endswith(JSON_ONLY):
        text, wanted = text.removesuffix(JSON_ONLY).removesuffix("\n\n"), ResponseFormat("json_object")
    messages = [m for turn in body["messages"] for m in _anthropic_turn(turn["role"], turn["content"])]
    return Said((Message("system", text), *messages), _anthropic_sampling(body), _anthropic_box(body), wanted)


def _anthropic_sampling(body: dict[str, Any]) -> Sampling:
    thinking = body.get("thinking", {"type": None})
    effort = body.get("output_config", {}).get("effort")
    assert (thinking["type"] == "adaptive") is (
        effort is not None and thinking["type"] not in {"enabled", "disabled"}
    )
    known: dict[str, Any] = {name: body.get(name) for name in ("temperature", "top_p", "top_k", "max_tokens")}
    return Sampling(
        **known,
        stop=tuple(body.get("stop_sequences", ())),
        effort=effort,
        thinking_tokens={"disabled": 0}.get(thinking["type"], thinking.get("budget_tokens")),
        user=body.get("metadata", {}).get("user_id"),
    )


def _anthropic_turn(role: Any, content: str | list[dict[str, Any]]) -> list[Message]:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    results = [
        Message(
            "tool",
            _anthropic_parts(block.get("content", "")),
            tool_call_id=block["tool_use_id"],
            failed=bool(block.get("is_error")),
        )
        for block in blocks
        if block["type"] == "tool_result"
    ]
    calls = tuple(
        ToolCall(block["id"], block["name"], json.dumps(block["input"]))
        for block in blocks
        if block["type"] == "tool_use"
    )
    thinking = tuple(_anthropic_thought(block) for block in blocks if block["type"].endswith("thinking"))
    return [*results, Message(role, _anthropic_parts(content), calls, thinking=thinking)]


def _anthropic_thought(block: dict[str, Any]) -> Thinking:
    if block["type"] == "redacted_thinking":
        return Thinking(block["data"], redacted=True)
    return Thinking(block["thinking"], block["signature"])


def _anthropic_parts(content: str | list[dict[str, Any]]) -> tuple[Part, ...]:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return tuple(_anthropic_part(block) for block in blocks if block["type"] in {"text", "image", "document"})


def _anthropic_part(block: dict[str, Any]) -> Part:
    if block["type"] == "text":
        return TextPart(block["text"])
    fields = dict(block["source"])
    match fields.pop("type"):
        case "text":
            fields["data"] = base64.b64encode(fields["data"].encode()).decode()
    return ImagePart(**fields) if block["type"] == "image" else FilePart(**fields, filename=block.get("title"))


def _anthropic_box(body: dict[str, Any]) -> Toolbox | None:
    if "tools" not in body:
        return None
    tools = tuple(
        Tool(form["name"], form.get("description"), form["input_schema"], form.get("strict"))
        for form in body["tools"]
    )
    form = body.get("tool_choice", {"type": "auto"})
    choices: dict[str, ToolChoice] = {"auto": "auto", "none": "none", "any": "required"}
    choice = NamedTool(form["name"]) if form["type"] == "tool" else choices[form["type"]]
    return Toolbox(
        tools, choice, not form["disable_parallel_tool_use"] if "disable_parallel_tool_use" in form else None
    )


def _anthropic_format(form: dict[str, Any] | None) -> ResponseFormat | None:
    return None if form is None else ResponseFormat("json_schema", schema=form["schema"])


READERS: dict[str, Callable[[dict[str, Any]], Said]] = {
    "openai": read_openai,
    "anthropic": read_anthropic,
    "gemini": read_gemini,
}
