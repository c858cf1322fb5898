"""What a cascade learns from its own traffic without being told what was right. Bounded, in memory, per process.

When two cheap answers differ and the strong model is asked, it sides with one of them or with neither. Whom it
sided with orders the cheap models; how promising past escalations looked puts the next one in proportion where
nothing was fitted.
"""

from __future__ import annotations

from bisect import bisect_right
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
        self._skipped: defaultdict[str, deque[bool]] = defaultdict(lambda: deque(maxlen=WINDOW))

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

    def is_calm(self, kind: str, usual: float) -> bool:
        """Whether answers are seen to differ no more than is `usual`, so that one may stand alone; no, until seen."""
        seen = self._differed[kind]
        return len(seen) >= WARM and sum(seen) <= usual * len(seen)

    def is_promising(self, kind: str, worth: float) -> bool:
        """Whether an escalation is not among the least promising of late; always, until there were some.

        Ties count as promising, and no more than the given share is passed over, whatever the trend: prompts that grow
        less and less promising would otherwise never be escalated again.
        """
        seen, skipped = self._worth[kind], self._skipped[kind]
        least = bisect_right(sorted(seen), worth) <= SKIPPED * len(seen)
        return len(seen) < WARM or not least or sum(skipped) >= SKIPPED * len(skipped)

    def weighed(self, kind: str, worth: float, *, made: bool) -> None:
        """An escalation was weighed, and made or not."""
        self._worth[kind].append(worth)
        self._skipped[kind].append(not made)
