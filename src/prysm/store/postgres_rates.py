"""Requests that make no run, counted in Postgres for all gateways. Runs are counted there as part of admission."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from prysm.errors import Overloaded, PrysmError
from prysm.store.connection import DATABASE_ERRORS
from prysm.store.verdicts import read

if TYPE_CHECKING:
    from uuid import UUID

    from prysm.core.caller import Limits
    from prysm.core.payer import Meter
    from prysm.store.connection import Pool

REQUESTED = "SELECT requested($1::text::jsonb)"
AT_ONCE = 50
"""In one statement: runs of the same callers wait behind it, about a millisecond a request."""
TIMEOUT_S = 5.0
"""For waiting and being counted together. It is not tried again: what was lost on the way may have been counted."""
MOST = 512
"""That wait to be counted."""


class _Batch:
    """Callers who are counted together, and what the database says of each."""

    def __init__(self) -> None:
        self.callers: list[list[dict[str, UUID | int]]] = []
        self.told: asyncio.Task[list[dict[str, Any]]]


class PostgresRates:
    """Takes one connection of the pool at a time; while one batch is counted the next one gathers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._gathering: _Batch | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def request(self, limits: tuple[Limits, ...]) -> tuple[Meter, ...]:
        """Count one request against the requests a minute of all of `limits` or none; what is left of each.

        Where these are not limited nothing is asked. Raises RateLimited with the same in `meters`, and Overloaded
        when the database does not answer in time.
        """
        caller: list[dict[str, UUID | int]] = [
            {"subject": each.subject, "rpm": each.rpm} for each in limits if each.rpm is not None
        ]
        if not caller:
            return ()
        if self._waiting >= MOST:
            crowded = Overloaded("Too many requests wait to be counted: ask again in a moment.")
            crowded.retry_after_s = 1.0
            raise crowded
        batch = self._joined(caller)
        place = len(batch.callers) - 1
        self._waiting += 1
        try:
            said = await asyncio.shield(batch.told)
        except DATABASE_ERRORS:  # a new one for each: what is set on one caller's is no other's
            raise Overloaded("Requests cannot be counted now: try again in a moment.") from None
        finally:
            self._waiting -= 1
        verdict = read(said[place])
        if isinstance(verdict, PrysmError):
            raise verdict
        return verdict.meters

    def _joined(self, caller: list[dict[str, UUID | int]]) -> _Batch:
        """The batch that gathers, with one more in it."""
        batch = self._gathering
        if batch is None or len(batch.callers) >= AT_ONCE:
            batch = self._gathering = _Batch()
            batch.told = asyncio.create_task(self._count(batch))
            batch.told.add_done_callback(_seen)
        batch.callers.append(caller)
        return batch

    async def _count(self, batch: _Batch) -> list[dict[str, Any]]:
        try:
            async with asyncio.timeout(TIMEOUT_S), self._turn:
                self._close(batch)
                told = await self._pool.fetchval(REQUESTED, orjson.dumps(batch.callers).decode())
        finally:
            self._close(batch)  # nobody is to join one whose time is over
        counted: list[dict[str, Any]] = orjson.loads(told)
        return counted

    def _close(self, batch: _Batch) -> None:
        if self._gathering is batch:
            self._gathering = None


def _seen(told: asyncio.Task[list[dict[str, Any]]]) -> None:
    """Callers may all have gone, and that is no mistake to log."""
    if not told.cancelled():
        told.exception()
