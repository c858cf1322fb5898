"""How long a call is worth waiting for when there is something else to fall back on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from prysm.errors import ProviderError
from prysm.scoring import usable
from prysm.strategies.fan_out import patience

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from prysm.core.model import Model
    from prysm.core.run import StageKind
    from prysm.strategies.run import Run

T = TypeVar("T")

NO_ANSWERS: frozenset[StageKind] = frozenset({"plan", "judge"})
"""Kinds of calls that bring nothing to fall back on."""


class GivenUp(ProviderError):
    """A call was not waited for any longer."""

    def __init__(self) -> None:
        super().__init__("timeout", "The call took too long and was given up; another answer is on its way.")


def patience_with(run: Run, model: Model) -> float | None:
    """Seconds that a call of `model` may take which only betters an answer in hand; None, for ever, without one.

    The same rule as for the stragglers of a fan-out, the longest call of the run so far standing for the first.
    """
    made = [stage for stage in run.stages if stage.completion is not None and stage.status == "ok"]
    if not any(stage.kind not in NO_ANSWERS and usable(stage.completion) for stage in made if stage.completion):
        return None
    longest = max(stage.ended_ms - stage.started_ms for stage in made)
    return patience(max(longest, model.latency_ms or 0) / 1000)


def share_of(run: Run, now: Sequence[Model], after: Sequence[Model]) -> float | None:
    """Seconds for the models asked `now`, at once, when those `after` follow one by one; None without a deadline.

    The phase's share, of which what follows gets back its usual time, but no less than a part in proportion to the
    usual times: a model that is expected to make the deadline is not cut short for one that answers in no time.
    """
    share, left = run.clock.share(len(after)), run.clock.left()
    own, later = [m.latency_ms for m in now], [m.latency_ms for m in after]
    if share is None or left is None or None in (*own, *later):
        return share
    usual, rest = max(ms or 0 for ms in own), sum(ms or 0 for ms in later)
    proportional = left * usual / (usual + rest) if usual else 0.0
    return max(proportional, min(share, left - rest / 1000))


async def until(run: Run, call: Coroutine[object, object, T], seconds: float | None) -> T:
    """What `call` gives within `seconds`, or later when the caller sees it being written by then.

    Raises what it raises, and `GivenUp` when the time is over; it is over when this returns.
    """
    task = asyncio.ensure_future(call)
    try:
        await asyncio.wait([task], timeout=seconds)
        if not task.done() and not run.streamed:
            raise GivenUp
        return await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
