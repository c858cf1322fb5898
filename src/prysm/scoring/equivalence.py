"""Whether two answers say the same.

Tiers, the first that applies decides: equal extracted answers; equal text; a difference that vetoes (a negation,
other numbers, other names); and for the rest how many words, letters and facts they share. The words of the
question count for nothing: both answers repeat them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prysm.scoring import question as asked
from prysm.scoring.extract import Extracted, extract
from prysm.scoring.notation import code_tokens, folded, tokens

if TYPE_CHECKING:
    from prysm.scoring.question import Question

LINK = 0.60
"""Similarity from which two answers are the same: the best threshold for character trigrams on TriviaQA."""
SHORT_LINK, LONG_LINK, CODE_LINK = 0.40, 0.55, 0.85
SHORT_WORDS = 25
NEGATED, OTHER_FACTS = 0.2, 0.4
"""Factors of the vetoes; both are under `LINK`."""
END_CHARS = 1_000
NEARLY_ALL = 0.80


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ENGLISH = _words(
    """
    the of is and in to was are that it for with on by
    """
)
_ARTICLES = frozenset(("a", "an", "the"))
_NEGATIONS = _words(
    """
    not no never none neither nor without cannot isn't aren't wasn't weren't don't doesn't didn't can't couldn't
    won't wouldn't shouldn't hasn't haven't hadn't nicht kein keine nie pas jamais aucun non ni nunca não nem не
    нет нельзя никогда
    """
)
_CJK_NEGATION = re.compile("[不没没非未無无]|ない|ません|아니|없")
_NUMBER = re.compile(r"(?<![\w.])[-−]?\d+(?:[.,]\d+)*")
_NAME = re.compile(r"(?<![.!?:]\s)(?<!^)(?<!\n)\b[A-Z][\w'’-]+")
_PARAGRAPH = re.compile(r"\n\s*\n")
_CLOSED = frozenset(("choice", "polar", "number", "literal", "formula"))


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer made ready for comparison: its extracted form, and what it holds beyond the question's words."""

    text: str
    extracted: Extracted | None
    plain: tuple[str, ...]
    words: frozenset[str]
    trigrams: frozenset[str]
    numbers: frozenset[str]
    names: frozenset[str]
    negations: int
    code: frozenset[str]


def prepare(text: str, question: Question) -> Answer:
    """Read an answer once, so that each of its comparisons is a few set operations."""
    ends = text if len(text) <= 2 * END_CHARS else f"{text[:END_CHARS]}\n{text[-END_CHARS:]}"
    lower = folded(ends).replace("’", "'")
    plain = tuple(tokens(lower))
    kept = _without_articles(plain, question)
    words = frozenset(kept) - question.words or frozenset(kept)
    extracted = extract(text, question)
    code = frozenset(code_tokens(extracted.value)) if extracted and extracted.kind == "code" else frozenset[str]()
    return Answer(
        text=text,
        extracted=extracted,
        plain=plain,
        words=words,
        trigrams=_trigrams(" ".join(word for word in kept if word in words)),
        numbers=_numbers(lower, brief=len(plain) <= SHORT_WORDS) - question.words,
        names=frozenset(name.lower() for name in _NAME.findall(ends)) - question.words,
        negations=sum(1 for word in plain if word in _NEGATIONS) + len(_CJK_NEGATION.findall(lower)),
        code=code,
    )


def answers(texts: list[str], prompt: str | None) -> list[Answer]:
    """Prepare several answers to one prompt."""
    question = asked.read(prompt)
    return [prepare(text, question) for text in texts]


def same(a: Answer, b: Answer) -> bool:
    """Tell whether two answers to one question say the same."""
    return similarity(a, b) >= LINK


def similarity(a: Answer, b: Answer) -> float:
    """Return how alike two answers to one question are, 0–1; symmetric, 1 for an answer and itself."""
    decided = _decided(a, b)
    if decided is not None:
        return decided
    if a.code and b.code:
        return _rescaled(_jaccard(a.code, b.code), CODE_LINK)
    if min(len(a.plain), len(b.plain)) > SHORT_WORDS:
        likeness = _rescaled(_long(a, b), LONG_LINK)
    else:
        likeness = _rescaled(_short(a, b), SHORT_LINK)
    return likeness * _veto(a, b)


def _decided(a: Answer, b: Answer) -> float | None:
    """Decide by the extracted answers or by equal text; `None` when neither settles it."""
    if a.text == b.text:
        return 1.0
    one, other = a.extracted, b.extracted
    if one and other and one.kind == other.kind:
        if one.canonical == other.canonical:
            return 1.0
        return 0.0 if one.kind in _CLOSED else None
    if one and other and one.kind in _CLOSED and other.kind in _CLOSED:
        return 0.0
    return 1.0 if a.plain and a.plain == b.plain else None


def _veto(a: Answer, b: Answer) -> float:
    """Return what is left of a likeness, 1 without a veto; with one, too little to link whatever the likeness."""
    if a.negations % 2 != b.negations % 2 and _otherwise_alike(a, b):
        return NEGATED
    if a.numbers and b.numbers and not (a.numbers <= b.numbers or b.numbers <= a.numbers):
        return OTHER_FACTS
    return OTHER_FACTS if a.names and b.names and a.names.isdisjoint(b.names) else 1.0


def _otherwise_alike(a: Answer, b: Answer) -> bool:
    """Tell whether a negation is about all that sets two answers apart: in a long text one more means little."""
    if max(len(a.plain), len(b.plain)) <= SHORT_WORDS:
        return True
    return _jaccard(frozenset(a.plain) - _NEGATIONS, frozenset(b.plain) - _NEGATIONS) >= NEARLY_ALL


def _short(a: Answer, b: Answer) -> float:
    """Weigh how much of the shorter answer stands in the other, and how much the two have in common."""
    parts = [
        (0.30, _containment(a.words, b.words)),
        (0.40, _containment(a.trigrams, b.trigrams)),
        (0.15, _jaccard(a.words, b.words)),
    ]
    facts, other_facts = a.numbers | a.names, b.numbers | b.names
    if facts or other_facts:
        parts.append((0.15, _jaccard(facts, other_facts)))
    return sum(weight * part for weight, part in parts) / sum(weight for weight, _ in parts)


def _long(a: Answer, b: Answer) -> float:
    facts = _jaccard(a.numbers | a.names, b.numbers | b.names)
    return 0.4 * _jaccard(a.trigrams, b.trigrams) + 0.3 * facts + 0.3 * _jaccard(a.words, b.words)


def _containment(a: frozenset[str], b: frozenset[str]) -> float:
    smaller = min(len(a), len(b))
    return len(a & b) / smaller if smaller else 0.0


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared) if shared else 0.0


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


def _without_articles(words: tuple[str, ...], question: Question) -> tuple[str, ...]:
    """Leave out English articles where the text is English; `a` and `an` are other words elsewhere."""
    if _ENGLISH.isdisjoint(question.words) and _ENGLISH.isdisjoint(words):
        return words
    return tuple(word for word in words if word not in _ARTICLES) or words


def _trigrams(text: str) -> frozenset[str]:
    padded = f" {text} "
    return frozenset(padded[i : i + 3] for i in range(len(padded) - 2))
