"""What a cascade learns from its own traffic without being told what was right. Bounded, in memory, per process.

When two cheap answers differ and the strong model is asked, it sides with one of them or with neither. Whom it
sided with orders the cheap models; how promising past escalations looked puts the next one in proportion where
nothing was fitted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict, deque
from math import log

WINDOW = 200
WARM = 20
SKIPPED = 0.15
"""Share of the least promising escalations that is not made in a class that was never fitted."""
STRANGE = 2.5
"""Times as often as where a class was fitted must answers differ for it to count as another class."""
DOUBT = 3
"""Sidings each model is credited with to begin with."""


class Record:
    """Whom strong models sided with, and how promising escalations looked, by class."""

    def __init__(self) -> None:
        self._sided: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._differed: defaultdict[str, deque[bool]] = defaultdict(lambda: deque(maxlen=WINDOW))
        self._worth: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=WINDOW))

    def sided_with(self, kind: str, model: str) -> None:
        """The strong model gave this model's answer, against the other's."""
        counts = self._sided[kind]
        counts[model] += 1
        if counts[model] > WINDOW:
            for name in counts:
                counts[name] //= 2

    def lead(self, kind: str, model: str, other: str) -> float:
        """How much more `model` is to be trusted than `other` when they differ, in log odds."""
        counts = self._sided[kind]
        return log((counts[model] + DOUBT) / (counts[other] + DOUBT))

    def compared(self, kind: str, *, differ: bool) -> None:
        """Two cheap answers were compared."""
        self._differed[kind].append(differ)

    def is_strange(self, kind: str, usual: float) -> bool:
        """Whether answers differ far more often than is `usual` for the class, so that its fit does not hold."""
        seen = self._differed[kind]
        return len(seen) >= WARM and sum(seen) > STRANGE * usual * len(seen)

    def promising(self, kind: str, worth: float) -> bool:
        """Whether an escalation is not among the least promising of late; always, until there were some."""
        seen = self._worth[kind]
        rank = bisect_left(sorted(seen), worth)
        enough = len(seen) < WARM or rank >= SKIPPED * len(seen)
        seen.append(worth)
        return enough
