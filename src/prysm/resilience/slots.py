"""How many calls are under way at once: a bounded queue that organisations share fairly, each in order of arrival."""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from uuid import UUID

QUEUE_PER_SLOT = 16
"""Calls that may wait for each slot; with more, the last would wait for longer than anyone does."""

PAYS: ContextVar[UUID | None] = ContextVar("pays", default=None)
"""The organisation whose run this is; `Gateway.run` sets it, and the tasks of the run inherit it."""

Lane: TypeAlias = "deque[asyncio.Future[bool]]"


class Slots:
    """A semaphore with a bounded queue. Taking a free slot costs no task switch."""

    __slots__ = ("_free", "_lanes", "_longest", "_waiting")

    def __init__(self, size: int) -> None:
        self._free = size
        self._longest = size * QUEUE_PER_SLOT
        self._waiting = 0
        self._lanes: dict[UUID | None, Lane] = {}  # in the order in which they are served; none is empty

    def take(self) -> bool:
        """Take a slot if one is free."""
        if self._free == 0:
            return False
        self._free -= 1
        return True

    async def wait(self, timeout_s: float) -> bool:
        """Queue for a slot; False when the queue is full or `timeout_s` seconds were not enough."""
        org = PAYS.get()
        if self._waiting >= self._longest and not self._make_room(org):
            return False
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._lanes.setdefault(org, deque()).append(turn)
        self._waiting += 1
        try:
            async with asyncio.timeout(timeout_s):
                return await turn
        except TimeoutError:
            self._leave(org, turn)
            return False
        except asyncio.CancelledError:
            self._leave(org, turn)
            raise

    def release(self) -> None:
        """Give a slot to the next organisation's first, or back."""
        while self._lanes:
            org, lane = next(iter(self._lanes.items()))
            turn = lane.popleft()
            self._waiting -= 1
            del self._lanes[org]
            if lane:
                self._lanes[org] = lane  # last in the round
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1

    def _make_room(self, org: UUID | None) -> bool:
        """Refuse the last of the longest lane, unless that would only swap the two."""
        longest = max(self._lanes, key=lambda other: len(self._lanes[other]))
        if len(self._lanes[longest]) <= len(self._lanes.get(org, ())) + 1:
            return False
        last = self._lanes[longest][-1]
        self._remove(longest, last)
        if not last.done():
            last.set_result(False)
        return True

    def _remove(self, org: UUID | None, turn: asyncio.Future[bool]) -> None:
        lane = self._lanes[org]
        lane.remove(turn)
        self._waiting -= 1
        if not lane:
            del self._lanes[org]

    def _leave(self, org: UUID | None, turn: asyncio.Future[bool]) -> None:
        """Pass on a slot that came in the very moment of leaving."""
        if turn.done() and not turn.cancelled():
            if turn.result():
                self.release()
        elif turn in self._lanes.get(org, ()):
            self._remove(org, turn)
