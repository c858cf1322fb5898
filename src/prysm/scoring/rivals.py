"""Words that exclude each other: where one stands in the place of another, the answer is another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prysm.scoring.likeness import FUNCTION_WORDS, grams

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NAME_WORDS = 4
"""Words of a name, at most."""
FRAME_WORDS = 2
"""Words that two texts share around what differs, at least."""
SPELLED_ALIKE, NAMED_ALIKE = 0.5, 0.7
"""Part of their letter pairs that two spellings of a word share, and two of a name: Iran is not Iraq."""
ROOT = 4
ABBREVIATED = 2
"""Letters of an abbreviation by its first and last: `St`, `Dr`, `Mt`."""
_MARKS = tuple(
    (re.compile(pattern), mark)
    for pattern, mark in (
        (r"\$|\bdollars?\b", "money $"),
        (r"€|\beuros?\b", "money €"),
        (r"£|\d pounds? sterling\b", "money £"),
        (r"¥|\byen\b", "money ¥"),
        (r"₹|\brupees?\b", "money ₹"),
        (r"\d\s?b\.?c(?:\.?e)?\b", "era before"),
        (r"\d\s?(?:a\.?d|c\.?e)\b|\ba\.?d\.? \d", "era after"),
        (r"\d\s?a\.?m\b", "half of day before"),
        (r"\d\s?p\.?m\b", "half of day after"),
        (r"\d\s?(?:km|kilomet\w+)\b", "distance km"),
        (r"\d\s?(?:miles?|mi)\b", "distance mi"),
        (r"\d\s?met(?:er|re)s?\b", "distance m"),
        (r"\d\s?(?:feet|foot|ft)\b", "distance ft"),
        (r"\d\s?(?:kg|kilo(?:gram)?s?)\b", "weight kg"),
        (r"\d\s?(?:lbs?|pounds?)\b(?! sterling)", "weight lb"),
        (r"\d\s?(?:°\s?|degrees? )c(?:elsius)?\b", "temperature c"),
        (r"\d\s?(?:°\s?|degrees? )f(?:ahrenheit)?\b", "temperature f"),
    )
)
_MARKED = re.compile(
    r"[$€£¥₹]|\b(?:dollar|euro|yen|rupee)|\ba\.?d\.? \d|\d\s?(?:[abcp]\.?[cdem]|k|mi|met|f|lb|pound|°|degree)"
)
"""What a text without any mark lacks: one search tells."""
_OPPOSED = tuple(
    frozenset(pair.split("/"))
    for pair in _words("hyper/hypo inter/intra maxi/mini macro/micro in/ex in/de im/ex as/des over/under up/down")
)
_HEDGES = _words(
    "usually typically generally commonly often normally mostly mainly probably likely about roughly "
    "very extremely really quite rather"
)
_VERBS = _words("is are was were has had have")


def marks(lower: str) -> frozenset[str]:
    """Return what a number in folded text is one of: a currency, a unit, an era, a half of the day."""
    if not _MARKED.search(lower):
        return frozenset()
    return frozenset(mark for pattern, mark in _MARKS if pattern.search(lower))


def marked_apart(a: AbstractSet[str], b: AbstractSet[str]) -> bool:
    """Tell whether two texts name one of a sort each, and no one of that sort both."""
    return bool(a and b) and any(_sort(a, sort).isdisjoint(_sort(b, sort)) for sort in _sorts(a) & _sorts(b))


def _sorts(found: AbstractSet[str]) -> frozenset[str]:
    return frozenset(mark.rpartition(" ")[0] for mark in found)


def _sort(found: AbstractSet[str], sort: str) -> frozenset[str]:
    return frozenset(mark for mark in found if mark.startswith(sort))


def swapped(a: tuple[str, ...], b: tuple[str, ...], names: AbstractSet[str], told: AbstractSet[str]) -> bool:
    """Tell whether two short texts are the same but in one place, where each has a name or a word of its own.

    `names` are those of both texts, `told` the names and numbers that answer the question. A paraphrase shares those,
    `It lies in Paris` and `It sits in Paris`, and then only opposites are another answer.
    """
    one, other, before, after = _middles(a, b)
    if not (0 < len(one) <= NAME_WORDS and 0 < len(other) <= NAME_WORDS):
        return False
    single = len(one) == len(other) == 1
    if single and _opposed(one[0], other[0]):
        return True
    if len(before) + len(after) < FRAME_WORDS or _alike(one, other, names):
        return False
    subject = not before and bool(after) and after[0] in _VERBS
    if subject or (not names.isdisjoint(one) and not names.isdisjoint(other)):
        return True
    return single and told.isdisjoint((*before, *after))


def _middles(
    a: tuple[str, ...], b: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return what stands in the one and in the other between the words that they begin and end with, and those."""
    shorter = min(len(a), len(b))
    start = next((i for i in range(shorter) if a[i] != b[i]), shorter)
    end = next((i for i in range(shorter - start) if a[-1 - i] != b[-1 - i]), shorter - start)
    return a[start : len(a) - end], b[start : len(b) - end], a[:start], a[len(a) - end :]


def _opposed(one: str, other: str) -> bool:
    """Tell whether two words are one root behind opposed prefixes: `increased` and `decreased`."""
    return any(
        one.startswith(first) and other.startswith(second) and one[len(first) :] == other[len(second) :]
        for pair in _OPPOSED
        for first in pair
        for second in pair - {first}
        if len(one) >= len(first) + ROOT
    )


def _alike(one: tuple[str, ...], other: tuple[str, ...], names: AbstractSet[str]) -> bool:
    """Tell whether one may be the other in another form: a word of both, an inflection, a spelling, initials.

    Function words are no content: where one side has nothing else, nothing is told apart by it.
    """
    if all(len(word) == 1 for word in (*one, *other)):
        return False
    ours, theirs = set(one) - FUNCTION_WORDS - _HEDGES, set(other) - FUNCTION_WORDS - _HEDGES
    if not ours or not theirs:
        return True
    return (
        _initials(one, other)
        or _initials(other, one)
        or any(
            _same(x.replace(".", ""), y.replace(".", ""), NAMED_ALIKE if {x, y} <= names else SPELLED_ALIKE)
            for x in ours
            for y in theirs
        )
    )


def _initials(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    short = "".join(one).replace(".", "")
    return len(other) > 1 and short.startswith("".join(word[0] for word in other)[: len(short)])


def _same(one: str, other: str, least: float) -> bool:
    """Tell whether two words may be one: alike in spelling, the one cut short, or abbreviated as `St` is."""
    short, long = sorted((one, other), key=len)
    if short[0] != long[0]:
        return False
    first, second = grams(short, 2), grams(long, 2)
    near = 2 * len(first & second) >= least * (len(first) + len(second))
    return near or long.startswith(short) or (len(short) <= ABBREVIATED and short[-1] == long[-1])
