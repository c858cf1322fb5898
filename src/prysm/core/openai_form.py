"""Messages as OpenAI's API writes them: what providers of that format are sent, and what receipts commit to.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prysm.core.content import AudioPart, FilePart, ImagePart, TextPart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.chat import Completion, Message
    from prysm.core.content import Part, Thinking, ToolCall

FAILED = "Error: "
BY_MEDIA_TYPE = "data:{};base64,{}"


def message_form(message: Message) -> dict[str, Any]:
    """One turn. Text alone stays a string; the empty text beside tool calls is null.

    Thoughts in the open are `reasoning_content`, as DeepSeek, vLLM and others have it. Sealed ones are
    `thinking_blocks`, as callers send them (LiteLLM's field, Anthropic's blocks): no host of this format takes them.
    """
    content = message.content
    plain = isinstance(content, str) and not message.failed and not message.tool_calls
    form: dict[str, Any] = {"role": message.role, "content": content if plain else content_form(message)}
    if message.name is not None:
        form["name"] = message.name
    if message.thinking:
        form |= _thinking_form(message.thinking)
    if message.tool_calls:
        form["tool_calls"] = [tool_call_form(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        form["tool_call_id"] = message.tool_call_id
    return form


def content_form(message: Message) -> str | list[dict[str, Any]] | None:
    """The `content` of one turn. The format has no field for a tool that failed, so the text says it."""
    content = message.content
    if message.tool_calls and not content:
        return None
    failed = message.failed and not message.text.startswith(FAILED)
    if isinstance(content, str):
        return FAILED + content if failed else content
    return [part_form(part) for part in ((TextPart(FAILED), *content) if failed else content)]


def _thinking_form(thinking: Sequence[Thinking]) -> dict[str, Any]:
    sealed = [thought for thought in thinking if thought.signature is not None or thought.redacted]
    text = "".join(thought.text for thought in thinking if thought not in sealed)
    form: dict[str, Any] = {"reasoning_content": text} if text else {}
    return form | ({"thinking_blocks": [thinking_block(thought) for thought in sealed]} if sealed else {})


def thinking_block(thought: Thinking) -> dict[str, Any]:
    """A sealed or redacted thought, whole."""
    if thought.redacted:
        return {"type": "redacted_thinking", "data": thought.text}
    return {"type": "thinking", "thinking": thought.text, "signature": thought.signature}


def part_form(part: Part) -> dict[str, Any]:
    """One content part."""
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart():
            url = part.url or BY_MEDIA_TYPE.format(part.media_type, part.data)
            detail = {} if part.detail is None else {"detail": part.detail}
            return {"type": "image_url", "image_url": {"url": url} | detail}
        case AudioPart():
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.format}}
        case FilePart():
            return {"type": "file", "file": _file_form(part)}


def _file_form(part: FilePart) -> dict[str, Any]:
    data = None if part.data is None else BY_MEDIA_TYPE.format(part.media_type, part.data)
    fields = {"file_id": part.file_id, "file_url": part.url, "filename": part.filename, "file_data": data}
    return {name: value for name, value in fields.items() if value is not None}


def tool_call_form(call: ToolCall) -> dict[str, Any]:
    """One tool call; a provider's seal on it travels where Google's OpenAI-compatible API has it."""
    kind, text = ("custom", "input") if call.custom else ("function", "arguments")
    form: dict[str, Any] = {"id": call.id, "type": kind, kind: {"name": call.name, text: call.arguments}}
    if call.signature is not None:
        form["extra_content"] = {"google": {"thought_signature": call.signature}}
    return form


def answer_form(done: Completion) -> dict[str, Any]:
    """A model's answer as the message it is."""
    form: dict[str, Any] = {
        "role": "assistant",
        "content": None if done.refused or (not done.text and (done.tool_calls or done.own)) else done.text,
        "refusal": done.text if done.refused else None,
    }
    if done.tool_calls:
        form["tool_calls"] = [tool_call_form(call) for call in done.tool_calls]
    return form
