"""A bounded queue in front of the runs of one process, which organisations share fairly.

Round robin over the organisations that wait, first come first served within one (Nagle, RFC 970). When the queue is
full the longest lane loses first (McKenney, "Stochastic fairness queueing", 1990): whoever sends most cannot push out
the others. What does not fit is refused at once, since an answer that comes too late was work for nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from prysm.errors import DeadlineExceeded, Overloaded

if TYPE_CHECKING:
    from uuid import UUID

RETRY_AFTER_S = 1.0
LONGEST_S = 60.0
"""A caller who waited for so long for a turn is told that there is none."""

Lane: TypeAlias = "deque[asyncio.Future[None]]"


class FairQueue:
    """At most `max_runs` at work at once in this process, and at most `max_waiting` that wait for their turn."""

    def __init__(self, max_runs: int, max_waiting: int) -> None:
        self.running = 0
        self.waiting = 0
        self.max_runs = max_runs
        self.max_waiting = max_waiting
        self._empty = asyncio.Event()
        self._lanes: dict[UUID, Lane] = {}  # in the order in which they are served; none is empty

    def take(self) -> bool:
        """Take a place among the runs at work, if one is free; whoever has one must `leave`.

        While anybody waits, none is.
        """
        if self.running >= self.max_runs:
            return False
        self.running += 1
        return True

    async def wait(self, org: UUID, most_s: float | None = None) -> None:
        """Wait until another run hands its place on, where none is free.

        Raises `Overloaded`, also after `LONGEST_S`, and `DeadlineExceeded` after `most_s` seconds if that is sooner.
        """
        turn = asyncio.get_running_loop().create_future()
        lane = self._join(org, turn)
        try:
            async with asyncio.timeout(LONGEST_S if most_s is None else min(most_s, LONGEST_S)):
                await turn
        except (TimeoutError, asyncio.CancelledError) as error:
            if turn in lane:
                self._remove(org, turn)
            elif not turn.cancelled() and turn.exception() is None:  # it came, and nobody is left to take it
                self.leave()
            if isinstance(error, asyncio.CancelledError):
                raise
            raise _late() if most_s is not None and most_s < LONGEST_S else _full() from None

    def leave(self) -> None:
        """Hand the place on to whoever is next, if anybody waits."""
        while self._lanes:
            org, lane = next(iter(self._lanes.items()))
            turn = lane.popleft()
            self.waiting -= 1
            del self._lanes[org]
            if lane:
                self._lanes[org] = lane  # last in the round
            if not turn.done():
                turn.set_result(None)
                return
        self.running -= 1
        if not self.running:
            self._empty.set()

    async def drained(self) -> None:
        """Wait until none is at work; while one is, others may wait, and come before."""
        if self.running:
            self._empty.clear()
            await self._empty.wait()

    def _join(self, org: UUID, turn: asyncio.Future[None]) -> Lane:
        if self.waiting >= self.max_waiting:
            self._make_room(org)
        lane = self._lanes.setdefault(org, deque())
        lane.append(turn)
        self.waiting += 1
        return lane

    def _make_room(self, org: UUID) -> None:
        """Refuse the last of the longest lane, or the newcomer where that would only swap the two."""
        longest = max(self._lanes, key=lambda other: len(self._lanes[other]), default=org)
        if len(self._lanes.get(longest, ())) <= len(self._lanes.get(org, ())) + 1:
            raise _full()
        last = self._lanes[longest][-1]
        self._remove(longest, last)
        if not last.done():
            last.set_exception(_full())

    def _remove(self, org: UUID, turn: asyncio.Future[None]) -> None:
        lane = self._lanes[org]
        lane.remove(turn)
        self.waiting -= 1
        if not lane:
            del self._lanes[org]


def _full() -> Overloaded:
    full = Overloaded("The gateway is full and so is its queue. Ask again in a moment, or fewer things at once.")
    full.retry_after_s = RETRY_AFTER_S
    return full


def _late() -> DeadlineExceeded:
    late = DeadlineExceeded(
        "The gateway is full, and no turn came within deadline_s. Allow more time, or ask again in a moment.",
        param="deadline_s",
    )
    late.spent = False
    return late
