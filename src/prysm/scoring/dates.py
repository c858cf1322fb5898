"""Dates as people write them, made comparable: a year, a month and a day, each of which may be left out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_MONTHS = "january february march april may june july august september october november december".split()  # noqa: SIM905 - words read as text
_MONTH = "|".join(f"{month[:3]}(?:{month[3:]})?" if month != "may" else month for month in _MONTHS)
_MONTH_WORDS = frozenset(word for month in _MONTHS for word in (month, month[:3]))
_ISO = re.compile(r"(?<![\w.-])(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?![\w-])")
_HYPHENED = re.compile(r"[-/.](?<=\d{4}.)\d")
_NAMED = re.compile(
    rf"(?:\b(?P<before>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?)?\b(?P<month>{_MONTH})\b\.?"
    r"(?:\s+(?P<after>\d{1,2})(?:st|nd|rd|th)?\b(?![:.]\d))?(?:,?\s+(?:of\s+)?(?P<year>\d{4})\b)?"
)
_NUMBER_OF_MONTH = {month[:3]: at for at, month in enumerate(_MONTHS, 1)}
_LAST_MONTH, _LAST_DAY = 12, 31


class Date(NamedTuple):
    """A date; 0 where it says nothing."""

    year: int
    month: int
    day: int

    def fits(self, other: Date) -> bool:
        """Whether both may be the same day: nothing that both say differs."""
        return all(one == another or not one or not another for one, another in zip(self, other, strict=True))


def dates(lower: str, words: Iterable[str]) -> frozenset[Date]:
    """Return the dates of folded text, given its words, that have a month and a day or a year.

    `01/02/2020` can be read in two ways and is none.
    """
    found = {Date(int(y), int(m), int(d)) for y, m, d in _ISO.findall(lower)} if _HYPHENED.search(lower) else set()
    if not _MONTH_WORDS.isdisjoint(words):
        found |= {date for match in _NAMED.finditer(lower) if (date := _named(match))}
    return frozenset(date for date in found if date.month <= _LAST_MONTH and date.day <= _LAST_DAY)


def whole(lower: str) -> Date | None:
    """Return the date that folded text is, and nothing else."""
    plain = lower.strip(" .,*_`\"'")
    if (iso := _ISO.fullmatch(plain)) is not None:
        return Date(*map(int, iso.groups()))
    named = _NAMED.fullmatch(plain)
    return _named(named) if named else None


def _named(match: re.Match[str]) -> Date | None:
    """Read a month by name; a month alone, or `may` of what may be, is no date."""
    day, year = match["before"] or match["after"], match["year"]
    if not day and not year:
        return None
    return Date(int(year or 0), _NUMBER_OF_MONTH[match["month"][:3]], int(day or 0))
