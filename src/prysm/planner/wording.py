"""Why a model cannot take a field of a request, and what its caller can do: always something that can be done."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from prysm.core.content import AudioPart, FilePart, ImagePart, TextPart

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.core.content import Part
    from prysm.core.plan import ChatRequest
    from prysm.planner.needs import Need

PART = re.compile(r"messages\[(\d+)\]\.content\[(\d+)\](?=\.type$)")

SOUGHT: Mapping[str, str] = MappingProxyType(
    {
        "tools": "tools",
        "json_schema": "an answer that fits a schema",
        "vision": "a model that sees images",
        "audio": "a model that hears or speaks",
        "files": "a model that reads files",
        "logprobs": "log probabilities",
        "reasoning": "reasoning",
    }
)
"""What a capability of the catalog is, for who does not know its name."""

UNSAYABLE: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern), reason, fix)
    for pattern, reason, fix in (
        (
            r"\.thinking_blocks$",
            "are thoughts that another provider sealed, of tool calls it still waits for",
            "Let the model that made them go on until it has answered",
        ),
        (
            r"\.reasoning_content$",
            "are another provider's thoughts, of tool calls it still waits for",
            "Let the model that made them go on until it has answered",
        ),
        (
            r"^(tools\[\d+\]|.*\.tool_calls\[\d+\])\.type$",
            "asks for a custom tool, which its provider does not have",
            "Describe the tool as a function",
        ),
        (r"^tools\[\d+\]\.name$", "is too long for its provider", "Shorten it to 64 characters"),
        (
            r"\.function\.arguments$",
            "is no JSON object, and its provider takes nothing else",
            "Send the arguments as a JSON object",
        ),
        (r"^input$", "holds more than its provider takes, or other than texts", "Send texts, at most 100 at once"),
        (r"^messages$", "say nothing, which its provider does not take", "Say what you want in a user's message"),
        (r"\.tool_call_id$", "answers a call that is not there", "Send the call too, or the tool's name as 'name'"),
    )
)
"""Fields that nobody can just leave out: which, why they are refused, and what to do instead."""


class Exclusion(NamedTuple):
    """Why a model cannot take a request, what would help, and the field that stands in the way."""

    reason: str
    fix: str
    param: str


def unsayable(field: str, request: ChatRequest) -> Exclusion:
    """For a field, or a place in the conversation, that the format of a model's provider has no word for."""
    if (place := PART.match(field)) is not None:
        return _part(place[0], request, int(place[1]), int(place[2]))
    for pattern, reason, fix in UNSAYABLE:
        if pattern.search(field):
            return Exclusion(f"'{field}' {reason}", fix, field)
    return Exclusion(f"its provider cannot express '{field}'", f"Leave out '{field}'", field)


def lacking(need: Need) -> Exclusion:
    """For a capability that the catalog does not list for a model."""
    reason = (
        f"'{need.param}' asks for {SOUGHT[need.capability]}, and the catalog does not list "
        f"'{need.capability}' for it"
    )
    return Exclusion(reason, f"Leave out '{need.param}'", need.param)


def _part(place: str, request: ChatRequest, i: int, j: int) -> Exclusion:
    message = request.messages[i]
    part = message.content[j]
    what, fix = _described(part) if not isinstance(part, str) else ("text", "")
    if message.role != "user":
        who = "a tool's answer" if message.role == "tool" else f"a message of the {message.role}"
        return Exclusion(
            f"'{place}' is {what} in {who}, which its provider cannot take", "Send it in a user's message", place
        )
    return Exclusion(f"'{place}' is {what}, which its provider cannot take", fix, place)


def _described(part: Part) -> tuple[str, str]:
    """What a part is, and what to do when a user may not send it so."""
    match part:
        case TextPart():
            return "text", "Leave it out"
        case AudioPart():
            return "sound", "Leave it out"
        case ImagePart(url=None):
            return f"an image of the type {part.media_type}", "Send another type"
        case FilePart(url=None, file_id=None):
            return f"a file of the type {part.media_type}", "Send another type"
        case FilePart(url=None):
            return "a file by its id", "Send it as data"
    return f"{'an image' if isinstance(part, ImagePart) else 'a file'} by URL", "Send it as data"
