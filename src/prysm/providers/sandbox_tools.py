"""Which tools a simulated model calls, and with what arguments."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from prysm.core.content import ToolCall
from prysm.core.tools import NamedTool
from prysm.providers.sandbox_answers import gist
from prysm.providers.sandbox_schema import example
from prysm.providers.sandbox_values import Values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.chat import Message
    from prysm.core.tools import Tool, Toolbox
    from prysm.providers.sandbox_answers import Settled

DIGEST_CHARS = 16
SHARED_WORDS = 2
"""How many telling words of a description a prompt must share to be about the tool."""
_WORD = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}|\d+")
_VERBS = frozenset(
    {"call", "check", "do", "fetch", "find", "get", "list", "look", "lookup", "read", "run", "search"}
)
_COMMON = frozenset(
    {"about", "current", "from", "given", "into", "return", "that", "this", "value", "when", "with"}
)


def tool_calls(box: Toolbox, messages: Sequence[Message], settled: Settled) -> tuple[ToolCall, ...]:
    """The calls that the prompt asks for; none once the tools have spoken, unless one must be called."""
    tools = _chosen(box, settled.asked, spoken=bool(messages) and messages[-1].role == "tool")
    return tuple(_call(i, tool, settled) for i, tool in enumerate(tools[:1] if box.parallel is False else tools))


def _chosen(box: Toolbox, asked: str, *, spoken: bool) -> list[Tool]:
    if isinstance(box.choice, NamedTool):
        return [tool for tool in box.tools if tool.name == box.choice.name]
    meant = [tool for tool in box.tools if _means(asked, tool)]
    if box.choice == "required":
        return meant or list(box.tools[:1])
    return [] if spoken or box.choice == "none" else meant


def _means(asked: str, tool: Tool) -> bool:
    """Whether a prompt is about a tool: it has its name, the thing in its name, or words of its description."""
    words = _words(asked)
    thing = _words(tool.name) - _VERBS
    telling = {word for word in _words(tool.description or "") - _VERBS - _COMMON if len(word) > SHARED_WORDS + 1}
    return tool.name in asked or bool(thing and thing <= words) or len(telling & words) >= SHARED_WORDS


def _words(text: str) -> set[str]:
    return {word.lower().removesuffix("s") for word in _WORD.findall(text)}


def _call(place: int, tool: Tool, settled: Settled) -> ToolCall:
    text = "\x1f".join((*settled.key, tool.name)).encode("utf-8", "surrogatepass")
    call_id = f"call_{place}_{hashlib.sha256(text).hexdigest()[:DIGEST_CHARS]}"
    if tool.custom:
        return ToolCall(call_id, tool.name, gist(settled.asked), custom=True)
    made = example(tool.parameters or {"type": "object"}, Values(settled, settled.asked))
    return ToolCall(call_id, tool.name, json.dumps(made, ensure_ascii=False))
