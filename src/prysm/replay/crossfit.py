"""Figures of the fitted cascade on rows that the fit has not seen.

`python -m prysm.replay.crossfit --set FILE=M1,…,MN … --prices FILE [--folds 2] [--seed 0 1 …] [--leave-out]` – fits
the gate on all but one fold of every set, replays that fold, and reports each set as a whole. With `--leave-out`
each set is replayed under a gate that was fitted on the other sets alone. A seed deals the folds and draws the pools
of the fit; several are reported one by one, and then together.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import fmean
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from prysm.core.plan import Policy
from prysm.planner import Planner
from prysm.planner.table import BARS
from prysm.replay.fit_gate import Set, fit, look
from prysm.replay.play import Settings, play_all
from prysm.replay.pool import catalog, read_prices
from prysm.replay.recording import read
from prysm.replay.report import DIGITS, Figures, reference
from prysm.replay.statistics import Bootstrap
from prysm.strategies import STRATEGIES
from prysm.strategies.cascade import Cascade
from prysm.strategies.gate import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prysm.replay.play import Played
    from prysm.replay.pool import Prices
    from prysm.replay.recording import Row


@dataclass(frozen=True, slots=True)
class Recorded:
    """A set as it is replayed (`rows`) and as it is fitted (`seen`)."""

    name: str
    pool: Sequence[str]
    rows: Sequence[Row]
    seen: Set

    def without(self, held: frozenset[int]) -> Set:
        """What may be fitted when some rows are held out."""
        return Set(self.seen.pool, [row for i, row in enumerate(self.seen.rows) if i not in held])


def open_set(path: str, pool: str) -> Recorded:
    """Read a set for both uses; rows that lack an answer of the pool are left out."""
    names = pool.split(",")
    rows = [row for row in read(Path(path)) if all(name in row.answers for name in names)]
    return Recorded(Path(path).name, names, rows, look(rows, names))


def folds(rows: int, n: int, seed: int) -> list[frozenset[int]]:
    """Deal rows into `n` folds."""
    order = list(range(rows))
    random.Random(seed).shuffle(order)  # noqa: S311 - a repeatable deal, no secret
    return [frozenset(order[i::n]) for i in range(n)]


def crossfitted(
    sets: Sequence[Recorded], n: int, seed: int
) -> Iterator[tuple[int, frozenset[int], dict[str, Any]]]:
    """Set by set and fold by fold: the rows held out of all sets' fit, and the fit."""
    dealt = [folds(len(one.rows), n, seed) for one in sets]
    for k in range(n):
        stored = fit([one.without(own[k]) for one, own in zip(sets, dealt, strict=True)], seed)
        yield from ((at, own[k], stored) for at, own in enumerate(dealt))


def left_out(sets: Sequence[Recorded], seed: int) -> Iterator[tuple[int, frozenset[int], dict[str, Any]]]:
    """Set by set: all its rows, and a fit on the other sets."""
    for at, one in enumerate(sets):
        stored = fit([other.seen for other in sets if other is not one], seed)
        yield at, frozenset(range(len(one.rows))), stored


def play(
    one: Recorded,
    held: frozenset[int],
    stored: Mapping[str, Any],
    prices: Prices,
    settings: Settings,
) -> dict[int, Played | None]:
    """Replay the held-out rows, in their order, under the fitted gate."""
    at = sorted(held)
    strategies = MappingProxyType({**STRATEGIES, "cascade": Cascade(load(stored))})
    planner = Planner(catalog(one.pool, prices), POLICIES, {})
    rows = [one.rows[i] for i in at]
    played = asyncio.run(play_all(rows, planner, ["cascade"], settings, done=lambda: None, strategies=strategies))
    return dict(zip(at, played["cascade"], strict=True))


POLICIES: Mapping[str, Policy] = {name: Policy(name, bar, 2) for name, bar in BARS.items()}


def replayed(
    sets: Sequence[Recorded], prices: Prices, given: argparse.Namespace, seed: int
) -> list[dict[str, Any]]:
    """Fit and replay under one seed: the figures of each set."""
    outcomes: list[dict[int, Played | None]] = [{} for _ in sets]
    plan = left_out(sets, seed) if given.leave_out else crossfitted(sets, given.folds, seed)
    for at, held, stored in plan:
        outcomes[at] |= play(sets[at], held, stored, prices, Settings(given.policy, seed=seed))
    reports = []
    for one, found in zip(sets, outcomes, strict=True):
        figures = Figures(reference(one.rows, catalog(one.pool, prices).models), Bootstrap(seed))
        report = figures.strategy([found[i] for i in range(len(one.rows))])
        reports.append({"data": one.name, "seed": seed, **report})
    return reports


def over_seeds(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean, the least and the most of the main figures of one set: what a seed decides and what it does not."""
    figures = {
        "accuracy_diff": [one["vs_strongest"]["accuracy_diff"] for one in reports],
        "cost_ratio": [one["vs_strongest"]["cost_ratio"] for one in reports],
        "accuracy_diff_to_agree2": [one["vs_agree2"]["accuracy_diff"] for one in reports],
    }
    spread = {name: [round(fmean(own), DIGITS), min(own), max(own)] for name, own in figures.items()}
    return {"data": reports[0]["data"], "seeds": [one["seed"] for one in reports], **spread}


def main() -> None:
    """Fit, replay, report one JSON object a set and seed; with several seeds one more a set."""
    parser = argparse.ArgumentParser(description="Figures of the fitted cascade on rows the fit has not seen.")
    parser.add_argument("--set", action="append", required=True, metavar="FILE=M1,…,MN", dest="sets")
    parser.add_argument("--prices", type=Path, required=True)
    parser.add_argument("--policy", default="balanced")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--seed", type=int, nargs="+", default=[0], dest="seeds")
    parser.add_argument("--leave-out", action="store_true")
    given = parser.parse_args()
    prices = read_prices(given.prices)
    sets = [open_set(path, pool) for path, _, pool in (one.partition("=") for one in given.sets)]
    reports = [replayed(sets, prices, given, seed) for seed in given.seeds]
    summary = [over_seeds(own) for own in zip(*reports, strict=True)] if len(reports) > 1 else []
    for report in [*chain.from_iterable(reports), *summary]:
        sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
