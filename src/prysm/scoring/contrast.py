"""What sets apart two texts that are alike: a denial, another number, date or name of code, the order of the words.

Two statements that share nearly every word are alike to any measure of words, and yet `X` and `not X`, `Alice beat
Bob` and `Bob beat Alice` are never one answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from prysm.scoring import denial, rivals
from prysm.scoring.dates import Date, dates, whole
from prysm.scoring.denial import NEGATIONS, Denial
from prysm.scoring.likeness import FUNCTION_WORDS, jaccard
from prysm.scoring.notation import operators, tokens

ALIKE = 0.60
"""Part of the words that two texts share when a negation or a number is about all that sets them apart."""
BRIEF_WORDS, FEW_WORDS = 25, 8


_NEGATING = re.compile(r"^(?:un|in|im|il|ir|non|dis)(?=[a-z]{4})")
_NUMBER = re.compile(r"(?<![\w.])[-−]?\d+(?:[.,]\d+)*")
_ORDINAL = re.compile(r"\b[A-Z][a-z]+ ([IVX]{1,4})\b(?! [a-z])")
"""The number of a king or a war: `Henry V`."""
_IDENTIFIER = re.compile(r"\b[a-z_][\w.]*(?=\()|(?<=`)[^`\n]{1,60}(?=`)")
_CODE = re.compile(r"[_(`]")
_NAME = re.compile(r"(?<=[\w,;'’(\"] )[A-Z][\w'’.-]*\w")
"""A word with a capital that opens no sentence."""
_SEPARATOR = re.compile(r"[,;\n/&]|\b(?:and|or|is|are|was|were)\b")
"""What stands between things that may change places: those of a list, and the two sides of `is`."""


@dataclass(frozen=True, slots=True)
class Exact:
    """What of a text is the same as another's or not, nothing between; `content` are the words that carry meaning.

    `names` and `told` are read of a brief text alone: its names, and those and the numbers that the question did not
    bring.
    """

    lower: str
    plain: tuple[str, ...]
    content: frozenset[str]
    numbers: frozenset[str]
    identifiers: frozenset[str]
    dates: frozenset[Date]
    denial: Denial
    marks: frozenset[str]
    names: frozenset[str]
    told: frozenset[str]


def read(text: str, lower: str, plain: tuple[str, ...], known: frozenset[str]) -> Exact:
    """Read a text once; `lower` is it folded, `plain` the words of that, `known` the words of the question."""
    brief = len(plain) <= BRIEF_WORDS
    names = frozenset(map(str.lower, _NAME.findall(text))) if brief else frozenset[str]()
    numbers = _numbers(lower, brief=brief) | frozenset(map(str.lower, _ORDINAL.findall(text)))
    return Exact(
        lower=lower,
        plain=plain,
        content=frozenset(plain) - FUNCTION_WORDS - NEGATIONS,
        numbers=numbers - known,
        identifiers=_identifiers(lower, plain) - known if _CODE.search(lower) else frozenset(),
        dates=dates(lower, plain),
        denial=denial.read(lower, plain),
        marks=rivals.marks(lower) if brief else frozenset(),
        names=names,
        told=(names | numbers) - known if brief else frozenset(),
    )


def equal(a: Exact, b: Exact) -> bool:
    """Tell whether two texts are the same words and operators in the same order, or give one date."""
    worded = bool(a.plain) and a.plain == b.plain and operators(a.lower) == operators(b.lower)
    return worded or _one_date(a, b) or _one_date(b, a)


def apart(a: Exact, b: Exact) -> bool:
    """Tell whether two texts are one statement but for what makes it another: no two of them are the same answer."""
    return (
        remarked(a, b) or _redated(a, b) or _denied(a, b) or _renumbered(a, b) or _reordered(a, b) or _swapped(a, b)
    )


def remarked(a: Exact, b: Exact) -> bool:
    """Tell whether two brief texts speak of other currencies, eras or halves of the day: `44 BC` and `44 AD`."""
    return rivals.marked_apart(a.marks, b.marks)


def _swapped(a: Exact, b: Exact) -> bool:
    """Tell whether two brief texts have another name or word in the same place."""
    brief = max(len(a.plain), len(b.plain)) <= BRIEF_WORDS
    return brief and rivals.swapped(a.plain, b.plain, a.names | b.names, a.told & b.told)


def _one_date(a: Exact, b: Exact) -> bool:
    """Tell whether a text is nothing but the one date that a brief other gives: `It was signed on 4 July 1776`."""
    if len(a.dates) != 1 or a.dates != b.dates or len(b.plain) > BRIEF_WORDS or b.denial.negations:
        return False
    return whole(a.lower) is not None


def _denied(a: Exact, b: Exact) -> bool:
    """Tell whether one text denies what the other says: `True` and `It is not true`."""
    one, other = a.denial, b.denial
    if one.opposes(other) or other.opposes(one):
        return True
    if one.negations % 2 != other.negations % 2:
        brief = max(len(a.plain), len(b.plain)) <= FEW_WORDS
        shared = one.asserted <= other.asserted or other.asserted <= one.asserted
        return (_alike(one.asserted, other.asserted) or (brief and shared)) and _concern(one, other)
    only = (a.content - b.content, b.content - a.content)
    opposed = {
        root for one, other in (only, only[::-1]) for word in one if (root := _NEGATING.sub("", word)) in other
    }
    return bool(opposed) and all(len(words) == 1 for words in only)


def _concern(a: Denial, b: Denial) -> bool:
    return a.concerns(b) if a.negations > b.negations else b.concerns(a)


def _renumbered(a: Exact, b: Exact) -> bool:
    """Tell whether two texts differ in their numbers or names of code, and in little else."""
    one, other = a.numbers | a.identifiers, b.numbers | b.identifiers
    return not (one <= other or other <= one) and _alike(a.content - one - other, b.content - one - other)


def _redated(a: Exact, b: Exact) -> bool:
    """Tell whether both give a date, and not one that may be the same."""
    return bool(a.dates and b.dates) and not any(one.fits(other) for one in a.dates for other in b.dates)


def _reordered(a: Exact, b: Exact) -> bool:
    """Tell whether the same words stand in another order that is neither a list's nor a turned name's.

    `Google and Yahoo` is `Yahoo and Google`, `President Obama` is `Obama, President`; `Alice beat Bob` is another.
    """
    if len(a.plain) != len(b.plain):
        return False
    if a.plain == b.plain:
        return operators(a.lower) != operators(b.lower)
    if sorted(a.plain) != sorted(b.plain):
        return False
    turned = any(a.plain[i:] + a.plain[:i] == b.plain for i in range(len(a.plain)))
    return not turned and _items(a.lower) != _items(b.lower)


def _items(lower: str) -> list[list[str]]:
    return sorted(tokens(item) for item in _SEPARATOR.split(lower))


def _alike(a: frozenset[str], b: frozenset[str]) -> bool:
    return a == b or jaccard(a, b) >= ALIKE


def _identifiers(lower: str, plain: tuple[str, ...]) -> frozenset[str]:
    """Return the names of code: `a_b`, `f(…)`, and what stands in backticks."""
    quoted = [name for one in _IDENTIFIER.findall(lower) for name in tokens(one)]
    return frozenset(quoted).union(word for word in plain if "_" in word)


def _numbers(lower: str, *, brief: bool) -> frozenset[str]:
    """Return the numbers of a text; in a brief one a repeated number counts again: `5 ft 5` is not `5 ft 6`."""
    found: set[str] = set()
    for written in _NUMBER.findall(lower):
        number = written.replace(",", "")
        found.add(f"{number} again" if brief and number in found else number)
    return frozenset(found)
