"""What a prompt looks like, read once and in bounded time.

Only the two ends of a long prompt are looked at: instructions stand there, and a 2 MB paste between them must not
hold up the event loop.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.chat import Message

FIRST_CHARS, LAST_CHARS = 800, 400
"""What is read for meaning."""
SAMPLE_CHARS = 4_000
"""What is counted from either end; the counts of a longer prompt are estimates."""
SPACELESS = 9
"""Characters a word from which a script without spaces is looked for."""
CHARS_PER_TOKEN = 4
TOKENS_PER_WORD = 4 / 3
TOKENS_PER_EXTRA_BYTE = 0.35
"""Tokens per UTF-8 byte beyond one a character: about .95 a Chinese character, .6 a Cyrillic letter."""

_WORD = re.compile(r"[a-z][a-z'+#]*|\d+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(slots=True)
class Features:
    """One prompt: its ends in `text` and `lower`, their words and digit runs in `found`, and counts of the whole."""

    text: str
    lower: str
    found: list[str]
    words: int
    prompt_tokens: int
    questions: int
    lines: int


def read(messages: Sequence[Message]) -> Features:
    """Look at the last user message; count tokens over all messages."""
    prompt = asked(messages)
    sample = _ends(prompt, SAMPLE_CHARS, SAMPLE_CHARS)
    text = _ends(sample, FIRST_CHARS, LAST_CHARS)
    lower = text.lower()
    words = _words(sample)
    chars = sum([len(message.content) for message in messages])
    return Features(
        text=text,
        lower=lower,
        found=_WORD.findall(lower),
        words=words if sample is prompt else round(words * len(prompt) / len(sample)),
        prompt_tokens=_tokens(sample, words, chars),
        questions=sample.count("?") + sample.count("？"),
        lines=sample.count("\n") + 1,
    )


def asked(messages: Sequence[Message]) -> str:
    """Return what the last user turn says; with none, what the last turn says."""
    for message in reversed(messages):
        if message.role == "user":
            return message.content
    return messages[-1].content if messages else ""


def _ends(text: str, first: int, last: int) -> str:
    return text if len(text) <= first + last else f"{text[:first]}\n{text[-last:]}"


def _words(text: str) -> int:
    """Count words; a script without spaces has about one per two characters."""
    spaced = len(text.split())
    unspaced = not text.isascii() and spaced * SPACELESS < len(text)
    return spaced + len(_CJK.findall(text)) // 2 if unspaced else spaced


def _tokens(sample: str, words: int, chars: int) -> int:
    """Estimate tokens of `chars` characters like `sample`: the mean of a count by characters and one by words."""
    if not chars:
        return 0
    if sample.isascii():
        estimate = (len(sample) / CHARS_PER_TOKEN + words * TOKENS_PER_WORD) / 2
    else:
        extra_bytes = len(sample.encode("utf-8", "surrogatepass")) - len(sample)
        estimate = len(sample) / CHARS_PER_TOKEN + extra_bytes * TOKENS_PER_EXTRA_BYTE
    return max(1, round(estimate * chars / max(1, len(sample))))
