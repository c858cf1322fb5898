"""A queue that organisations share fairly: one lane each, served in rounds, within a lane in order of arrival."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator
    from uuid import UUID


class Refused(NamedTuple):
    """Which setting was too small for a call's turn to come in time, and in how many seconds it would, if known."""

    setting: str
    wait_s: float | None


@dataclass(eq=False, slots=True)
class Turn:
    """A call that waits: who pays, the tokens it may use, and what becomes of it; None lets it go."""

    org: UUID | None
    tokens: int
    comes: asyncio.Future[Refused | None]


class Lanes:
    """Those who wait, `waiting` in all. Of any two organisations that wait, neither is two turns ahead."""

    __slots__ = ("_lanes", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        self._lanes: dict[UUID | None, deque[Turn]] = {}  # in the order of the round; none is empty

    def add(self, turn: Turn) -> None:
        """Queue last in the own lane; a new lane is last in the round."""
        self._lanes.setdefault(turn.org, deque()).append(turn)
        self.waiting += 1

    def first(self) -> Turn | None:
        """Whose turn is next."""
        return next(iter(self._lanes.values()))[0] if self._lanes else None

    def remove(self, turn: Turn) -> None:
        """Leave without having had a turn; the lane keeps its place. Who has left already may leave again."""
        lane = self._lanes.get(turn.org)
        if lane is not None and turn in lane:
            lane.remove(turn)
            self.waiting -= 1
            if not lane:
                del self._lanes[turn.org]

    def served(self, turn: Turn) -> None:
        """The first has had its turn; its lane is now last in the round."""
        self._lanes[turn.org] = self._lanes.pop(turn.org)
        self.remove(turn)

    def last_of_longest(self, newcomer: Turn) -> Turn:
        """Who leaves when there are too many: of lanes equally long, the newcomer's own loses its last."""
        longest, own = max(self._lanes.values(), key=len), self._lanes[newcomer.org]
        return (longest if len(longest) > len(own) else own)[-1]

    def calls_before(self, turn: Turn) -> int:
        """How many turns come before `turn` if nobody comes or leaves."""
        return sum(count for _, count in self._before(turn))

    def tokens_before(self, turn: Turn) -> int:
        """How many tokens they may use."""
        return sum(other.tokens for lane, count in self._before(turn) for other in islice(lane, count))

    def _before(self, turn: Turn) -> Iterator[tuple[deque[Turn], int]]:
        """Each lane, and how many of it come before `turn`."""
        own = self._lanes[turn.org]
        rounds = own.index(turn) + 1
        for lane in self._lanes.values():
            if lane is own:
                rounds -= 1  # the lanes from here on come after ours in the last round
            yield lane, min(len(lane), rounds)
