"""About how many tokens a prompt has, by a count of our own: no provider is asked."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import orjson

from prysm.classify.features import IMAGE_TOKENS
from prysm.core.content import FilePart, ImagePart, TextPart
from prysm.errors import UnsupportedParameter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prysm.core.chat import Message
    from prysm.core.content import Part
    from prysm.core.tools import Toolbox

TOKENS_PER_TURN = 4
"""What the frame of a turn takes in the usual templates."""
CHARS_PER_PIECE = 9
"""A longer word in Latin letters is two tokens or more."""
TOKENS_PER_BYTE = 0.35
"""Of words in other letters, in UTF-8: about one a Chinese character, .7 a Cyrillic letter."""
SLICE, SLICES = 1_000, 40
"""What is read of a longer prompt, at even distances: reading takes half a microsecond a character."""

_PIECE = re.compile(r"[^\W\d_]+|\d{1,3}|\n\s*|[^\w\s]{1,2}|_+")
"""Where tokenizers part a text: words, groups of digits, line breaks, signs. A space goes with the word behind it."""


def count(messages: Sequence[Message], toolbox: Toolbox | None) -> int:
    """Estimate the tokens of a prompt. Earlier thoughts are not part of it: models are not shown them.

    Raises `UnsupportedParameter` for a document of which nobody but its reader knows how many tokens it has.
    """
    text = "\n".join([*_said(messages), *_tools(toolbox)])
    images = sum(_images(message) for message in messages)
    return _tokens(text) + TOKENS_PER_TURN * len(messages) + IMAGE_TOKENS * images


def _images(message: Message) -> int:
    return 0 if isinstance(message.content, str) else sum(isinstance(part, ImagePart) for part in message.content)


def _said(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        if isinstance(message.content, str):
            yield message.content
        else:
            yield from (_words(part) for part in message.content)
        yield from (f"{call.name} {call.arguments}" for call in message.tool_calls)


def _tools(toolbox: Toolbox | None) -> Iterator[str]:
    for tool in toolbox.tools if toolbox else ():
        yield f"{tool.name} {tool.description or ''} {orjson.dumps(tool.parameters).decode()}"


def _words(part: Part) -> str:
    match part:
        case TextPart(text=text):
            return text
        case FilePart(data=str() as data, media_type="text/plain"):
            return base64.b64decode(data).decode()
        case FilePart():
            raise UnsupportedParameter(
                "The tokens of a PDF, or of a file that is kept elsewhere, cannot be counted without a model that "
                "reads it: leave it out and allow 1,500 to 3,000 a page.",
                param="messages",
            )
    return ""


def _tokens(text: str) -> int:
    if len(text) <= SLICE * SLICES:
        return round(sum(map(_weight, _PIECE.findall(text))))
    step = len(text) // SLICES
    read = "".join(text[start : start + SLICE] for start in range(0, step * SLICES, step))
    return round(sum(map(_weight, _PIECE.findall(read))) * len(text) / len(read))


def _weight(piece: str) -> float:
    if not piece[0].isalpha():
        return 1
    return 1 + (len(piece) - 1) // CHARS_PER_PIECE if piece.isascii() else len(piece.encode()) * TOKENS_PER_BYTE
