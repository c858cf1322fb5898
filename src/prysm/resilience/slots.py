"""How many calls are under way at once and begin in a minute; who has to wait does so in a bounded, fair queue."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from prysm.resilience.lanes import Lanes, Refused, Turn
from prysm.resilience.port import REAL
from prysm.resilience.rates import INSTANT_S

if TYPE_CHECKING:
    from uuid import UUID

    from prysm.resilience.port import Clock
    from prysm.resilience.rates import Rates

QUEUE_PER_SLOT = 16
"""Calls that may wait for each slot; with more, the last would wait for longer than anyone does."""

PAYS: ContextVar[UUID | None] = ContextVar("pays", default=None)
"""The organisation whose run this is; `Gateway.run` sets it, and the tasks of the run inherit it."""


class Slots:
    """A semaphore that keeps to rates as well. Taking a free slot while nobody waits costs no task switch.

    The first in the queue goes as soon as there are a slot, a request and its tokens, and nobody passes it: so a
    call larger than a minute's worth finds the bucket full in the end, and the next turn is another organisation's.
    """

    __slots__ = ("_clock", "_free", "_lanes", "_longest", "_rates", "_size", "_wakes_at")

    def __init__(self, size: int, rates: Rates | None = None, clock: Clock = REAL) -> None:
        self._size = self._free = size
        self._longest = size * QUEUE_PER_SLOT
        self._rates = rates
        self._clock = clock
        self._lanes = Lanes()
        self._wakes_at = inf

    def take(self, tokens: int = 0) -> bool:
        """Take a slot for a call of `tokens` at most, if it need not wait."""
        if self._free == 0:
            return False
        if self._rates is not None:
            if self._lanes.waiting or self._rates.pause(tokens):
                return False
            self._rates.take(tokens)
        self._free -= 1
        return True

    async def wait(self, patience_s: float, tokens: int = 0) -> Refused | None:
        """Take a slot when it is the call's turn; refused when that cannot be in time, or the queue is full."""
        turn = Turn(PAYS.get(), tokens, asyncio.get_running_loop().create_future())
        self._lanes.add(turn)
        if self._surely(turn) > patience_s:
            self._refuse(turn)
        elif self._lanes.waiting > self._longest:
            self._refuse(self._lanes.last_of_longest(turn))
        if not turn.comes.done():
            self._clock.later(patience_s, partial(self._give_up, turn))
            self._serve()
        try:
            return await turn.comes
        except asyncio.CancelledError:
            self._leave(turn)
            raise

    def release(self, unused: int = 0, requests: int = 0) -> None:
        """Give a slot back, with the tokens, and requests, that were taken and not used."""
        self._free += 1
        if self._rates is not None:
            self._rates.take(-unused, -requests)
        if self._lanes.waiting:
            self._serve()

    def _serve(self) -> None:
        """Let go whose turn it is while there is room, then see to it that we come back when there is."""
        while self._free and (turn := self._lanes.first()) is not None:
            if turn.comes.done():  # cancelled, but not yet gone
                self._lanes.remove(turn)
                continue
            if self._rates is not None:
                if pause := self._rates.pause(turn.tokens):
                    self._wake_in(pause)
                    return
                self._rates.take(turn.tokens)
            self._free -= 1
            self._lanes.served(turn)
            turn.comes.set_result(None)

    def _wake_in(self, pause: float) -> None:
        at = self._clock.now() + pause
        if at < self._wakes_at - INSTANT_S:
            self._wakes_at = at
            self._clock.later(pause, partial(self._wake, at))

    def _wake(self, at: float) -> None:
        if at == self._wakes_at:  # no other has come before it
            self._wakes_at = inf
            self._serve()

    def _surely(self, turn: Turn) -> float:
        """Seconds that a turn is off at least. What tokens the calls under way will leave over, nobody knows."""
        if self._rates is None:
            return 0.0
        back = inf if self._free < self._size else 0.0
        return self._rates.pause(turn.tokens, self._lanes.calls_before(turn), -back)

    def _refuse(self, turn: Turn) -> None:
        """Send away, with the time that its turn is off if all before it use what they may."""
        wait_s = 0.0
        if self._rates is not None:
            calls, tokens = self._lanes.calls_before(turn), self._lanes.tokens_before(turn)
            wait_s = self._rates.pause(turn.tokens, calls, tokens)
        self._lanes.remove(turn)
        if not turn.comes.done():
            turn.comes.set_result(Refused("rpm or tpm", wait_s) if wait_s else Refused("max_concurrency", None))

    def _give_up(self, turn: Turn) -> None:
        """Its time is over; a turn that comes in this very moment is one."""
        self._serve()
        if not turn.comes.done():
            self._refuse(turn)
            self._serve()

    def _leave(self, turn: Turn) -> None:
        """Pass on a slot that came in the very moment of leaving."""
        if turn.comes.cancelled():
            self._lanes.remove(turn)
            self._serve()
        elif turn.comes.result() is None:
            self.release(turn.tokens, requests=1)
