"""The measures of a report: resampled intervals, ranking, calibration, in plain Python."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

DRAWS = 2_000
BINS = 10
LOW, HIGH = 0.025, 0.975

Interval: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Percentile intervals from resampled rows (Efron 1979).

    One seed draws the same rows for every figure over as many rows, so differences are paired.
    """

    seed: int

    def mean(self, values: Sequence[float]) -> Interval | None:
        """The 95 % interval of a mean; `None` without values."""
        return self.ratio(values, [1] * len(values))

    def ratio(self, above: Sequence[float], below: Sequence[float]) -> Interval | None:
        """The 95 % interval of sum(above) / sum(below); `None` without values or with nothing below."""
        if not above or not sum(below):
            return None
        drawn = sorted(
            sum(map(above.__getitem__, rows)) / (sum(map(below.__getitem__, rows)) or 1)
            for rows in _draws(self.seed, len(above))
        )
        return drawn[round(LOW * (DRAWS - 1))], drawn[round(HIGH * (DRAWS - 1))]


@lru_cache(maxsize=2)
def _draws(seed: int, n: int) -> list[list[int]]:
    rng = random.Random(f"{seed}:{n}")  # noqa: S311 - a repeatable draw of rows, no secret
    every = range(n)
    return [rng.choices(every, k=n) for _ in range(DRAWS)]


def auroc(scores: Sequence[float], right: Sequence[bool]) -> float | None:
    """P(a right answer scores above a wrong one), ties counting half; `None` when all are right or all wrong."""
    wrongs = sorted(score for score, ok in zip(scores, right, strict=True) if not ok)
    rights = [score for score, ok in zip(scores, right, strict=True) if ok]
    if not wrongs or not rights:
        return None
    wins = sum(bisect_left(wrongs, score) + bisect_right(wrongs, score) for score in rights)
    return wins / (2 * len(rights) * len(wrongs))


def ece(scores: Sequence[float], right: Sequence[bool]) -> float | None:
    """Expected calibration error over ten equal-width bins (Naeini 2015); `None` without scores."""
    if not scores:
        return None
    bins: list[list[float]] = [[] for _ in range(BINS)]
    for score, ok in zip(scores, right, strict=True):
        bins[min(BINS - 1, int(score * BINS))].append(score - ok)
    return sum(abs(sum(gaps)) for gaps in bins) / len(scores)
