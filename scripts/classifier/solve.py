"""What the fits share: a sparse table of rows by signs, and a minimiser."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from prysm.classify.model import FEW, UNIT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Loss: TypeAlias = Callable[[Array], tuple[float, Array]]

STEPS, MEMORY = 150, 10
ARMIJO, SMALLEST_STEP, SETTLED = 1e-4, 1e-10, 1e-6


class Table:
    """Rows by signs; the last column is the level. `damped` scales a row as the reader of the weights does."""

    def __init__(self, shown: Sequence[frozenset[str]], at: Mapping[str, int], *, damped: bool) -> None:
        """Index each row's known signs, in the order of their columns: sums come out the same every time."""
        ids = [sorted(at[sign] for sign in row if sign in at) for row in shown]
        damp = [UNIT / max(FEW, len(row)) ** 0.5 if damped else 1.0 for row in ids]
        self.columns = np.array([column for row in ids for column in (*row, len(at))])
        self.starts = np.cumsum([0, *(len(row) + 1 for row in ids[:-1])])
        self.values = np.concatenate([[value] * len(row) + [1.0] for row, value in zip(ids, damp, strict=True)])
        self.rows = np.repeat(np.arange(len(ids)), [len(row) + 1 for row in ids])
        self.order = np.argsort(self.columns, kind="stable")
        self.used, self.firsts = np.unique(self.columns[self.order], return_index=True)
        self.width = len(at) + 1

    def times(self, weights: Array) -> Array:
        """Rows × outputs."""
        out: Array = np.add.reduceat(weights[self.columns] * self.values[:, None], self.starts)
        return out

    def back(self, errors: Array) -> Array:
        """Signs × outputs: the transpose's product."""
        out = np.zeros((self.width, errors.shape[1]))
        parts = errors[self.rows[self.order]] * self.values[self.order][:, None]
        out[self.used] = np.add.reduceat(parts, self.firsts)
        return out


def minimise(loss: Loss, start: Array) -> Array:
    """L-BFGS with backtracking (Nocedal & Wright, Numerical Optimization, algorithm 7.4)."""
    at, (value, slope) = start, loss(start)
    past: list[tuple[Array, Array]] = []
    for _ in range(STEPS):
        step = -_curved(slope, past) if past else -slope / max(1.0, float(np.abs(slope).sum()))
        least = ARMIJO * float((slope * step).sum())
        scale = 1.0
        while (moved := loss(at + scale * step))[0] > value + least * scale and scale > SMALLEST_STEP:
            scale /= 2
        change = (scale * step, moved[1] - slope)
        if (change[0] * change[1]).sum() > 0:
            past = [*past, change][-MEMORY:]
        settled = value - moved[0] < SETTLED * abs(value)
        at, value, slope = at + change[0], *moved
        if settled:
            break
    return at


def _curved(slope: Array, past: Sequence[tuple[Array, Array]]) -> Array:
    """The slope times the inverse curvature that the last changes show."""
    q, shares = slope.copy(), list[float]()
    for moved, turned in reversed(past):
        shares.append(float((moved * q).sum() / (moved * turned).sum()))
        q -= shares[-1] * turned
    moved, turned = past[-1]
    q *= (moved * turned).sum() / (turned * turned).sum()
    for (moved, turned), share in zip(past, reversed(shares), strict=True):
        q += moved * (share - float((turned * q).sum() / (moved * turned).sum()))
    return q
