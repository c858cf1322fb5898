"""Nothing of a run is shown before it is written down that it began: a run that was seen cannot be denied then."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prysm.core.events import Delta, Planned
from prysm.errors import ProofUnavailable

if TYPE_CHECKING:
    from asyncio import Future

    from prysm.core.events import Emit, Event
    from prysm.core.payer import Admitted


def shown_after(written: Future[Admitted], emit: Emit, *, at_once: bool) -> Emit:
    """An `emit` that shows nothing before `written` is done.

    `at_once`: the response, and with it the run's id, starts with the first event, and not with the first word.
    """
    waiting = True

    async def first(event: Event) -> None:
        nonlocal waiting
        try:
            if written.done():
                written.result()
            else:
                await asyncio.shield(written)  # another of several versions may wait for it too
        except ProofUnavailable:
            if isinstance(event, Planned):
                raise unprovable() from None
            raise
        waiting = False
        await emit(event)
        await asyncio.sleep(0)  # out with it, before what came meanwhile is worked off

    return lambda event: first(event) if waiting and (at_once or isinstance(event, Delta)) else emit(event)


def unprovable() -> ProofUnavailable:
    """What a caller is told whose run did not begin, since it could not be sealed."""
    away = ProofUnavailable("No receipt could be stored now, so nothing was asked. Ask when /ready answers 200.")
    away.spent = False
    return away
