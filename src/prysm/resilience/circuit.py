"""A circuit breaker's states, without any I/O (M. Nygard, "Release It!", 2nd ed., ch. 5; M. Fowler, CircuitBreaker).

It opens on faults in a row, or on a share of faults among enough calls of late. When it has cooled down it is half
open: one call goes through as a probe. If that fails too it opens for twice as long.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from prysm.core.provider import CLOSED, Standing
from prysm.resilience.port import REAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from prysm.core.provider import CircuitState
    from prysm.resilience.port import Clock

IN_A_ROW = 5
WINDOW_S = 30.0
LEAST_CALLS = 10
FAULTS = 0.5
"""Share of faults among at least `LEAST_CALLS` calls that opens the circuit; the past weighs half, window by window."""
COOLDOWN_S = 5.0
LONGEST_COOLDOWN_S = 120.0


class Circuit:
    """Hands out a ticket for each call and is told what became of it.

    A ticket is good for the state it was given in: what a call from before the fault reports later changes nothing.
    `changed` is called on every change of `standing`.
    """

    __slots__ = (
        "_calls",
        "_changed",
        "_clock",
        "_cooldown",
        "_era",
        "_faults",
        "_first",
        "_longest",
        "_probing",
        "_retry_at",
        "_row",
        "_since",
        "limited",
        "state",
    )

    def __init__(
        self,
        changed: Callable[[Standing], None],
        clock: Clock = REAL,
        cooldown_s: float = COOLDOWN_S,
        longest_s: float = LONGEST_COOLDOWN_S,
    ) -> None:
        self.state: CircuitState = "closed"
        self.limited = False
        self._changed = changed
        self._clock = clock
        self._first = self._cooldown = cooldown_s
        self._longest = longest_s
        self._era = 0
        self._probing = False
        self._retry_at = 0.0
        self._row = self._calls = self._faults = 0
        self._since = clock.now()

    @property
    def standing(self) -> Standing:
        """What the next call would meet."""
        if self.state == "closed":
            return CLOSED
        live = self.state == "half_open" and not self._probing
        return Standing(self.state, live, self._retry_at, self.limited)

    @property
    def retry_in_s(self) -> float:
        """Seconds until a call may go through."""
        return max(0.0, self._retry_at - self._clock.now())

    def admit(self) -> int | None:
        """A ticket for one call, or None when it must not be made."""
        if self.state == "closed":
            return self._era
        if self.state == "open" and self._clock.now() >= self._retry_at:
            self._turn("half_open")
        if self.state == "open" or self._probing:
            return None
        self._probing = True
        self._tell()
        return self._era

    def answered(self, ticket: int) -> int:
        """The call is being answered: all that a probe is to find out. Return its ticket from now on."""
        if ticket != self._era or self.state == "closed":
            return ticket
        self.succeeded(ticket)
        return self._era

    def succeeded(self, ticket: int) -> None:
        """The call got an answer, or a refusal that shows that the other side works."""
        if ticket != self._era:
            return
        if self.state == "closed":
            self._count(0)
            return
        self._cooldown = self._first
        self._turn("closed")

    def failed(self, ticket: int, wait_s: float | None = None, *, limited: bool = False) -> None:
        """The call met a fault; `wait_s` is how long the provider asked to be left alone; `limited` was its fault."""
        if ticket != self._era:
            return
        self.limited = limited
        if self.state != "closed":
            self._cooldown = min(2 * self._cooldown, self._longest)
            self._open(wait_s)
            return
        self._count(1)
        if self._row >= IN_A_ROW or (self._calls >= LEAST_CALLS and self._faults >= FAULTS * self._calls):
            self._open(wait_s)

    def denied(self, ticket: int, wait_s: float | None = None) -> None:
        """The call was refused for what may be its own doing: a row of such opens, no share of them does."""
        if ticket == self._era and self.state == "closed" and self._row + 1 < IN_A_ROW:
            self._row += 1
        else:
            self.trip(ticket, wait_s)

    def trip(self, ticket: int, wait_s: float | None = None) -> None:
        """The call showed that no other can succeed: open at once."""
        if ticket == self._era and self.state == "closed":
            self.limited = False
            self._open(wait_s)
        else:
            self.failed(ticket, wait_s)

    def abandoned(self, ticket: int) -> None:
        """The call ended without telling anything: nobody waited for it any longer, or it was never sent."""
        if ticket == self._era and self._probing:
            self._probing = False
            self._tell()

    def _open(self, wait_s: float | None) -> None:
        pause = max(self._cooldown, min(wait_s or 0.0, self._longest))
        self._retry_at = self._clock.now() + pause
        self._turn("open")
        self._clock.later(pause, partial(self._cooled, self._era))

    def _cooled(self, era: int) -> None:
        """Be half open without waiting for a call: routing sends none to what is not live."""
        if era == self._era:
            self._turn("half_open")

    def _turn(self, state: CircuitState) -> None:
        self.state = state
        self._era += 1
        self._probing = False
        self._forget()
        self._tell()

    def _tell(self) -> None:
        self._changed(self.standing)

    def _count(self, fault: int) -> None:
        """Count a call. When a window is over the counts are halved, not dropped: a share needs a past."""
        self._row = self._row + 1 if fault else 0
        now = self._clock.now()
        if now - self._since > WINDOW_S:
            self._calls, self._faults, self._since = self._calls // 2, self._faults // 2, now
        self._calls += 1
        self._faults += fault

    def _forget(self) -> None:
        self._row = self._calls = self._faults = 0
        self._since = self._clock.now()
