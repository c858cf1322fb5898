"""How good probabilities were: discrimination (AUROC), calibration (ECE) and the table behind it.

Intervals are percentile bootstraps over groups, so that rows of one prompt do not pass for independent.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BINS = 10
DRAWS = 200
INTERVAL = 0.95

Judged = tuple[float, bool]
"""A probability and its outcome."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers whose confidence fell into one tenth: how many, their mean confidence, and how many were right."""

    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """Figures over a set of answers. `auroc` is `None` when all were right or all wrong; intervals are 95 %."""

    n: int
    accuracy: float
    confidence: float
    auroc: float | None
    auroc_ci95: tuple[float, float] | None
    ece: float
    ece_ci95: tuple[float, float]
    table: tuple[Bin, ...]


def reliability(judged: Sequence[tuple[float, bool, str]], *, seed: int = 0, draws: int = DRAWS) -> Reliability:
    """Measure probabilities against outcomes; the third of each is its group. At least one is needed."""
    groups: defaultdict[str, list[Judged]] = defaultdict(list)
    for probability, right, group in judged:
        groups[group].append((probability, right))
    everything = [(probability, right) for probability, right, _ in judged]
    samples = _resampled(list(groups.values()), random.Random(seed), draws)  # noqa: S311 - a bootstrap, no secret
    ranks = [value for sample in samples if (value := auroc(sample)) is not None]
    return Reliability(
        n=len(judged),
        accuracy=_mean(right for _, right in everything),
        confidence=_mean(probability for probability, _ in everything),
        auroc=auroc(everything),
        auroc_ci95=_interval(ranks) if ranks else None,
        ece=ece(everything),
        ece_ci95=_interval([ece(sample) for sample in samples]),
        table=bins(everything),
    )


def auroc(judged: Sequence[Judged]) -> float | None:
    """Return P(a right answer is trusted more than a wrong one), ties half; `None` without both."""
    ordered = sorted(judged)
    right = sum(1 for _, correct in ordered if correct)
    wrong = len(ordered) - right
    if not right or not wrong:
        return None
    rank_sum, at = 0.0, 0
    while at < len(ordered):
        end, hits = at, 0
        while end < len(ordered) and ordered[end][0] == ordered[at][0]:
            hits += ordered[end][1]
            end += 1
        rank_sum += hits * (at + end + 1) / 2
        at = end
    return (rank_sum - right * (right + 1) / 2) / (right * wrong)


def ece(judged: Sequence[Judged]) -> float:
    """Return the expected calibration error: |confidence - accuracy|, averaged over ten bins of equal width."""
    return sum(abs(found.confidence - found.accuracy) * found.n for found in bins(judged)) / len(judged)


def bins(judged: Iterable[Judged]) -> tuple[Bin, ...]:
    """Return the bins that are not empty, from low to high."""
    sums: defaultdict[int, list[float]] = defaultdict(lambda: [0, 0.0, 0])
    for probability, right in judged:
        found = sums[min(int(probability * BINS), BINS - 1)]
        found[0] += 1
        found[1] += probability
        found[2] += right
    return tuple(Bin(int(n), total / n, hits / n) for _, (n, total, hits) in sorted(sums.items()))


def _resampled(groups: list[list[Judged]], rng: random.Random, draws: int) -> list[list[Judged]]:
    return [[one for group in rng.choices(groups, k=len(groups)) for one in group] for _ in range(draws)]


def _interval(values: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(values)
    cut = int((1 - INTERVAL) / 2 * len(ordered))
    return ordered[cut], ordered[-1 - cut]


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
