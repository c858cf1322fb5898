"""What a prompt looks like, read once and in bounded time.

Only the two ends of a long prompt are looked at: instructions stand there, and a 2 MB paste between them must not
hold up the event loop.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from prysm.classify.words import COMMANDS
from prysm.core.content import ImagePart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.chat import Message
    from prysm.core.tools import Toolbox

FIRST_CHARS, LAST_CHARS = 800, 400
"""What is read for meaning."""
SAMPLE_CHARS = 4_000
"""What is counted from either end; the counts of a longer prompt are estimates."""
COUNTED_CHARS = 1_200
"""Characters up to which words are counted one by one."""
SPACELESS = 9
"""Characters a word from which a script without spaces is looked for."""
CHARS_PER_TOKEN = 4
TOKENS_PER_WORD = 4 / 3
TOKENS_PER_EXTRA_BYTE = 0.35
"""Tokens per UTF-8 byte beyond one a character: about .95 a Chinese character, .6 a Cyrillic letter."""

IMAGE_TOKENS, SMALL_IMAGE_TOKENS = 1_000, 85
"""Of a photograph at most vendors, and of one that is to be looked at coarsely (OpenAI)."""

_WORD = re.compile(r"[a-zß-öø-ɏ][a-zß-öø-ɏ'+#]*|\d+")
_ODD = b"\0"
_SPACED = bytes.maketrans(
    bytes(range(128)),
    bytes(byte if chr(byte).islower() else 0 if chr(byte) in "'+#0123456789" else 32 for byte in range(128)),
)
"""Letters stay, `_ODD` stands for what else `_WORD` knows, and the rest is space."""
_QUOTED = re.compile(r"\"[^\"\n]{12,400}\"|[“„«][^“”«»\n]{12,400}[”“»]|(?<!\w)'(?=\w)[^\n]{12,400}?'(?!\w)")
QUOTED_SPACES = 3
"""Four quoted words or more: material to work on, not a request. Fewer are a name."""
_OPENING = re.compile(r"[^a-z]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(slots=True)
class Features:
    """One prompt: its ends in `text` and `lower`, and counts of the whole.

    `asking` is `lower` without what it quotes. `found` are the words, and `0` for digits; those of a quote only where
    the prompt is not an order, as in `Translate "…"`: there it is material, in a question part of what is asked.
    """

    text: str
    lower: str
    asking: str
    found: list[str]
    words: int
    prompt_tokens: int
    questions: int
    lines: int


def read(messages: Sequence[Message], toolbox: Toolbox | None = None) -> Features:
    """Look at the last user message; count tokens over all messages and the definitions of tools."""
    prompt = sample = text = asked(messages)
    if len(prompt) > FIRST_CHARS + LAST_CHARS:
        sample = _ends(prompt, SAMPLE_CHARS, SAMPLE_CHARS)
        text = _ends(sample, FIRST_CHARS, LAST_CHARS)
    lower = asking = text.lower()
    if '"' in lower or "'" in lower or not lower.isascii():
        asking = _unquoted(lower)
    words = _words(sample)
    chars, beside = _lengths(messages, toolbox)
    return Features(  # by position: it is made for every request, and names cost more than half of that
        text,
        lower,
        asking,
        _found(asking if asking is not lower and _OPENING.split(asking, 1)[0] in COMMANDS else lower),
        words if sample is prompt else round(words * len(prompt) / len(sample)),
        _tokens(sample, words, chars) + beside,
        sample.count("?") + sample.count("？"),
        sample.count("\n") + 1,
    )


def _found(lower: str) -> list[str]:
    """List words, and `0` for digits. Where words are letters and no more, as mostly, to split is far cheaper."""
    if lower.isascii():
        spaced = lower.encode().translate(_SPACED)
        if _ODD not in spaced:
            return spaced.decode().split()
    return ["0" if word < "a" else word for word in _WORD.findall(lower)]


def asked(messages: Sequence[Message]) -> str:
    """Return what the last user turn says; with none, what the last turn says."""
    for message in reversed(messages):
        if message.role == "user":
            return message.content if isinstance(message.content, str) else message.text
    return messages[-1].text if messages else ""


def _ends(text: str, first: int, last: int) -> str:
    return text if len(text) <= first + last else f"{text[:first]}\n{text[-last:]}"


def _unquoted(lower: str) -> str:
    """Put one word for each quotation; where there are lines, quotes may be those of code."""
    if "\n" in lower or not ('"' in lower or "“" in lower or "„" in lower or "«" in lower or " '" in lower):
        return lower
    return _QUOTED.sub(lambda found: '"quoted"' if found[0].count(" ") >= QUOTED_SPACES else found[0], lower)


def _words(text: str) -> int:
    """Count words; a script without spaces has about one per two characters."""
    evenly = len(text) > COUNTED_CHARS and "  " not in text and "\n\n\n" not in text
    spaced = _gaps(text) if evenly else len(text.split())
    if text.isascii() or spaced * SPACELESS >= len(text):
        return spaced
    return spaced + len(_CJK.findall(text)) // 2


def _lengths(messages: Sequence[Message], toolbox: Toolbox | None) -> tuple[int, int]:
    """Count characters of text, and estimate tokens of what is not: images, tool calls, and what tools there are."""
    text, images, chars = 0, 0, 0
    for message in messages:
        content = message.content
        if isinstance(content, str):
            text += len(content)
        else:
            text += len(message.text)
            images += sum(_image(part) for part in content if isinstance(part, ImagePart))
        for call in message.tool_calls:
            chars += len(call.name) + len(call.arguments)
    for tool in toolbox.tools if toolbox else ():
        chars += len(tool.name) + len(tool.description or "") + len(orjson.dumps(tool.parameters or tool.format))
    return text, images + chars // CHARS_PER_TOKEN


def _image(part: ImagePart) -> int:
    return SMALL_IMAGE_TOKENS if part.detail == "low" else IMAGE_TOKENS


def _gaps(text: str) -> int:
    """Count the words of a long text by what parts them, far cheaper than to split it."""
    return 1 + text.count(" ") + text.count("\n") - text.count("\n\n")


def _tokens(sample: str, words: int, chars: int) -> int:
    """Estimate tokens of `chars` characters like `sample`: the mean of a count by characters and one by words."""
    if not chars:
        return 0
    length = len(sample)
    if sample.isascii():
        estimate = (length / CHARS_PER_TOKEN + words * TOKENS_PER_WORD) / 2
    else:
        extra_bytes = len(sample.encode("utf-8", "surrogatepass")) - length
        estimate = length / CHARS_PER_TOKEN + extra_bytes * TOKENS_PER_EXTRA_BYTE
    return round(estimate * chars / (length or 1)) or 1
