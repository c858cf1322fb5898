"""Ask several models at once, and do not wait for ever for the last of them."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from prysm.errors import PrysmError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

T = TypeVar("T")

GRACE = 0.5
"""Stragglers get this share of the time the quorum took, then they are cancelled."""

MIN_GRACE_S = 0.25

PATIENCE, MIN_PATIENCE_S = 4.0, 10.0
"""As long as the quorum is missing, stragglers get this many times the time the first answer took, and no less than
so many seconds: of a pair the second answer is worth much, as nothing agrees with an answer alone, but a provider that
hangs would have the caller wait a minute for it."""


async def fan_out(
    calls: Sequence[Coroutine[object, object, T]],
    quorum: int,
    *,
    within: float | None = None,
    patience: float = 0,
) -> list[T]:
    """Run all at once; return the successes in the order of `calls`, once all ended or their time is over.

    Time is over when the quorum's grace is, or that of the first success where there is no quorum (at least `patience`
    seconds), or `within` seconds after the start, as soon as there is one success to go on with.
    A call that raises a `PrysmError` is absent from the result: one failure never cancels its siblings; any other
    exception is a bug, ends them and is raised. Stragglers are cancelled and awaited, and so is everything when the
    caller is cancelled; no task outlives this function.
    """
    began = asyncio.get_running_loop().time()
    tasks = [asyncio.ensure_future(call) for call in calls]
    pending: set[asyncio.Future[T]] = set(tasks)
    wait = _Wait(quorum, began, math.inf if within is None else began + within, patience)
    try:
        while pending:
            done, pending = await asyncio.wait(pending, timeout=wait.left(), return_when=asyncio.FIRST_COMPLETED)
            if not done or any(map(_bug, done)):
                break
            wait.heard(sum(map(_succeeded, tasks)))
    finally:
        await _end(tasks)
    for bug in filter(None, map(_bug, tasks)):
        raise bug
    return [task.result() for task in tasks if _succeeded(task)]


@dataclass(slots=True)
class _Wait:
    """How long stragglers are still worth waiting for. Times are the loop's."""

    quorum: int
    began: float
    share_ends: float
    patience: float
    until: float = math.inf
    quorate: bool = False

    def left(self) -> float | None:
        """Seconds; None is for ever."""
        return None if self.until == math.inf else max(0.0, self.until - asyncio.get_running_loop().time())

    def heard(self, successes: int) -> None:
        """Look at the clock when a call has ended: the first success starts one, and the quorum a shorter one."""
        if not successes or self.quorate:
            return
        now = asyncio.get_running_loop().time()
        took = now - self.began
        self.quorate = successes >= self.quorum
        short, long = max(MIN_GRACE_S, GRACE * took), max(patience(took), self.patience)
        grace = short if self.quorate else long
        self.until = min(self.until, now + grace, self.share_ends)


def patience(took: float) -> float:
    """Seconds that a call is worth waiting for beside one that took so many."""
    return max(MIN_PATIENCE_S, PATIENCE * took)


def quorum_of(n: int) -> int:
    """Successes worth having before stragglers are given up: two thirds, at least two, at most all."""
    return min(n, max(2, -(-2 * n // 3)))


async def _end(tasks: Sequence[asyncio.Future[T]]) -> None:
    """Cancel those still at work and look at every outcome, so that none is reported as forgotten."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _succeeded(task: asyncio.Future[T]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _bug(task: asyncio.Future[T]) -> BaseException | None:
    """What no call should raise; it ends everything at once."""
    error = None if task.cancelled() else task.exception()
    return None if isinstance(error, PrysmError) else error
