"""The time of a run: how long it has worked, and how a deadline is divided among what is still to be done."""

from __future__ import annotations

import math
import time

HANDED_OUT, HANDED_OUT_AT_MOST_S = 0.05, 0.25
"""Share of the deadline, and seconds at most, that no call may use: what was heard is compared and handed out then."""

TICK_S = 0.002
"""How early a timer may ring: the loop counts in whole milliseconds. What is left by then is no time for a call."""

FANNED_OUT = 1.5
"""Time of a phase that others follow, over that of the last: of what is left, answers get 60 % and the merge 40 %."""


class Clock:
    """Started with the run. `deadline_s` is the caller's, None for as long as it takes."""

    __slots__ = ("_began", "_ends")

    def __init__(self, deadline_s: float | None) -> None:
        self._began = time.perf_counter()
        self._ends = math.inf
        if deadline_s is not None:
            self._ends = self._began + deadline_s - min(HANDED_OUT_AT_MOST_S, HANDED_OUT * deadline_s)

    def ms(self) -> int:
        """Milliseconds since the run began."""
        return int((time.perf_counter() - self._began) * 1000)

    @property
    def late(self) -> bool:
        """Whether the deadline leaves no time for another call."""
        return time.perf_counter() + TICK_S >= self._ends

    def share(self, phases_after: int) -> float | None:
        """Seconds for a phase of calls when so many follow it, of what is left of the deadline; None without one."""
        left = self.left()
        if left is None or not phases_after:
            return left
        return left * FANNED_OUT / (FANNED_OUT * phases_after + 1)

    def left(self, within: float | None = None) -> float | None:
        """Seconds that a call may take, `within` at the most; 0 when the deadline is over, None is no limit."""
        if self._ends == math.inf:
            return within
        left = 0.0 if self.late else self._ends - time.perf_counter()
        return left if within is None else min(within, left)
