"""The time of a run, and what a deadline leaves of it."""

from __future__ import annotations

from unittest.mock import patch

from prysm.strategies.clock import Clock


def test_a_timer_that_rings_a_moment_early_finds_the_deadline_over() -> None:
    with patch("prysm.strategies.clock.time.perf_counter") as now:
        now.return_value = 100.0
        clock = Clock(1.0)  # 0.05 s of it go to handing out
        seen = []
        for now.return_value in (100.9, 100.9491):
            seen.append((clock.late, round(clock.left() or 0, 3), round(clock.left(within=5) or 0, 3)))
        assert seen == [(False, 0.05, 0.05), (True, 0, 0)]
