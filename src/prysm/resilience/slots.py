"""How many calls are under way at once: a bounded queue, first come, first served."""

from __future__ import annotations

import asyncio
from collections import deque

QUEUE_PER_SLOT = 16
"""Calls that may wait for each slot; with more, the last would wait for longer than anyone does."""


class Slots:
    """A semaphore with a bounded queue. Taking a free slot costs no task switch."""

    __slots__ = ("_free", "_longest", "_waiting")

    def __init__(self, size: int) -> None:
        self._free = size
        self._longest = size * QUEUE_PER_SLOT
        self._waiting: deque[asyncio.Future[None]] = deque()

    def take(self) -> bool:
        """Take a slot if one is free."""
        if self._free == 0:
            return False
        self._free -= 1
        return True

    async def wait(self, timeout_s: float) -> bool:
        """Queue for a slot; False when the queue is full or `timeout_s` seconds were not enough."""
        if len(self._waiting) >= self._longest:
            return False
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(timeout_s):
                await turn
        except TimeoutError:
            self._leave(turn)
            return False
        except asyncio.CancelledError:
            self._leave(turn)
            raise
        return True

    def release(self) -> None:
        """Give a slot to whoever waited longest, or back."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _leave(self, turn: asyncio.Future[None]) -> None:
        """Pass on a slot that came in the very moment of leaving."""
        if turn.done() and not turn.cancelled():
            self.release()
        elif turn in self._waiting:
            self._waiting.remove(turn)
