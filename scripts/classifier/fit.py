"""Fit the weights of the prompt classifier: tasks, compound, difficulty.

All three start from `lexicon.py` and are pulled back to it (a Gaussian prior around the hand-set weights): what few
rows say moves little, what no row says stays. Signs seen in one data set only are left out, and a (class, data set)
weighs as the square root of its rows: both keep the style of a source from standing in for the task.
"""

from __future__ import annotations

import base64
import json
import random
import textwrap
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from prysm.classify.model import LANES, ZERO
from prysm.core.model import TASKS

from .lexicon import COMPOUND, COMPOUND_BIAS, task_weights
from .made_up import compounds, singles
from .rows import signs_of
from .solve import Table, minimise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .rows import Row
    from .solve import Array

MADE_UP, MADE_UP_SINGLES = 900, 150
LEAST_ROWS, LEAST_SETS = 3, 2
"""A sign is kept from that many rows of that many data sets."""
TRUST = 0.7
"""How much of the lexicon's weights the tasks start from."""
HOLD_WORD, HOLD_SHAPE, HOLD_BIAS = 5.0, 30.0, 30.0
"""How hard the tasks hold on to the lexicon; shapes and level are what differs most between sources."""
COMPOUND_WORD, COMPOUND_SHAPE, COMPOUND_FREE = 30.0, 15.0, 0.1
RIDGE = 30.0
LEAST_WEIGHT = 2
"""Signs that never weigh as many 127ths of the heaviest are not stored."""
LINE = 112
"""Characters a line of the weights file holds at most."""


def known_signs(rows: Sequence[Row]) -> dict[str, int]:
    """Number the signs that several data sets show, and those of the lexicon."""
    count: Counter[str] = Counter()
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        count.update(row.signs)
        for sign in row.signs:
            seen[sign].add(row.data_set)
    kept = {sign for sign in count if count[sign] >= LEAST_ROWS and len(seen[sign]) >= LEAST_SETS}
    return {sign: at for at, sign in enumerate(sorted(kept.union(task_weights(), COMPOUND)))}


def balanced(groups: Sequence[tuple[str, str]]) -> Array:
    """Weigh rows so that a (class, data set) counts as the root of its rows and every class as much as another."""
    count = Counter(groups)
    weights = np.array([count[group] ** -0.5 for group in groups])
    total: defaultdict[str, float] = defaultdict(float)
    for (label, _), weight in zip(groups, weights, strict=True):
        total[label] += weight
    share = np.array([weight / total[label] for (label, _), weight in zip(groups, weights, strict=True)])
    share *= len(groups) / share.sum()
    return share


def fit_tasks(rows: Sequence[Row], at: Mapping[str, int]) -> Array:
    """Multinomial logistic regression around the lexicon. Signs + 1 by tasks."""
    start = np.zeros((len(at) + 1, len(TASKS)))
    for sign, by_task in task_weights().items():
        for task, weight in by_task.items():
            start[at[sign], TASKS.index(task)] = TRUST * weight
    hold = np.array([*(HOLD_SHAPE if sign[0] in "#@" else HOLD_WORD for sign in at), HOLD_BIAS])[:, None]
    labelled = [(row, row.task) for row in rows if row.task]
    table = Table([row.signs for row, _ in labelled], at, damped=True)
    weights = balanced([(task, row.data_set) for row, task in labelled])[:, None]
    names: list[str] = list(TASKS)
    truth = np.eye(len(names))[[names.index(task) for _, task in labelled]]

    def loss(now: Array) -> tuple[float, Array]:
        scores = table.times(now)
        scores -= scores.max(axis=1, keepdims=True)
        logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        away = now - start
        value = -(weights * truth * logs).sum() + 0.5 * (hold * away * away).sum()
        return float(value), table.back((np.exp(logs) - truth) * weights) + hold * away

    return minimise(loss, start)


def fit_compound(rows: Sequence[Row], at: Mapping[str, int], seed: int = 0) -> Array:
    """Logistic regression around the lexicon, on the rows and on made-up prompts. Signs + 1 by one."""
    start = np.zeros((len(at) + 1, 1))
    for sign, weight in COMPOUND.items():
        start[at[sign]] = weight
    start[-1] = COMPOUND_BIAS
    hold = [*(COMPOUND_SHAPE if sign[0] in "#@" else COMPOUND_WORD for sign in at), COMPOUND_FREE]
    examples = [(row.signs, row.data_set, bool(row.compound)) for row in rows if row.compound is not None]
    examples += _made_up([row.prompt for row in rows if row.compound is False], seed)
    table = Table([shown for shown, _, _ in examples], at, damped=False)
    count = Counter(data_set for _, data_set, _ in examples)
    weights = np.array([count[data_set] ** -0.5 for _, data_set, _ in examples])
    return _logistic(table, [yes for _, _, yes in examples], weights / weights.mean(), start, np.array(hold))


def _made_up(prompts: Sequence[str], seed: int) -> list[tuple[frozenset[str], str, bool]]:
    """Made-up prompts teach structure only: their words are ours."""
    rnd = random.Random(seed)  # noqa: S311 - no secret is drawn
    made = [(prompt, True) for prompt in compounds(prompts, MADE_UP, rnd)]
    made += [(prompt, False) for prompt in singles(MADE_UP_SINGLES, rnd)]
    return [
        (frozenset(sign for sign in signs_of(prompt) if sign[0] in "#@"), "made up", yes) for prompt, yes in made
    ]


def _logistic(table: Table, yes: Sequence[bool], weigh: Array, start: Array, held: Array) -> Array:
    truth, weights, hold = np.array(yes, dtype=float)[:, None], weigh[:, None], held[:, None]

    def loss(now: Array) -> tuple[float, Array]:
        scores, away = table.times(now), now - start
        value = (weights * (np.logaddexp(0, scores) - truth * scores)).sum() + 0.5 * (hold * away * away).sum()
        return float(value), table.back(weights * (1 / (1 + np.exp(-scores)) - truth)) + hold * away

    return minimise(loss, start)


def fit_difficulty(rows: Sequence[Row], at: Mapping[str, int]) -> Array:
    """Ridge regression on the levels people gave. Signs + 1 by one; zeros when no row has a level."""
    graded = [(row.signs, row.difficulty) for row in rows if row.difficulty is not None]
    start = np.zeros((len(at) + 1, 1))
    if not graded:
        return start
    table = Table([shown for shown, _ in graded], at, damped=True)
    truth = np.array([grade for _, grade in graded])[:, None]
    start[-1] = truth.mean()
    hold = np.full((len(at) + 1, 1), RIDGE)
    hold[-1] = COMPOUND_FREE

    def loss(now: Array) -> tuple[float, Array]:
        error, away = table.times(now) - truth, now - start
        value = 0.5 * (error * error).sum() + 0.5 * (hold * away * away).sum()
        return float(value), table.back(error) + hold * away

    return minimise(loss, start)


@dataclass(frozen=True, slots=True)
class Fitted:
    """Signs, and their weights by lane: tasks, compound, difficulty."""

    at: Mapping[str, int]
    weights: Array

    def scores(self, rows: Sequence[Row]) -> Array:
        """Rows × lanes."""
        shown = [row.signs for row in rows]
        scores = Table(shown, self.at, damped=True).times(self.weights)
        plain = Table(shown, self.at, damped=False).times(self.weights)
        scores[:, len(TASKS)] = plain[:, len(TASKS)]
        return scores

    def dumps(self, version: str) -> str:
        """A byte a weight; tasks share a scale, compound and difficulty have their own. Short lines, to be read."""
        body, top = self.weights[:-1], np.abs(self.weights[:-1]).max(axis=0)
        top[: len(TASKS)] = top[: len(TASKS)].max()
        scales = np.maximum(top, 1e-9) / (ZERO - 1)
        whole = np.rint(body / scales).astype(int)
        kept = [sign for sign, at in self.at.items() if np.abs(whole[at]).max() >= LEAST_WEIGHT]
        stored = (whole[[self.at[sign] for sign in kept]] + ZERO).astype(np.uint8)
        raw = {
            "version": version,
            "lanes": LANES,
            "scales": [round(float(scale), 8) for scale in scales],
            "biases": [round(float(bias), 5) for bias in self.weights[-1]],
            "signs": _wrapped(" ".join(kept)),
            "weights": _wrapped(base64.b64encode(stored.tobytes()).decode()),
        }
        return json.dumps(raw, ensure_ascii=False, indent=0) + "\n"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, LINE, break_on_hyphens=False)


def fit(rows: Sequence[Row]) -> Fitted:
    """Fit every lane on the rows that say something of it."""
    at = known_signs(rows)
    return Fitted(at, np.hstack([fit_tasks(rows, at), fit_compound(rows, at), fit_difficulty(rows, at)]))


def held_out(rows: Sequence[Row], parts: Sequence[object]) -> Array:
    """Score every row by a fit that saw neither its part nor a copy of its prompt. Rows × lanes."""
    out = np.zeros((len(rows), len(LANES)))
    for part in sorted(set(parts), key=str):
        test = [at for at, of in enumerate(parts) if of == part]
        keys = {rows[at].key for at in test}
        train = [row for row, of in zip(rows, parts, strict=True) if of != part and row.key not in keys]
        out[test] = fit(train).scores([rows[at] for at in test])
    return out
