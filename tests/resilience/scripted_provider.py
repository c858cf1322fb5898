"""A provider that does what a test lists, a clock that a test turns, and a watch that remembers."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

from prysm.core.chat import Completion, Message, ModelCall, Sampling, TextDelta, Usage
from prysm.core.model import Model
from prysm.core.provider import ProviderSpec, Standing
from prysm.errors import ProviderError
from prysm.resilience import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from prysm.core.chat import Piece
    from prysm.errors import FailureKind

MODEL = Model("m", "acme", "m-1", "M", "acme", "mid")
CALL = ModelCall(MODEL, (Message("user", "Grüß dich!"),), Sampling())
DONE = Completion("Grüß Gott", "stop", Usage(3, 2))
WORDS = (TextDelta("Grüß "), TextDelta("Gott"))


def spec(**more: Any) -> ProviderSpec:
    """The settings of the one provider."""
    return replace(ProviderSpec("acme", "openai", "http://127.0.0.1/v1"), **more)


def failure(kind: FailureKind, status: int | None = None, wait: float | None = None) -> ProviderError:
    """What an adapter raises."""
    return ProviderError(kind, f"acme failed: {kind}.", upstream_status=status, retry_after_s=wait)


@dataclass(frozen=True)
class Late:
    """A stream that fails after its first word."""

    kind: FailureKind


Act: TypeAlias = "FailureKind | ProviderError | Late | float | None"
"""A failure, at once or after the first word, an answer after so many seconds, or an answer."""


@dataclass
class Scripted:
    """Does `acts` one by one, then answers for ever."""

    acts: list[Act] = field(default_factory=list)
    calls: int = 0
    open: int = 0
    most: int = 0
    id: str = "acme"

    async def complete(self, _: ModelCall) -> Completion:
        """Do the next act."""
        async with _Counted(self):
            await self._act(self._next())
            return DONE

    async def stream(self, _: ModelCall) -> AsyncGenerator[Piece | Completion, None]:
        """Do the next act before the first word, or after it."""
        async with _Counted(self):
            act = self._next()
            await self._act(act)
            yield WORDS[0]
            if isinstance(act, Late):
                raise failure(act.kind)
            yield WORDS[1]
            yield DONE

    def _next(self) -> Act:
        self.calls += 1
        return self.acts.pop(0) if self.acts else None

    async def _act(self, act: Act) -> None:
        match act:
            case ProviderError():
                raise act
            case str():
                raise failure(act)
            case float():
                await asyncio.sleep(act)


@dataclass
class _Counted:
    of: Scripted

    async def __aenter__(self) -> None:
        self.of.open += 1
        self.of.most = max(self.of.most, self.of.open)

    async def __aexit__(self, *_: object) -> None:
        self.of.open -= 1


class Hands:
    """A clock's hands: sleeping moves them on, and so does `advance`; what was to come later then comes."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self.clock = Clock(lambda: self.time, self._sleep, self._call_later)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds
        while self._later and self._later[0][0] <= self.time:
            heapq.heappop(self._later)[2]()

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)

    def _call_later(self, seconds: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._later, (self.time + seconds, next(self._order), call))


@dataclass
class Seen:
    """A watch that remembers."""

    standings: list[tuple[str | None, Standing]] = field(default_factory=list)
    retries: list[str] = field(default_factory=list)
    hedges: int = 0

    @property
    def states(self) -> list[str]:
        """The states of the breakers, one after the other."""
        return [standing.state for _, standing in self.standings]

    def stands(self, _: str, model: str | None, standing: Standing) -> None:
        """A breaker changed."""
        self.standings.append((model, standing))

    def retried(self, _: Model, kind: FailureKind) -> None:
        """A call is made again."""
        self.retries.append(kind)

    def hedged(self, _: Model) -> None:
        """A call got a second one."""
        self.hedges += 1


async def _at_once(_: float) -> None:
    await asyncio.sleep(0)


REAL_TIME_BUT_PATIENT = Clock(sleep=_at_once)
"""The real clock, with pauses between tries that take no time."""
