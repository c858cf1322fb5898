"""Ask several models at once, and do not wait for ever for the last of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from prysm.errors import PrysmError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

T = TypeVar("T")

GRACE = 0.5
"""Stragglers get this share of the time the quorum took, then they are cancelled."""

MIN_GRACE_S = 0.25


async def fan_out(calls: Sequence[Coroutine[object, object, T]], quorum: int) -> list[T]:
    """Run all at once; return the successes in the order of `calls`, once all ended or the quorum's grace is over.

    A call that raises a `PrysmError` is absent from the result: one failure never cancels its siblings; any other
    exception is a bug, ends them and is raised. Stragglers are cancelled and awaited, and so is everything when the
    caller is cancelled; no task outlives this function.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    tasks = [asyncio.ensure_future(call) for call in calls]
    pending: set[asyncio.Future[T]] = set(tasks)
    until: float | None = None
    try:
        while pending:
            timeout = None if until is None else max(0.0, until - loop.time())
            done, pending = await asyncio.wait(pending, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if not done or any(map(_bug, done)):
                break
            if until is None and sum(map(_succeeded, tasks)) >= quorum:
                until = loop.time() + max(MIN_GRACE_S, GRACE * (loop.time() - began))
    finally:
        await _end(tasks)
    for bug in filter(None, map(_bug, tasks)):
        raise bug
    return [task.result() for task in tasks if _succeeded(task)]


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
