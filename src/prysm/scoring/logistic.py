"""Logistic regression: P = 1 / (1 + exp(-(bias + Σ weight · value))), small enough to need no library.

Fitted by Newton's method with a ridge penalty (iteratively reweighted least squares; Hastie, Tibshirani and
Friedman, The Elements of Statistical Learning, §4.4).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, inf, log, sqrt
from operator import mul
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Sparse: TypeAlias = list[tuple[int, float]]

MAX_LOGIT = 30.0
STEPS = 25
CONVERGED = 1e-3
LEAST_CURVATURE = 1e-9
UNBOUNDED = (-inf, inf)


@dataclass(frozen=True, slots=True)
class Model:
    """Fitted weights by feature name. A feature that is not there counts as 0, an unknown one is not read.

    `bounds` are what was seen of a feature where it was not 0: beyond its edge a value counts as the edge, for
    nothing is known there.
    """

    bias: float
    weights: Mapping[str, float]
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def logit(self, values: Mapping[str, float]) -> float:
        """Return the log odds."""
        told, bounds = [], self.bounds
        for name, weight in self.weights.items():
            if value := values.get(name):
                low, high = bounds.get(name, UNBOUNDED)
                told.append(weight * (value if low < value < high else min(high, max(low, value))))
        return self.bias + sum(told)

    def covers(self, name: str, values: Mapping[str, float], margin: float) -> bool:
        """Tell whether a value is 0 or like those that were seen."""
        value = values.get(name, 0.0)
        low, high = self.bounds.get(name, UNBOUNDED)
        return not value or low - margin <= value <= high + margin

    def probability(self, values: Mapping[str, float]) -> float:
        """Return P, 0–1."""
        return sigmoid(self.logit(values))

    def to_json(self) -> dict[str, Any]:
        """Return a plain object; features without weight are left out."""
        weights = {name: round(weight, 5) for name, weight in self.weights.items() if round(weight, 5)}
        bounds = {name: [round(edge, 4) for edge in seen] for name, seen in self.bounds.items()}
        return {"bias": round(self.bias, 5), "weights": weights} | ({"bounds": bounds} if bounds else {})

    @classmethod
    def from_json(cls, stored: Any) -> Model:
        """Read what `to_json` wrote."""
        bounds = {str(name): (float(low), float(high)) for name, (low, high) in stored.get("bounds", {}).items()}
        return cls(float(stored["bias"]), {str(name): float(w) for name, w in stored["weights"].items()}, bounds)


def sigmoid(logit: float) -> float:
    """Return the probability of log odds."""
    bounded = logit if -MAX_LOGIT < logit < MAX_LOGIT else max(-MAX_LOGIT, min(MAX_LOGIT, logit))
    return 1 / (1 + exp(-bounded))


def logit(probability: float) -> float:
    """Return the log odds of a probability strictly between 0 and 1."""
    return log(probability / (1 - probability))


def fit(
    names: Sequence[str],
    rows: Sequence[Sequence[float]],
    right: Sequence[bool],
    *,
    weights: Sequence[float] | None = None,
    ridge: float = 1.0,
    signs: Mapping[str, int] | None = None,
) -> Model:
    """Fit weights to outcomes: `rows` hold one value per name, `weights` how much each counts.

    The penalty, in units of observations, acts on values scaled to their range, so that no feature is punished for
    its unit; the bias goes free. A feature that never varies gets weight 0. `signs` (1 or -1) are those that weights
    must have: features that would get the other one go, the worst first, and the rest is fitted without them.
    """
    counts = weights if weights is not None else [1.0] * len(rows)
    wanted = [(signs or {}).get(name, 0) for name in names]
    scales = _scales(rows)
    while True:
        scaled = [_sparse(row, scales) for row in rows]
        bias, *slopes = _newton(scaled, right, counts, len(names) + 1, ridge)
        worst = min(range(len(names)), key=lambda j: slopes[j] * wanted[j], default=0)
        if not names or slopes[worst] * wanted[worst] >= 0:
            return Model(
                bias, {name: slope / scale for name, slope, scale in zip(names, slopes, scales, strict=True)}
            )
        scales[worst] = inf


def _scales(rows: Sequence[Sequence[float]]) -> list[float]:
    """Return a quarter of each column's range, so that a flag that is rare is held back like one that is not.

    For a column that does not vary it is infinite: it counts for nothing.
    """
    ranges = [max(column) - min(column) for column in zip(*rows, strict=True)]
    return [spread / 4 if spread > LEAST_CURVATURE else inf for spread in ranges]


def _sparse(row: Sequence[float], scales: Sequence[float]) -> Sparse:
    """Return what of a row is not 0, with its place; the bias stands first."""
    scaled = ((j, value / scale) for j, (value, scale) in enumerate(zip(row, scales, strict=True), 1))
    return [(0, 1.0), *((j, value) for j, value in scaled if value)]


def _newton(
    rows: Sequence[Sparse], right: Sequence[bool], counts: Sequence[float], width: int, ridge: float
) -> list[float]:
    """Climb the penalised likelihood until no weight moves."""
    beta = [0.0] * width
    for _ in range(STEPS):
        gradient = [0.0] + [-ridge * weight for weight in beta[1:]]
        hessian = [[0.0] * width for _ in range(width)]
        for row, outcome, count in zip(rows, right, counts, strict=True):
            p = sigmoid(sum(beta[j] * value for j, value in row))
            error, spread = count * (outcome - p), count * max(p * (1 - p), LEAST_CURVATURE)
            for n, (j, value) in enumerate(row, 1):
                gradient[j] += error * value
                weighted, line = spread * value, hessian[j]
                for k, other in row[:n]:
                    line[k] += weighted * other
        for j in range(1, width):
            hessian[j][j] += ridge
        step = _solve(hessian, gradient)
        beta = [weight + move for weight, move in zip(beta, step, strict=True)]
        if max(map(abs, step)) < CONVERGED:
            break
    return beta


def _solve(lower: list[list[float]], right: list[float]) -> list[float]:
    """Solve a symmetric positive system, of which the lower half is read, by Cholesky's decomposition."""
    n = len(right)
    root = [[0.0] * n for _ in range(n)]
    for i in range(n):
        for j in range(i + 1):
            rest = lower[i][j] - sum(map(mul, root[i][:j], root[j][:j]))
            root[i][j] = sqrt(max(rest, LEAST_CURVATURE)) if i == j else rest / root[j][j]
    forward: list[float] = []
    for i in range(n):
        forward.append((right[i] - sum(map(mul, root[i][:i], forward))) / root[i][i])
    solution = [0.0] * n
    for i in reversed(range(n)):
        above = sum(root[k][i] * solution[k] for k in range(i + 1, n))
        solution[i] = (forward[i] - above) / root[i][i]
    return solution
