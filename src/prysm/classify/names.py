"""Marks of questions that need facts about several named things: to compare them or to combine them.

Patterns begin with the character they hang on and look behind from there: the search then skips to it fast.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from prysm.classify.words import (
    AGGREGATES,
    AUXILIARIES,
    CHOICE_WORDS,
    IMPERATIVES,
    MODALS,
    PAIR_WORDS,
    QUESTION_WORDS,
    RANK_WORDS,
    STOP_WORDS,
)

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

SHORT, LONGEST_LIST = 40, 120
"""Words up to which a prompt is read as one question, and as a list of facts to combine."""
MOST_NAMES = 4

COMPARING = RANK_WORDS | {"and", "or"}
_ASKING = QUESTION_WORDS | AUXILIARIES | MODALS | {"between"}
_OPENERS = (
    STOP_WORDS | QUESTION_WORDS | AUXILIARIES | IMPERATIVES | frozenset(["if", "after", "given", "near", "name"])
)
_SENTENCES = re.compile(r"[.?!](?<=[a-z0-9]{3}.) {1,9}[A-Z]")
_NAMED = re.compile(r"(?:the |a |an )?[A-Z\"“]")
_LATE = re.compile(r"(?:(?! wh).){1,80} and (?:(?! wh).){1,80} (?:what|which) ")
"""A question that names its things first: `X and Y are what kind of …?`"""
_PLURAL = re.compile(r"(?:what|which) (?:\w+ ){0,4}(?:are|were|do|did|have|(?!(?:is|was|does|has)\b)\w+s) ")
_OF_THESE = re.compile(r"[.?!] (?:which|who|what) (?:of (?:these|them|the two)|(?:one|two) )")
"""Two things told of first, then asked about."""
_CONTRAST = re.compile(r"what(?:'s| is| are) the (?:main |key |basic |exact )?differences? between")
"""One explanation of two things, not two look-ups."""
_NAME = re.compile(r"[A-Z](?<=\b.)(?<![.?!] .)[\w'’.-]+(?: (?:of |the )?[A-Z][\w'’.-]+)*")
_LONG_NAME = re.compile(
    r"[A-Z](?:(?<=\b.)[\w'’-]+(?: (?:of |the )?[A-Z][\w'’-]+)+|(?<=\b.)[a-z]{3,}(?='s\b)|(?<=the .)[a-z]{3,})"
)
_CHANGE = re.compile(
    r"(?:creas|grow|grew|shr[iu]nk|expand|reduc|enlarg|ris|rose|los|extend|shorten|taller|higher|deep|shallow|swell|"
    r"dimin|doubl|tripl|boost|contract)\w{0,8}[^.?!]{0,40}?(?:\d|double|half|triple)|"
    r"\d ?% (?:\w{1,12}er|\w{1,4}crease|boost)\b"
)
_SUPERLATIVE = re.compile(
    r"\b(?:ratio|difference|average|sum|combined|compar\w*|\w{3,}est|\w{3,}er|most|least|more)\b"
)


def compared(text: str, lower: str, seen: AbstractSet[str]) -> set[str]:
    """Return the marks of one question about two things: `Which is older, X or Y?`, `Are X and Y both …?`.

    None but short prompts with one of the words of `COMPARING` can have any.
    """
    has_and, has_or, than = "and" in seen, "or" in seen, not RANK_WORDS.isdisjoint(seen)
    if "\n" in text.strip():
        return set()
    first = lower.split(None, 1)[0].strip("\"'(")
    if (first not in _ASKING and not text.rstrip().endswith("?")) or _SENTENCES.search(text):
        return {"@of_these"} if has_and and _OF_THESE.search(lower) else set()
    marks: set[str] = set()
    two = (than or "between" in seen) and len(set(_NAME.findall(text, 1))) > 1
    if has_and:
        marks |= _and(text, lower, seen, first, two=two)
    if has_or:
        marks |= _or(text, seen, first)
    if than and two:
        marks.add("@than")
    return marks


def _and(text: str, lower: str, seen: AbstractSet[str], first: str, *, two: bool) -> set[str]:
    joined = any(_ends_named(before) and _NAMED.match(after) for before, after in pairwise(text.split(" and ")))
    paired, yes_no = not PAIR_WORDS.isdisjoint(seen), first in AUXILIARIES
    tests = {
        "@and": joined,
        "@and&yes_no": joined and yes_no,
        "@and&paired": joined and paired,
        "@and&wh": joined and first in QUESTION_WORDS,
        "@and&late": joined and first not in _ASKING and _LATE.match(lower),
        "@and&plural": joined and _PLURAL.match(lower),
        "@both&and": "both" in seen,
        "@paired&yes_no": paired and yes_no,
        "@common": "share" in seen or "in common" in lower,
        "@between": two and "between" in seen and not _CONTRAST.match(lower),
    }
    return {name for name, holds in tests.items() if holds}


def _or(text: str, seen: AbstractSet[str], first: str) -> set[str]:
    sides = pairwise(text.replace(" OR ", " or ").split(" or "))
    if not any(_ends_named(before) or _NAMED.match(after) for before, after in sides):
        return set() if CHOICE_WORDS.isdisjoint(seen) else {"@plain_or"}
    asks = first in QUESTION_WORDS or first in AUXILIARIES or "first" in seen or "which" in seen
    return {"@or", "@or&ask"} if asks else {"@or"}


def _ends_named(before: str) -> bool:
    """Whether the last word is a name or quoted; a number after it is passed over: `flight 12 and …`."""
    words = before.rsplit(None, 2)[-2:]
    last = words[0] if words and words[-1].rstrip(",").isdigit() else "".join(words[-1:])
    return last != last.lower() or '"' in last or "”" in last


def _bare(name: str) -> str:
    """Leave out the words that open a sentence before a name: `Which Lake Baikal`; one word after them is none."""
    words = name.split(" ")
    while words and words[0].lower() in _OPENERS:
        del words[0]
    return " ".join(words) if len(words) > 1 or " " not in name else ""


def combined(text: str, lower: str, seen: AbstractSet[str], count: int) -> set[str]:
    """Return the marks of facts about several things to combine: `the ratio of X to Y, and of Z`."""
    if count > LONGEST_LIST:
        return set()
    found = _LONG_NAME.findall(text)
    names = len(set(filter(None, map(_bare, found)))) if len(found) > 1 else 0  # one is no more than none
    changing = "0" in seen and (names > 1 or "%" in lower) and len(_CHANGE.findall(lower)) > 1
    marks = {"@changes"} if changing else set()
    if names < 2:  # noqa: PLR2004 - one name is nothing to combine
        return marks
    many = names > 2  # noqa: PLR2004 - a pair is mostly a comparison
    combines = not AGGREGATES.isdisjoint(seen)
    superlative = many and _SUPERLATIVE.search(lower)
    tests = {
        f"@names{min(MOST_NAMES, names)}": True,
        "@combine&names": combines,
        "@combine&names3": combines and many,
        "@changes&names": changing,
        "@superlative&names3": superlative,
        "@combine&superlative": combines and superlative,
    }
    return marks | {name for name, holds in tests.items() if holds}
