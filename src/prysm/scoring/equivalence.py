"""Whether two answers say the same.

Tiers, the first that applies decides: equal extracted answers; equal text; equal programs; a difference that vetoes
(a denial, another number in the same sentence); and for the rest a fitted model of what two texts share.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prysm.scoring import question as asked
from prysm.scoring.extract import Extracted, extract
from prysm.scoring.likeness import Wording, jaccard, likelihood, threshold, wording
from prysm.scoring.notation import code_tokens, folded, tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from prysm.scoring.question import Question

LINK = 0.60
"""Similarity from which two answers are the same; each tier's own threshold is moved there."""
CODE_LINK = 0.85
SHORT_WORDS = 25
DENIED = 0.2
"""Similarity, at most, of a statement and its denial, or of one sentence with two numbers."""
GUESSED = 0.99 * LINK
"""Similarity, at most, where the last numbers of two texts differ, but neither says that this is its answer."""
END_CHARS = 600
ALIKE = 0.60
"""Part of the words that two texts share when a negation or a number is about all that sets them apart."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NEGATIONS = _words(
    """
    not no never none neither nor without cannot isn't aren't wasn't weren't don't doesn't didn't can't couldn't
    won't wouldn't shouldn't hasn't haven't hadn't nicht kein keine nie pas jamais aucun non ni nunca não nem не
    нет нельзя никогда
    """
)
_CJK_NEGATION = re.compile("[不没没非未無无]|ない|ません|아니|없")
_NUMBER = re.compile(r"(?<![\w.])[-−]?\d+(?:[.,]\d+)*")
_CLOSED = frozenset(("choice", "polar", "number", "literal", "formula"))


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer made ready for comparison: its extracted form, and its wording beyond the question's words."""

    text: str
    extracted: Extracted | None
    plain: tuple[str, ...]
    wording: Wording
    numbers: frozenset[str]
    names: frozenset[str]
    negations: int
    code: frozenset[str]


def prepare(text: str, question: Question) -> Answer:
    """Read an answer once, so that each of its comparisons is a few set operations."""
    ends = text if len(text) <= 2 * END_CHARS else f"{text[:END_CHARS]}\n{text[-END_CHARS:]}"
    lower = folded(ends).replace("’", "'")
    plain = tuple(tokens(lower))
    negations = sum(1 for word in plain if word in _NEGATIONS) + len(_CJK_NEGATION.findall(lower))
    worded = wording(ends, lower, plain, question, negations=negations)
    extracted = extract(text, question)
    code = frozenset(code_tokens(extracted.value)) if extracted and extracted.kind == "code" else frozenset[str]()
    return Answer(
        text=text,
        extracted=extracted,
        plain=plain,
        wording=worded,
        numbers=_numbers(lower, brief=len(plain) <= SHORT_WORDS) - question.words,
        names=worded.names,
        negations=negations,
        code=code,
    )


def answers(texts: list[str], prompt: str | None) -> list[Answer]:
    """Prepare several answers to one prompt."""
    question = asked.read(prompt)
    return [prepare(text, question) for text in texts]


def same(a: Answer, b: Answer) -> bool:
    """Tell whether two answers to one question say the same."""
    return similarity(a, b) >= LINK


def similarity(a: Answer, b: Answer, *, likely: Callable[[Wording, Wording], float] = likelihood) -> float:
    """Return how alike two answers to one question are, 0–1; symmetric, 1 for an answer and itself.

    `likely` gives P(same) where nothing else decides.
    """
    decided = _decided(a, b)
    if decided is not None:
        return decided
    if a.code and b.code:
        return _rescaled(jaccard(a.code, b.code), CODE_LINK)
    if _denied(a, b):
        return DENIED * jaccard(frozenset(a.plain), frozenset(b.plain))
    found = _rescaled(likely(a.wording, b.wording), threshold())
    return min(found, GUESSED) if _quantities(a, b) else found


def _decided(a: Answer, b: Answer) -> float | None:
    """Decide by the extracted answers or by equal text; `None` when neither settles it."""
    if a.text == b.text:
        return 1.0
    one, other = a.extracted, b.extracted
    if one and other:
        if one.kind == other.kind and one.canonical == other.canonical:
            return 1.0
        if _quantities(a, b) and (one.sure or other.sure or one.kind != other.kind):
            return 0.0
    return 1.0 if a.plain and a.plain == b.plain else None


def _quantities(a: Answer, b: Answer) -> bool:
    """Tell whether both answers are of kinds that are equal or not, nothing between."""
    return bool(a.extracted and b.extracted and a.extracted.kind in _CLOSED and b.extracted.kind in _CLOSED)


def _denied(a: Answer, b: Answer) -> bool:
    """Tell whether two texts are one statement but for a negation or a number."""
    negated = a.negations % 2 != b.negations % 2
    if not negated and (a.numbers <= b.numbers or b.numbers <= a.numbers):
        return False
    apart = _NEGATIONS if negated else a.numbers | b.numbers
    return jaccard(frozenset(a.plain) - apart, frozenset(b.plain) - apart) >= ALIKE


def _rescaled(value: float, threshold: float) -> float:
    """Move a tier's own threshold to `LINK`, so that one threshold serves all tiers."""
    if value < threshold:
        return value / threshold * LINK
    return LINK + (value - threshold) / (1 - threshold) * (1 - LINK)


def _numbers(lower: str, *, brief: bool) -> frozenset[str]:
    """Return the numbers of a text; in a brief one a repeated number counts again: `5 ft 5` is not `5 ft 6`."""
    found: set[str] = set()
    for written in _NUMBER.findall(lower):
        number = written.replace(",", "")
        found.add(f"{number} again" if brief and number in found else number)
    return frozenset(found)
