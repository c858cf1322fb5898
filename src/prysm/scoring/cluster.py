"""Answers that say the same, brought together."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, TypeAlias

from prysm.scoring.equivalence import DENIED, LINK, ready, similarity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.run import Value
    from prysm.scoring.equivalence import Answer
    from prysm.scoring.extract import Kind
    from prysm.scoring.question import Question

APART = DENIED + 0.01
"""Similarity that no pair reaches that contradicts itself."""

Matrix: TypeAlias = tuple[tuple[float, ...], ...]
Group: TypeAlias = tuple[int, ...]


class Compared:
    """What was read and compared of the answers to one question.

    Reading and comparing is nearly all that a vote costs: whoever votes again and again, on ever more answers, keeps
    it, and pays for the new ones only.
    """

    def __init__(self) -> None:
        self._answers: dict[Value | str, Answer] = {}
        self._similarities: dict[tuple[str, Kind | None, str, Kind | None], float] = {}

    def read(self, said: Value | str, question: Question) -> Answer:
        """Read an answer once."""
        if said not in self._answers:
            self._answers[said] = ready(said, question)
        return self._answers[said]

    def similarity(self, a: Answer, b: Answer) -> float:
        """Compare two answers once."""
        pair = a.text, a.data, b.text, b.data
        if pair not in self._similarities:
            self._similarities[pair] = self._similarities[(*pair[2:], *pair[:2])] = similarity(a, b)
        return self._similarities[pair]


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


def cluster(
    answers: Sequence[Answer],
    weights: Sequence[float],
    priority: Sequence[float],
    compared: Compared | None = None,
) -> Clustering:
    """Partition at most some 40 answers by average linkage.

    A pair that contradicts itself never shares a group, however well others would join them. Groups of equal weight
    rank by how close their medoid is to all answers, then by the medoid's `priority`, then by position.
    """
    matrix = _similarities(answers, compared or Compared())
    total = sum(weights)

    def rank(group: Group) -> tuple[float, float, float, Group]:
        centre = _medoid(group, matrix, weights, priority)
        share = sum(weights[i] for i in group) / total
        return -round(share, 9), -round(_mean(matrix[centre], weights), 9), -priority[centre], group

    groups = sorted(_linked(matrix), key=rank)
    return Clustering(
        groups=tuple(groups),
        shares=tuple(sum(weights[i] for i in group) / total for group in groups),
        medoids=tuple(_medoid(group, matrix, weights, priority) for group in groups),
        matrix=matrix,
    )


def _similarities(answers: Sequence[Answer], compared: Compared) -> Matrix:
    """Compare each two answers, equal texts once."""
    n = len(answers)
    rows = [[1.0] * n for _ in range(n)]
    for i, j in combinations(range(n), 2):
        rows[i][j] = rows[j][i] = compared.similarity(answers[i], answers[j])
    return tuple(map(tuple, rows))


def _linked(matrix: Matrix) -> list[Group]:
    """Join the two closest groups until none are close enough.

    The similarity of two groups is the mean over their pairs (average linkage); their sums and least pairs are
    carried along, so that a join costs one row.
    """
    groups: dict[int, Group] = {i: (i,) for i in range(len(matrix))}
    sums = [list(row) for row in matrix]
    least = [list(row) for row in matrix]
    while len(groups) > 1:
        closeness, i, j = max(
            (
                (sums[i][j] / (len(groups[i]) * len(groups[j])) if least[i][j] >= APART else 0.0, i, j)
                for i, j in combinations(groups, 2)
            ),
            key=lambda found: found[0],
        )
        if closeness < LINK:
            break
        groups[i] = tuple(sorted(groups[i] + groups.pop(j)))
        for k in groups:
            sums[i][k] = sums[k][i] = sums[i][k] + sums[j][k]
            least[i][k] = least[k][i] = min(least[i][k], least[j][k])
    return list(groups.values())


def _medoid(group: Group, matrix: Matrix, weights: Sequence[float], priority: Sequence[float]) -> int:
    """Return the member closest to the rest of its group; of equals the one with priority, then the first."""
    inside = [weights[i] for i in group]
    return max(group, key=lambda i: (round(_mean([matrix[i][j] for j in group], inside), 9), priority[i], -i))


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    total = sum(weights)
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / total if total else 0.0
