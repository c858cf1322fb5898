"""The cross-fitted figures: what is held out of a fit, and what several seeds come to."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.replay.conftest import POOL, row

from prysm.replay import crossfit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SAID = (("5", "4", "4"), ("4", "5", "4"), ("4", "4", "4"), ("4", "4", "4"))
ROWS = [row(i, SAID[i % 4]) for i in range(40)]


@given(st.integers(2, 60), st.integers(2, 5), st.integers(0, 9))
def test_every_row_is_held_out_once(rows: int, n: int, seed: int) -> None:
    dealt = crossfit.folds(rows, n, seed)
    assert sorted(i for fold in dealt for i in fold) == list(range(rows))


def test_what_is_held_out_is_not_fitted_on(record: Callable[..., Path]) -> None:
    one = crossfit.open_set(str(record(*ROWS)), ",".join(POOL))
    kept = one.without(frozenset({0, 1})).rows
    assert [id(seen) for seen in kept] == [id(seen) for seen in one.seen.rows[2:]]


def test_a_set_left_out_is_replayed_whole_under_a_fit_of_the_others(record: Callable[..., Path]) -> None:
    one = crossfit.open_set(str(record(*ROWS)), ",".join(POOL))
    other = crossfit.open_set(str(record(*ROWS)), ",".join(POOL))
    assert [(at, len(held)) for at, held, _ in crossfit.left_out([one, other], 0)] == [(0, 40), (1, 40)]


def test_several_seeds_are_reported_one_by_one_and_then_as_mean_least_and_most(
    record: Callable[..., Path], prices: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = f"{record(*ROWS)}={','.join(POOL)}"
    monkeypatch.setattr(sys, "argv", ["crossfit", "--set", pool, "--prices", str(prices), "--seed", "0", "1"])
    crossfit.main()
    first, second, both = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["seed"], second["seed"], both["seeds"]) == (0, 1, [0, 1])
    costs = [one["vs_strongest"]["cost_ratio"] for one in (first, second)]
    assert both["cost_ratio"] == pytest.approx([sum(costs) / 2, min(costs), max(costs)], abs=1e-4)
