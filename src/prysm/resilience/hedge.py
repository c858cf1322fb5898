"""A second call beside one that takes long; the first answer wins (Dean & Barroso, "The Tail at Scale", 2013)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Generic, TypeVar

from prysm.core.chat import Completion
from prysm.errors import Attempt, ProviderError
from prysm.resilience.opening import opened
from prysm.resilience.port import REAL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from prysm.core.chat import ModelCall, Piece
    from prysm.core.ports import Provider
    from prysm.resilience.opening import Opened
    from prysm.resilience.port import Clock, Watch
    from prysm.resilience.retry_budget import RetryBudget

T = TypeVar("T")

HEDGED = "hedged"
"""The code of a call that was cancelled because the other was faster; its prompt may have been billed."""


class Hedge:
    """A provider that asks twice when it takes longer than `after_s`; set that near the model's 95th percentile.

    The slower call is cancelled and listed in `attempts`. Second calls are paid from the budget for retries, so they
    too cannot add to an outage. Once a stream has its first piece, no second call is made.
    """

    def __init__(
        self, inner: Provider, after_s: float, budget: RetryBudget, watch: Watch, clock: Clock = REAL
    ) -> None:
        self._inner = inner
        self._after_s = after_s
        self._budget = budget
        self._watch = watch
        self._clock = clock

    @property
    def id(self) -> str:
        """The provider's name in the catalog."""
        return self._inner.id

    async def complete(self, call: ModelCall) -> Completion:
        """Answer, by the faster of at most two calls."""
        completion, attempts = await self._race(call, self._inner.complete, _forget)
        return replace(completion, attempts=attempts) if attempts else completion

    async def stream(self, call: ModelCall) -> AsyncGenerator[Piece | Completion, None]:
        """Answer as it is written, by the call whose first piece came first."""
        (pieces, first), attempts = await self._race(call, self._open, _hang_up)
        try:
            yield _told(first, attempts)
            async for piece in pieces:
                yield _told(piece, attempts)
        except ProviderError as error:
            if attempts:
                error.attempts = (*attempts[:-1], Attempt("failed", error.kind, attempts[-1].ms))
            raise
        finally:
            await pieces.aclose()

    async def _open(self, call: ModelCall) -> Opened:
        return await opened(self._inner, call)

    async def _race(
        self,
        call: ModelCall,
        once: Callable[[ModelCall], Awaitable[T]],
        discard: Callable[[T], Awaitable[None]],
    ) -> tuple[T, tuple[Attempt, ...]]:
        """The first result, and what became of each call if there were two."""
        race = Race(self._clock, discard)
        try:
            first = race.enter(once(call))
            await asyncio.wait([first], timeout=self._after_s)
            if not first.done() and (call.again is None or call.again()) and self._budget.withdraw():
                self._watch.hedged(call.model)
                race.enter(once(call))
            race.kept = await race.winner()
        finally:
            await race.end()
        try:
            return race.kept.result(), race.attempts()
        except ProviderError as error:
            error.attempts = race.attempts()
            raise


class Race(Generic[T]):
    """Calls side by side. `end` cancels who still runs, waits for them, and discards what was not `kept`."""

    def __init__(self, clock: Clock, discard: Callable[[T], Awaitable[None]]) -> None:
        self.kept: asyncio.Future[T] | None = None
        self._now = clock.now
        self._discard = discard
        self._began: dict[asyncio.Future[T], float] = {}
        self._ended: dict[asyncio.Future[T], float] = {}

    def enter(self, call: Awaitable[T]) -> asyncio.Future[T]:
        """Start a call."""
        task = asyncio.ensure_future(call)
        self._began[task] = self._now()
        task.add_done_callback(lambda _: self._ended.setdefault(task, self._now()))
        return task

    async def winner(self) -> asyncio.Future[T]:
        """The first call to succeed, or, when none does, the one that was entered first."""
        pending: set[asyncio.Future[T]] = set(self._began)
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if _succeeded(task):
                    return task
        return next(iter(self._began))

    async def end(self) -> None:
        """Leave nothing running and nothing open."""
        for task in self._began:
            task.cancel()
        await asyncio.gather(*self._began, return_exceptions=True)
        for task in self._began:
            if task is not self.kept and _succeeded(task):
                await self._discard(task.result())

    def attempts(self) -> tuple[Attempt, ...]:
        """What became of each call, the kept one last; none when there was only one."""
        if len(self._began) == 1:
            return ()
        return tuple(self._attempt(task) for task in sorted(self._began, key=lambda task: task is self.kept))

    def _attempt(self, task: asyncio.Future[T]) -> Attempt:
        ms = int((self._ended.get(task, self._now()) - self._began[task]) * 1000)
        if task is self.kept and _succeeded(task):
            return Attempt("ok", None, ms)
        error = None if task.cancelled() else task.exception()
        return (
            Attempt("failed", error.kind, ms)
            if isinstance(error, ProviderError)
            else Attempt("cancelled", HEDGED, ms)
        )


async def _forget(_: Completion) -> None:
    """An answer that came second; nothing of it is open."""


async def _hang_up(stream: Opened) -> None:
    with suppress(ProviderError):
        await stream[0].aclose()


def _told(piece: Piece | Completion, attempts: tuple[Attempt, ...]) -> Piece | Completion:
    return replace(piece, attempts=attempts) if attempts and isinstance(piece, Completion) else piece


def _succeeded(task: asyncio.Future[T]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None
