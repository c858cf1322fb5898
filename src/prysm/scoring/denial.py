"""What a text denies, and what it says beside that: `Canberra, not Sydney` says Canberra and denies Sydney."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from prysm.scoring.likeness import FUNCTION_WORDS
from prysm.scoring.notation import tokens

if TYPE_CHECKING:
    from collections.abc import Iterable


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NEGATIONS = _words(
    """
    not no never none neither nor without cannot isn't aren't wasn't weren't don't doesn't didn't can't couldn't
    won't wouldn't shouldn't hasn't haven't hadn't nicht kein keine nie pas jamais aucun non ni nunca não nem не
    нет нельзя никогда
    """
)
_CJK_NEGATION = re.compile("[不没沒非未無无]|ない|ません|아니|없")
_IDIOM = re.compile(
    r"\b(?:(?:there(?:'s| is) )?(?:no|without(?: a| any)?) (?:doubt|question)(?: about (?:it|that))?|"
    r"not (?:only|just|merely)|nothing (?:but|other than)|none other than|no other than|no less)\b"
)
"""Negations that deny nothing."""
_TOLD_BY = NEGATIONS | _words("nothing anything than instead opposed")
"""Words one of which stands in whatever denies something."""
_ANYTHING_BUT = re.compile(r"\banything but\b")
_INSTEAD = re.compile(
    r"(?<=\w)(?:\s*[,.;(—–]+\s*(?:and |but )?not|,?\s(?:rather than|instead of|as opposed to))\s([^,.;)!?\n]{1,80})"
    r"|\bnot\s([^,.;)!?\n]{1,60}?),?\sbut\s"
)
"""What is denied beside what is said: `X, not Y`, `X rather than Y`, `not Y but X`."""
_CLAUSE = re.compile(r"[,.;:!?()\n]|\bbut\b")
_VERDICTS = _words("true right correct case so it that this")
"""What a clause denies of what stands before it: `It is flat. That is not true.`"""


class Denial(NamedTuple):
    """How often a text denies what it is about, and the words that it keeps to, puts away, and speaks of in denying.

    `denied` is empty where any of it may be meant.
    """

    negations: int
    asserted: frozenset[str]
    rejected: frozenset[str]
    denied: frozenset[str]

    def opposes(self, other: Denial) -> bool:
        """Tell whether the other says just what this puts away."""
        beyond = other.asserted - self.asserted
        return bool(beyond) and beyond <= self.rejected and other.negations % 2 == 0

    def concerns(self, other: Denial) -> bool:
        """Tell whether what this denies may be what the other says."""
        return not self.denied or not self.denied.isdisjoint(other.asserted)


def read(lower: str, plain: tuple[str, ...]) -> Denial:
    """Read folded text, given its words."""
    cjk = 0 if lower.isascii() else len(_CJK_NEGATION.findall(lower))
    if _TOLD_BY.isdisjoint(plain):
        return Denial(cjk, _content(plain), frozenset(), frozenset())
    said = _ANYTHING_BUT.sub("not", _IDIOM.sub(" ", lower))
    rejected = frozenset(
        word for found in _INSTEAD.finditer(said) for word in _content(tokens(found[1] or found[2]))
    )
    if rejected:
        said = _INSTEAD.sub(lambda found: " " if _content(tokens(found[0])) else found[0], said)
    clauses = [tokens(clause) for clause in _CLAUSE.split(said)]
    negative = [clause for clause in clauses if not NEGATIONS.isdisjoint(clause)]
    spoken_of = [_content(clause) - _VERDICTS for clause in negative]
    return Denial(
        negations=cjk + sum(1 for clause in negative for word in clause if word in NEGATIONS),
        asserted=frozenset().union(*map(_content, clauses)),
        rejected=rejected,
        denied=frozenset().union(*spoken_of) if all(spoken_of) else frozenset(),
    )


def _content(words: Iterable[str]) -> frozenset[str]:
    return frozenset(words) - FUNCTION_WORDS - NEGATIONS
