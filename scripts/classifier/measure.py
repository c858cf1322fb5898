"""Measure the prompt classifier on rows its fit has not seen: five folds, and each source left out."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np

from prysm.classify import COMPOUND_FROM
from prysm.classify.model import COMPOUND, DIFFICULTY, LANES
from prysm.classify.requests import ENUMERATED
from prysm.core.model import TASKS

from .fit import held_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    from prysm.core.model import Task

    from .rows import Row
    from .solve import Array

    Bools: TypeAlias = NDArray[np.bool_]
    Names: TypeAlias = NDArray[np.str_]
    Statistic: TypeAlias = Callable[[Names, Names], float]

SCORED: tuple[Task, ...] = ("code", "math", "reasoning", "writing", "factual")
"""Classes with enough rows to be scored; the answer may be any of the nine tasks."""
HIGH = 0.7
"""FLASK's levels above this ask for the knowledge of a major or of an expert."""
RESAMPLES = 1_000


def report(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the figures line by line; takes about half a minute."""
    yield f"{len(rows)} prompts; [..] is a 95 % bootstrap interval over rows"
    splits: dict[str, Sequence[object]] = {
        "5 folds": [row.fold for row in rows],
        "each source left out": [row.source for row in rows],
        "data sets left out, a tenth at a time": [sum(row.data_set.encode()) % 10 for row in rows],
    }
    for name, parts in splits.items():
        scores = held_out(rows, parts)
        yield f"\n== {name}"
        yield from task_lines(rows, scores)
        yield from compound_lines(rows, scores)
        yield from difficulty_lines(rows, scores, parts)


def task_lines(rows: Sequence[Row], scores: Array) -> Iterator[str]:
    """Macro-F1 and F1 by class, accuracy by source, and what was said for each class."""
    said = np.array(TASKS)[scores[:, : len(TASKS)].argmax(axis=1)]
    truth = np.array([row.task or "" for row in rows])
    scored = np.isin(truth, SCORED)
    each = ", ".join(f"{label} {f1(truth[scored], said[scored], label):.3f}" for label in SCORED)
    yield f"task      macro-F1 {estimate(truth[scored], said[scored], macro_f1)} of {scored.sum()}: {each}"
    yield f"          accuracy: {shares(rows, scored, truth == said)}"
    table: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for label, one in zip(truth.tolist(), said.tolist(), strict=True):
        table[label][one] += 1
    for label in (task for task in TASKS if task in table):
        yield f"          {label} → {', '.join(f'{task} {count}' for task, count in table[label].most_common())}"


def compound_lines(rows: Sequence[Row], scores: Array) -> Iterator[str]:
    """F1, precision, recall and false alarms, and the share called compound by source."""
    log_odds = scores[:, LANES.index(COMPOUND)]
    called = (log_odds > COMPOUND_FROM) | np.array([ENUMERATED in row.signs for row in rows])
    known = np.array([row.compound is not None for row in rows])
    yes = np.array([bool(row.compound) for row in rows])
    precision, recall = yes[known & called].mean(), called[yes].mean()
    alarms = called[known & ~yes].mean()
    yield (
        f"compound  F1 {estimate(yes[known].astype(str), called[known].astype(str), yes_f1)} of {known.sum()}, "
        f"{yes.sum()} yes: precision {precision:.3f}, recall {recall:.3f}, false alarms {alarms:.3f}, "
        f"AUROC {auroc(log_odds[known], yes[known]):.3f}"
    )
    yield f"          called compound: {shares(rows, known, called)}"


def difficulty_lines(rows: Sequence[Row], scores: Array, parts: Sequence[object]) -> Iterator[str]:
    """Rank correlation of the fitted half with people's levels, and the AUROC of the upper two; if it can be known."""
    known = np.array([row.difficulty is not None for row in rows])
    if len({part for part, has in zip(parts, known, strict=True) if has}) < 2:  # noqa: PLR2004 - no level to learn from
        return
    level = np.array([row.difficulty or 0.0 for row in rows])[known]
    score = scores[known, LANES.index(DIFFICULTY)]
    yield (
        f"level     Spearman {spearman(score, level):.3f}, AUROC of the upper two levels "
        f"{auroc(score, level > HIGH):.3f}, of {known.sum()}; the fitted half alone"
    )


def shares(rows: Sequence[Row], among: Bools, holds: Bools) -> str:
    """Say for what share of each source something holds."""
    sources = np.array([row.source for row in rows])[among]
    return ", ".join(
        f"{name} {holds[among][sources == name].mean():.3f} of {(sources == name).sum()}"
        for name in np.unique(sources)
    )


def f1(truth: Names, said: Names, label: str) -> float:
    """Harmonic mean of precision and recall of one label."""
    both = ((truth == label) & (said == label)).sum()
    return float(2 * both / max(1, (truth == label).sum() + (said == label).sum()))


def macro_f1(truth: Names, said: Names) -> float:
    """Mean F1 of the scored classes."""
    return float(np.mean([f1(truth, said, label) for label in SCORED]))


def yes_f1(truth: Names, said: Names) -> float:
    """F1 of yes."""
    return f1(truth, said, "True")


def estimate(truth: Names, said: Names, statistic: Statistic) -> str:
    """Say the statistic with its percentile bootstrap interval over rows."""
    rng = np.random.default_rng(0)
    draws = (rng.integers(len(truth), size=len(truth)) for _ in range(RESAMPLES))
    low, high = np.percentile([statistic(truth[draw], said[draw]) for draw in draws], [2.5, 97.5])
    return f"{statistic(truth, said):.3f} [{low:.3f}, {high:.3f}]"


def auroc(scores: Array, truth: Bools) -> float:
    """Share of (true, false) pairs that the scores order rightly; ties count half."""
    order = np.sort(scores[~truth])
    low, high = np.searchsorted(order, scores[truth]), np.searchsorted(order, scores[truth], side="right")
    return float((low + high).mean() / 2 / len(order))


def spearman(a: Array, b: Array) -> float:
    """Spearman's rank correlation, ties averaged."""
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: Array) -> Array:
    order = np.sort(values)
    ranks: Array = (np.searchsorted(order, values) + np.searchsorted(order, values, side="right")) / 2
    return ranks
