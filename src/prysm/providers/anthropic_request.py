"""A call as a Messages request. https://docs.anthropic.com/en/api/messages."""

from __future__ import annotations

import base64
import hashlib
import re
from itertools import groupby, takewhile
from typing import TYPE_CHECKING, Any

import orjson

from prysm.core.content import FilePart, ImagePart, TextPart
from prysm.core.tools import NamedTool
from prysm.providers.failures import Unusable
from prysm.registry.thoughts import without_foreign
from prysm.registry.wire_limits import inexpressible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prysm.core.chat import Message, ModelCall, Sampling
    from prysm.core.content import CacheTtl, Part, Thinking, ToolCall
    from prysm.core.tools import ResponseFormat, Tool, Toolbox

DEFAULT_MAX_TOKENS = 4096
MID_SYSTEM = "mid_system"
"""Capability of models that take system messages at their place in the conversation (Claude Opus 4.8 and later)."""
FIXED_SAMPLING = "fixed_sampling"
"""Capability of models that refuse every wish about sampling (Claude Opus 4.7 and later)."""
SYSTEM_ROLES = frozenset({"system", "developer"})
CHOICES = {"auto": "auto", "none": "none", "required": "any"}
CALL_ID = re.compile(r"[a-zA-Z0-9_-]+")
"""Ids of tool calls that the format takes; other providers make others (`functions.weather:0`)."""
ID_CHARS = 32
JSON_ONLY = "Answer with one JSON object and nothing else."
"""For a JSON object of any shape: the format has a field for a schema alone."""


def request(call: ModelCall, *, stream: bool) -> dict[str, Any]:
    """Write the body of a call; raise `Unusable` for what the format cannot say."""
    if (field := inexpressible("anthropic", call)) is not None:
        raise Unusable("rejected", f"has no way to say {field}; leave it out or choose another model")
    sampling = call.sampling
    system, turns = _conversation(call)
    body = {
        "model": call.model.upstream,
        "max_tokens": _limit(call),
        "system": system,
        "messages": turns,
        **_sampling(call),
        "stop_sequences": list(sampling.stop) or None,
        "metadata": None if sampling.user is None else {"user_id": sampling.user},
        "thinking": _thinking(sampling, _limit(call)),
        "output_config": _output(sampling, call.response_format),
        "stream": stream or None,
    }
    if call.toolbox is not None and call.toolbox.tools:
        body |= {"tools": [_tool(tool) for tool in call.toolbox.tools], "tool_choice": _choice(call.toolbox)}
    return _given(body)


def _sampling(call: ModelCall) -> dict[str, Any]:
    """How to sample. Where that is fixed, only wishes of a strategy come here, which can do without: no caller's."""
    if FIXED_SAMPLING in call.model.capabilities:
        return {}
    sampling = call.sampling
    return {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": sampling.top_k}


def _limit(call: ModelCall) -> int:
    """`max_tokens`, which the format demands; thoughts count against it."""
    given = call.sampling.max_tokens or call.model.max_output_tokens
    return given or DEFAULT_MAX_TOKENS + (call.sampling.thinking_tokens or 0)


def _thinking(sampling: Sampling, limit: int) -> dict[str, Any] | None:
    """Whether to think. A budget must be below `max_tokens`, above which no thought could go anyway."""
    shown = {} if sampling.thinking_display is None else {"display": sampling.thinking_display}
    if sampling.thinking_tokens:
        return {"type": "enabled", "budget_tokens": min(sampling.thinking_tokens, limit - 1)} | shown
    if sampling.thinking_tokens == 0 or sampling.effort == "none":
        return {"type": "disabled"}
    return {"type": "adaptive"} | shown if sampling.effort is not None else None


def _output(sampling: Sampling, wanted: ResponseFormat | None) -> dict[str, Any] | None:
    config: dict[str, Any] = {}
    if sampling.effort not in {None, "none"}:
        config["effort"] = sampling.effort
    if wanted is not None and wanted.schema is not None:
        config["format"] = {"type": "json_schema", "schema": described(wanted.schema, wanted.description)}
    return config or None


def described(schema: Mapping[str, Any], description: str | None) -> Mapping[str, Any]:
    """A schema with the description that OpenAI's format has beside it."""
    return schema if description is None or "description" in schema else {"description": description, **schema}


def _tool(tool: Tool) -> dict[str, Any]:
    fields = {
        "name": tool.name,
        "description": tool.description,
        "input_schema": {"type": "object", **(tool.parameters or {"properties": {}})},
        "strict": tool.strict,
    }
    return _given(fields) | _cached(tool.cache)


def _choice(box: Toolbox) -> dict[str, Any] | None:
    if box.choice == "none":
        return {"type": "none"}
    one = {} if box.parallel is None else {"disable_parallel_tool_use": not box.parallel}
    if isinstance(box.choice, NamedTool):
        return {"type": "tool", "name": box.choice.name} | one
    if box.choice is None and not one:
        return None
    return {"type": CHOICES[box.choice or "auto"]} | one


def _conversation(call: ModelCall) -> tuple[str | list[dict[str, Any]] | None, list[dict[str, Any]]]:
    """The system prompt and the turns, which alternate.

    System messages from the middle stay there where the model takes them: behind what was said before the next
    answer, their only lawful place. Other models get them in the system prompt, which keeps their authority.
    """
    messages = without_foreign("anthropic", call.messages)
    system = list(takewhile(lambda message: message.role in SYSTEM_ROLES, messages))
    placed = MID_SYSTEM in call.model.capabilities
    turns: list[dict[str, Any]] = []
    for answers, stretch in groupby(messages[len(system) :], lambda message: message.role == "assistant"):
        group = list(stretch)
        told = [message for message in group if message.role in SYSTEM_ROLES]
        said = [block for message in _results_first(group) for block in _blocks(message)]
        _add(turns, "assistant" if answers else "user", said)
        if placed and told and said:
            turns.append({"role": "system", "content": _texts(told)})
        else:
            system += told
    any_json = call.response_format is not None and call.response_format.schema is None
    prompt = _texts(system, JSON_ONLY if any_json else None)
    return prompt or None, [turn | {"content": _compact(turn["content"])} for turn in turns]


def _results_first(group: Iterable[Message]) -> list[Message]:
    """What was said, tool results before all else: they must follow the calls at once."""
    return sorted((m for m in group if m.role not in SYSTEM_ROLES), key=lambda message: message.role != "tool")


def _add(turns: list[dict[str, Any]], role: str, blocks: list[dict[str, Any]]) -> None:
    """Add a turn, or to the last one when it has the same role; the format takes no empty turn."""
    if blocks and turns and turns[-1]["role"] == role:
        turns[-1]["content"] += blocks
    elif blocks:
        turns.append({"role": role, "content": blocks})


def _compact(content: str | list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Text alone as a string, the format's shorthand."""
    if isinstance(content, str) or len(content) != 1 or content[0].keys() != {"type", "text"}:
        return content
    text: str = content[0]["text"]
    return text


def _texts(messages: Sequence[Message], last: str | None = None) -> str | list[dict[str, Any]]:
    """System messages as one text with blank lines between; as blocks where a cache hint has to stand between."""
    per_message = [list(_parts(message)) for message in messages]
    if last is not None:
        per_message.append([{"type": "text", "text": last}])
    blocks: list[dict[str, Any]] = []
    for parts in per_message:
        for i, part in enumerate(parts):
            gap = "\n\n" if blocks and i == 0 else ""
            blocks.append(part | {"text": gap + part["text"]})
    if any("cache_control" in block for block in blocks):
        return blocks
    return "".join(block["text"] for block in blocks)


def _blocks(message: Message) -> list[dict[str, Any]]:
    """The content of one message; thoughts come before what they led to."""
    if message.role == "tool":
        return [_result(message)]
    blocks = [_thought(thought) for thought in message.thinking]
    blocks += _parts(message, cached=not message.tool_calls)
    blocks += [_tool_use(call) for call in message.tool_calls]
    if message.tool_calls:
        blocks[-1] |= _cached(message.cache)
    return blocks


def _parts(message: Message, *, cached: bool = True) -> list[dict[str, Any]]:
    """The text and media of one message; the format takes no empty text."""
    content = (TextPart(message.content),) if isinstance(message.content, str) else message.content
    parts = [_part(part) for part in content if not isinstance(part, TextPart) or part.text]
    if parts and cached and message.cache is not None:
        parts[-1] |= _cached(message.cache)
    return parts


def _part(part: Part) -> dict[str, Any]:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text} | _cached(part.cache)
        case ImagePart():
            return {"type": "image", "source": _source(part)} | _cached(part.cache)
        case FilePart():
            title = {} if part.filename is None else {"title": part.filename}
            return {"type": "document", "source": _source(part)} | title | _cached(part.cache)
    raise Unusable("rejected", "takes no sound; leave it out or choose another model")


def _source(part: ImagePart | FilePart) -> dict[str, Any]:
    if part.url is not None:
        return {"type": "url", "url": part.url}
    if isinstance(part, FilePart) and part.file_id is not None:
        return {"type": "file", "file_id": part.file_id}
    if part.media_type == "text/plain":
        return {"type": "text", "media_type": part.media_type, "data": _decoded(part.data or "")}
    return {"type": "base64", "media_type": part.media_type, "data": part.data}


def _decoded(data: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except ValueError:
        raise Unusable("rejected", "takes plain text in UTF-8 alone; encode the file anew") from None


def _result(message: Message) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": _call_id(message.tool_call_id or "")}
    if content := _parts(message, cached=False):
        block["content"] = _compact(content)
    if message.failed:
        block["is_error"] = True
    return block | _cached(message.cache)


def _thought(thought: Thinking) -> dict[str, Any]:
    if thought.redacted:
        return {"type": "redacted_thinking", "data": thought.text}
    return {"type": "thinking", "thinking": thought.text, "signature": thought.signature}


def _tool_use(call: ToolCall) -> dict[str, Any]:
    """A tool call, its arguments byte for byte as the model wrote them."""
    written = orjson.Fragment(call.arguments or "{}")
    return {"type": "tool_use", "id": _call_id(call.id), "name": call.name, "input": written}


def _call_id(made: str) -> str:
    """The id of a call as the format takes it, the same for the call and its result; callers never see it."""
    if CALL_ID.fullmatch(made):
        return made
    return f"call_{hashlib.sha256(made.encode(errors='surrogatepass')).hexdigest()[:ID_CHARS]}"


def _cached(ttl: CacheTtl | None) -> dict[str, Any]:
    return {} if ttl is None else {"cache_control": {"type": "ephemeral", "ttl": ttl}}


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
