"""What processes of this data directory left behind when they were killed."""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING

from prysm.errors import ProofUnavailable
from prysm.store.presence import departed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from prysm.store.lease import Lease

LOOK_S = 3.0

_log = logging.getLogger(__name__)


class Heir:
    """Ends the leases of processes that are seen to be dead, so that nobody waits for them to run out.

    `drain` brings what they spooled into the database first: a run whose receipt is still in a file would be sealed
    as interrupted, and its receipt refused. `folder` is where `Presence` keeps its files.
    """

    def __init__(self, folder: Path, lease: Lease, drain: Callable[[], Awaitable[object]]) -> None:
        self._folder = folder
        self._lease = lease
        self._drain = drain

    async def run(self) -> None:
        """Look now and every few seconds, for ever: another worker may be killed too."""
        while True:
            try:
                await self.settle()
            except (ProofUnavailable, OSError) as error:
                _log.warning("the runs of a killed gateway wait for their receipts: %s", type(error).__name__)
            await asyncio.sleep(LOOK_S)

    async def settle(self) -> None:
        """Leave the runs of the dead to the reaper. Raises ProofUnavailable and OSError; nothing is ended then."""
        with ExitStack() as held:
            dead = await asyncio.to_thread(held.enter_context, departed(self._folder))
            if dead:
                await self._drain()
                await self._lease.end(dead)
                _log.info("%d gateway processes were killed; their runs are sealed now", len(dead))
