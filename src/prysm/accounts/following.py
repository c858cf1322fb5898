"""Keeps what a process holds in memory at what the database says.

A change is in force in the process that makes it before that answers, and in every other within a second. While the
database is away, what was known last holds.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import structlog

from prysm.errors import Overloaded

if TYPE_CHECKING:
    from datetime import datetime

POLL_S = 0.4

log = structlog.get_logger()


class Dated(Protocol):
    """Changes, and until when they were looked for."""

    @property
    def at(self) -> datetime:
        """The database's clock."""
        ...


C = TypeVar("C", bound=Dated)
C_co = TypeVar("C_co", bound=Dated, covariant=True)


class Source(Protocol[C_co]):
    """Where it is kept."""

    async def changed(self, since: datetime | None) -> C_co:
        """What changed since then, some of it told before; raises `Overloaded`."""
        ...


class Follower(ABC, Generic[C]):
    """Knows nothing until it follows a source. `what` it knows is for the log."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._source: Source[C] | None = None
        self._since: datetime | None = None
        self._one_at_a_time = asyncio.Lock()

    async def follow(self, source: Source[C]) -> None:
        """Learn all there is; `keep_up` then learns what changes. Raises Overloaded."""
        self._source = source
        await self.refresh()

    async def keep_up(self) -> None:
        """Look for changes, for ever."""
        while True:
            try:
                await self.refresh()
            except Overloaded:
                log.warning("cannot be looked up: what was known last holds", what=self._what)
            await asyncio.sleep(POLL_S)

    async def refresh(self) -> None:
        """Learn what changed before this was called. Raises Overloaded when nobody can tell."""
        async with self._one_at_a_time:  # else an older answer could undo a newer one
            if self._source is not None:
                changes = await self._source.changed(self._since)
                self._apply(changes)
                self._since = changes.at if self._since is None else max(self._since, changes.at)

    async def renew(self) -> None:
        """Learn what was just changed here; where that fails, `keep_up` does in a moment."""
        with suppress(Overloaded):
            await self.refresh()

    @abstractmethod
    def _apply(self, changes: C) -> None:
        """Know them from now on."""
