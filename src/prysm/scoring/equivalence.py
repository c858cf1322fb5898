"""Whether two answers say the same.

Where a text presents its answer, that is compared and not the words around it. Tiers, the first that applies
decides: equal extracted answers; equal text; programs, which are equal or not; a difference that vetoes (`contrast`);
and for the rest a fitted model of what two texts share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prysm.scoring import contrast
from prysm.scoring import question as asked
from prysm.scoring.extract import Extracted, extract
from prysm.scoring.likeness import Wording, jaccard, likelihood, threshold, wording
from prysm.scoring.notation import code_tokens, folded, tokens
from prysm.scoring.numbers import NUMBER_WORDS, in_digits
from prysm.scoring.question import OPEN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prysm.core.run import Value
    from prysm.scoring.contrast import Exact
    from prysm.scoring.extract import Kind
    from prysm.scoring.question import Question

LINK = 0.60
"""Similarity from which two answers are the same; each tier's own threshold is moved there."""
SHORT_WORDS = 25
DENIED = 0.2
"""Similarity, at most, of two texts that a contrast sets apart, and of an answer and a guess."""
GUESSED = 0.99 * LINK
"""Similarity, at most, where the last numbers of two texts differ, but neither says that this is its answer."""
END_CHARS = 600
DATA = frozenset(("call", "json"))
"""Kinds that are data: equal or not, whatever the words."""
_CLOSED = frozenset(("choice", "polar", "number", "literal", "formula"))
_VALUES = frozenset(("text", "number", "literal", "formula"))
"""Kinds whose value says all of the answer; of a letter or a yes the words around it tell more."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer made ready for comparison: its extracted form, and its wording beyond the question's words.

    `exact` and `wording` are of the value where the text presents one, else of its two ends. `code` are the tokens of
    a program, or the fields of data.
    """

    text: str
    extracted: Extracted | None
    exact: Exact
    wording: Wording
    code: frozenset[str]

    @property
    def data(self) -> Kind | None:
        """The kind of data that it is; `None` for words."""
        return self.extracted.kind if self.extracted is not None and self.extracted.kind in DATA else None

    @property
    def plain(self) -> tuple[str, ...]:
        """Its words."""
        return self.exact.plain

    @property
    def numbers(self) -> frozenset[str]:
        """Its numbers beyond those of the question."""
        return self.exact.numbers

    @property
    def names(self) -> frozenset[str]:
        """Its names beyond those of the question."""
        return self.wording.names


def prepare(text: str, question: Question) -> Answer:
    """Read an answer once, so that each of its comparisons is a few set operations."""
    extracted = extract(text, question)
    said = extracted.value if extracted and extracted.sure and extracted.kind in _VALUES else text
    ends = said if len(said) <= 2 * END_CHARS else f"{said[:END_CHARS]}\n{said[-END_CHARS:]}"
    lower = folded(ends).replace("’", "'")
    plain = tuple(tokens(lower))
    if not NUMBER_WORDS.isdisjoint(plain):
        lower = in_digits(lower)
        plain = tuple(tokens(lower))
    exact = contrast.read(ends, lower, plain, question.words)
    code = frozenset(code_tokens(extracted.value)) if extracted and extracted.kind == "code" else frozenset[str]()
    return Answer(
        text=text,
        extracted=extracted,
        exact=exact,
        wording=wording(ends, lower, plain, question, negations=exact.denial.negations),
        code=code,
    )


def of_value(value: Value) -> Answer:
    """Make data ready: there is nothing to extract, and no wording."""
    nothing = contrast.read("", "", (), frozenset())
    found = Extracted(value.kind, value.spelled, value.spelled)
    return Answer(
        value.spelled, found, nothing, wording("", "", (), OPEN, negations=nothing.denial.negations), value.parts
    )


def ready(said: Value | str, question: Question) -> Answer:
    """Make what a candidate said ready for comparison."""
    return prepare(said, question) if isinstance(said, str) else of_value(said)


def answers(said: Sequence[Value | str], prompt: str | None) -> list[Answer]:
    """Prepare several answers to one prompt."""
    question = asked.read(prompt)
    return [ready(one, question) for one in said]


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
    if a.data or (a.code and b.code):
        return GUESSED * jaccard(a.code, b.code)
    if contrast.apart(a.exact, b.exact):
        return DENIED * jaccard(frozenset(a.plain), frozenset(b.plain))
    found = _rescaled(likely(a.wording, b.wording), threshold())
    if not _at_odds(a, b):
        return found
    return DENIED * found if _sure(a) or _sure(b) else min(found, GUESSED)


def _decided(a: Answer, b: Answer) -> float | None:
    """Decide by the extracted answers or by equal text; `None` when neither settles it."""
    one, other = a.extracted, b.extracted
    if a.data != b.data:
        return 0.0
    if a.text == b.text:
        return 1.0
    if a.data or contrast.remarked(a.exact, b.exact):
        return None
    if one and other:
        if one.kind == other.kind and one.canonical == other.canonical:
            return 1.0
        if _at_odds(a, b) and ((one.sure and other.sure) or one.kind != other.kind):
            return 0.0
        if one.kind == other.kind == "code":
            return None
    return 1.0 if contrast.equal(a.exact, b.exact) else None


def _at_odds(a: Answer, b: Answer) -> bool:
    """Tell whether both answers are of kinds that are equal or not, nothing between, and neither mentions the other."""
    one, other = a.extracted, b.extracted
    closed = bool(one and other and one.kind in _CLOSED and other.kind in _CLOSED)
    return closed and not _mentions(a, b) and not _mentions(b, a)


def _mentions(a: Answer, b: Answer) -> bool:
    """Tell whether a sentence, whose last number is a guess at its answer, holds the number that another is.

    `He reigned for 56 years, from 1216 to 1272` says 56 where that was asked for.
    """
    if _sure(a) or not _sure(b) or len(a.plain) > SHORT_WORDS:
        return False
    told = b.extracted and b.extracted.kind == "number" and b.extracted.canonical in a.wording.numbers
    return bool(told)


def _sure(answer: Answer) -> bool:
    return answer.extracted is not None and answer.extracted.sure


def _rescaled(value: float, threshold: float) -> float:
    """Move a tier's own threshold to `LINK`, so that one threshold serves all tiers."""
    if value < threshold:
        return value / threshold * LINK
    return LINK + (value - threshold) / (1 - threshold) * (1 - LINK)
