"""Answers that say the same, brought together."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, TypeAlias

from prysm.scoring.equivalence import LINK, similarity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.scoring.equivalence import Answer

Matrix: TypeAlias = tuple[tuple[float, ...], ...]
Group: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Clustering:
    """A partition of n answers, heaviest group first.

    `groups` hold positions, `shares` their part of the weight (together 1), `medoids` the most central member of
    each, `matrix` the n × n similarities, 1 on the diagonal.
    """

    groups: tuple[Group, ...]
    shares: tuple[float, ...]
    medoids: tuple[int, ...]
    matrix: Matrix

    def degree(self, i: int, weights: Sequence[float]) -> float:
        """Return the weighted mean of the similarities of answer `i` to all answers, itself included."""
        return _mean(self.matrix[i], weights)


def cluster(answers: Sequence[Answer], weights: Sequence[float]) -> Clustering:
    """Partition at most some 40 answers by average linkage; the order they come in decides only exact ties.

    A pair that a veto keeps apart never shares a group, however well others would join them.
    """
    matrix = _similarities(answers)
    groups = _linked(matrix)
    total = sum(weights)
    share = {group: sum(weights[i] for i in group) / total for group in groups}
    medoid = {group: _medoid(group, matrix, weights) for group in groups}
    ranked = sorted(groups, key=lambda group: (-share[group], -_mean(matrix[medoid[group]], weights), group))
    return Clustering(
        groups=tuple(ranked),
        shares=tuple(share[group] for group in ranked),
        medoids=tuple(medoid[group] for group in ranked),
        matrix=matrix,
    )


def _similarities(answers: Sequence[Answer]) -> Matrix:
    n = len(answers)
    rows = [[1.0] * n for _ in range(n)]
    for i, j in combinations(range(n), 2):
        rows[i][j] = rows[j][i] = similarity(answers[i], answers[j])
    return tuple(map(tuple, rows))


def _linked(matrix: Matrix) -> list[Group]:
    """Join the two closest groups until none are close enough."""
    groups: list[Group] = [(i,) for i in range(len(matrix))]
    while len(groups) > 1:
        closeness, one, other = max(
            ((_closeness(a, b, matrix), a, b) for a, b in combinations(groups, 2)), key=lambda found: found[0]
        )
        if closeness < LINK:
            break
        groups = [group for group in groups if group not in (one, other)]
        groups.append(tuple(sorted(one + other)))
    return groups


def _closeness(a: Group, b: Group, matrix: Matrix) -> float:
    pairs = [matrix[i][j] for i in a for j in b]
    return 0.0 if min(pairs) < APART else sum(pairs) / len(pairs)


APART = 0.41
"""Similarity that no vetoed pair exceeds (`equivalence.OTHER_FACTS`, and a hair)."""


def _medoid(group: Group, matrix: Matrix, weights: Sequence[float]) -> int:
    """Return the member closest to the rest of its group, the first of equals."""
    inside = [weights[i] for i in group]
    return max(group, key=lambda i: (_mean([matrix[i][j] for j in group], inside), -i))


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    total = sum(weights)
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / total if total else 0.0
