"""What a request says, whatever its format, and its normal form.

What one format writes differently from another is brought to one form by `normal`:

- system and developer messages are one, at the top, with blank lines between;
- between two answers, tool results come first, in order, then all that the user said, as one message;
- answers in a row are one; thoughts in the open are one; texts side by side are one, empty ones are none;
- the arguments of a call are compared as JSON, and a tool's answer has its media behind its text;
- `name` of a tool's answer (its id says it), `detail: auto`, the media type of an address, cache hints, the name of a
  schema and `strict` are left out, as are `parallel: true` and the choice `auto`, which are the default;
- no effort is a budget of 0 for thoughts, and a schema's description stands in the schema.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from prysm.core.chat import Message, Sampling
from prysm.core.content import FilePart, ImagePart, TextPart, Thinking, ToolCall
from prysm.core.tools import ResponseFormat, Toolbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prysm.core.chat import ModelCall
    from prysm.core.content import Part


@dataclass(frozen=True)
class Said:
    """All that a request says, whatever its format."""

    messages: tuple[Message, ...]
    sampling: Sampling
    toolbox: Toolbox | None = None
    response_format: ResponseFormat | None = None


def said(call: ModelCall) -> Said:
    """What a call says."""
    return Said(call.messages, call.sampling, call.toolbox, call.response_format)


def normal(it: Said) -> Said:
    """The normal form of a request."""
    sampling = replace(it.sampling, own=dict(it.sampling.own) if it.sampling.own else None)
    if sampling.effort == "none":
        sampling = replace(sampling, effort=None, thinking_tokens=0)
    return Said(_messages(it.messages), sampling, _toolbox(it.toolbox), _format(it.response_format))


def numbered(it: Said) -> Said:
    """The same with the ids of its calls by number: where a format takes only some, others are written anew."""
    numbers: dict[str | None, str] = {}
    for message in it.messages:
        for call in message.tool_calls:
            numbers.setdefault(call.id, f"call {len(numbers)}")
    messages = [
        replace(
            message,
            tool_calls=tuple(replace(call, id=numbers[call.id]) for call in message.tool_calls),
            tool_call_id=numbers.get(message.tool_call_id, message.tool_call_id),
        )
        for message in it.messages
    ]
    return replace(it, messages=tuple(messages))


def _messages(messages: Sequence[Message]) -> tuple[Message, ...]:
    system = "\n\n".join(m.text for m in messages if m.role in {"system", "developer"} and m.text)
    out = [Message("system", (TextPart(system),))] if system else []
    spoken = [m for m in messages if m.role not in {"system", "developer"}]
    for answers, stretch in groupby(spoken, lambda m: m.role == "assistant"):
        group = list(stretch)
        if not answers:
            out += [_result(m) for m in group if m.role == "tool"]
            group = [m for m in group if m.role == "user"]
        merged = _merged(group)
        out += [] if merged is None else [merged]
    return tuple(out)


def _merged(group: Sequence[Message]) -> Message | None:
    content = _joined(part for m in group for part in _parts_of(m))
    calls = tuple(_call(call) for m in group for call in m.tool_calls)
    thinking = _thoughts([thought for m in group for thought in m.thinking])
    name = group[0].name if group else None
    return (
        Message(group[0].role, content, calls, name=name, thinking=thinking)
        if content or calls or thinking
        else None
    )


def _result(message: Message) -> Message:
    parts = sorted(_parts_of(message), key=lambda part: not isinstance(part, TextPart))
    return Message("tool", _joined(parts), tool_call_id=message.tool_call_id, failed=message.failed)


def _parts_of(message: Message) -> tuple[Part, ...]:
    return (TextPart(message.content),) if isinstance(message.content, str) else message.content


def _joined(parts: Iterable[Part]) -> tuple[Part, ...]:
    out: list[Part] = []
    for part in map(_plain, parts):
        if isinstance(part, TextPart) and out and isinstance(out[-1], TextPart):
            out[-1] = TextPart(out[-1].text + part.text)
        elif not isinstance(part, TextPart) or part.text:
            out.append(part)
    return tuple(out)


def _plain(part: Part) -> Part:
    match part:
        case TextPart():
            return TextPart(part.text)
        case ImagePart():
            detail = None if part.detail == "auto" else part.detail
            return replace(part, detail=detail, cache=None, media_type=None if part.url else part.media_type)
        case FilePart():
            return replace(part, cache=None, media_type=None if part.data is None else part.media_type)
    return part


def _call(call: ToolCall) -> ToolCall:
    return call if call.custom else replace(call, arguments=canonical(call.arguments or "{}"))


def canonical(text: str) -> str:
    """JSON text with its keys in order."""
    return json.dumps(json.loads(text), sort_keys=True)


def _thoughts(thinking: Sequence[Thinking]) -> tuple[Thinking, ...]:
    out: list[Thinking] = []
    for sealed, group in groupby(thinking, lambda thought: thought.signature is not None or thought.redacted):
        listed = list(group)
        out += listed if sealed else [Thinking("".join(thought.text for thought in listed))]
    return tuple(thought for thought in out if thought.text or thought.signature)


def _toolbox(box: Toolbox | None) -> Toolbox | None:
    if box is None or not box.tools:
        return None
    tools = tuple(replace(tool, cache=None, strict=None, parameters=_schema(tool.parameters)) for tool in box.tools)
    return Toolbox(tools, None if box.choice == "auto" else box.choice, False if box.parallel is False else None)


def _schema(parameters: Mapping[str, Any] | None) -> dict[str, Any] | None:
    whole = {"type": "object", "properties": {}, **(parameters or {})}
    return None if whole == {"type": "object", "properties": {}} else whole


def _format(wanted: ResponseFormat | None) -> ResponseFormat | None:
    if wanted is None:
        return None
    schema = None if wanted.schema is None else dict(wanted.schema)
    if schema is not None and wanted.description is not None:
        schema.setdefault("description", wanted.description)
    return ResponseFormat("json_object" if schema is None else "json_schema", schema=schema)
