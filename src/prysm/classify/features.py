"""What a prompt looks like, read once and in bounded time.

Only the two ends of a long prompt are looked at: instructions stand there, and a 2 MB paste between them must not
hold up the event loop. Costlier patterns see its edges only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.chat import Message

END_CHARS = 4_000
FIRST_EDGE_CHARS, LAST_EDGE_CHARS = 1_200, 800
HEAD_WORDS, TAIL_WORDS = 120, 80
SPACELESS = 9
"""Characters a word from which a script without spaces is looked for."""
CHARS_PER_TOKEN = 4
TOKENS_PER_WORD = 4 / 3
TOKENS_PER_EXTRA_BYTE = 0.35
"""Tokens per UTF-8 byte beyond one a character: about .95 a Chinese character, .6 a Cyrillic letter."""

_WORD = re.compile(r"[a-z][a-z'+#]*")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_NUMBER = re.compile(r"\d[\d.,]*")


@dataclass(frozen=True, slots=True)
class Features:
    """One prompt: its ends (`text`, `lower`), their outermost `edges`, the words there, and counts.

    `words` and `prompt_tokens` are estimates for the whole when the prompt is long; `numbers` is of its edges.
    """

    text: str
    lower: str
    edges: str
    cue_words: tuple[str, ...]
    words: int
    prompt_tokens: int
    numbers: int
    questions: int
    lines: int


def read(messages: Sequence[Message]) -> Features:
    """Look at the last user message; count tokens over all messages."""
    prompt = asked(messages)
    text = _ends(prompt, END_CHARS, END_CHARS)
    edges = _ends(text, FIRST_EDGE_CHARS, LAST_EDGE_CHARS)
    words = _words(text)
    chars = sum(len(message.content) for message in messages)
    return Features(
        text=text,
        lower=text.lower(),
        edges=edges,
        cue_words=_cue_words(edges.lower()),
        words=_scale(words, len(prompt), len(text)),
        prompt_tokens=_tokens(text, words, chars),
        numbers=len(_NUMBER.findall(edges)),
        questions=text.count("?") + text.count("？"),
        lines=text.count("\n") + 1,
    )


def asked(messages: Sequence[Message]) -> str:
    """Return what the last user turn says; with none, what the last turn says."""
    for message in reversed(messages):
        if message.role == "user":
            return message.content
    return messages[-1].content if messages else ""


def _ends(text: str, first: int, last: int) -> str:
    return text if len(text) <= first + last else f"{text[:first]}\n{text[-last:]}"


def _cue_words(lower: str) -> tuple[str, ...]:
    words = _WORD.findall(lower)
    if len(words) > HEAD_WORDS + TAIL_WORDS:
        words = words[:HEAD_WORDS] + words[-TAIL_WORDS:]
    return tuple(words)


def _words(text: str) -> int:
    """Count words; a script without spaces has about one per two characters."""
    spaced = len(text.split())
    unspaced = not text.isascii() and spaced * SPACELESS < len(text)
    return spaced + len(_CJK.findall(text)) // 2 if unspaced else spaced


def _scale(count: int, whole: int, part: int) -> int:
    return count if whole <= part else round(count * whole / part)


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
