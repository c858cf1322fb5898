"""Prune what is older than it is kept, in steps that nobody who stores receipts has to wait for.

Whole months are dropped. Rows are deleted one by one where that is little: from the partitions of the rest, and where
runs are kept for less than a month. What anything was pruned of is written down in the same transaction.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from prysm.errors import ConfigError, ProofUnavailable
from prysm.store.connection import DATABASE_ERRORS, connect
from prysm.store.months import BUSY, SUMS, TABLES, Month, drop, make, months, patiently, rest_of, step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from datetime import datetime

    from prysm.store.connection import Connection

EVERY = timedelta(hours=1)
MONTH = timedelta(days=31)
IDLE = timedelta(days=1)
"""A meter that nobody used for so long is full again, as one that is made anew is."""
SLICE_BLOCKS = 512
"""Blocks of 8 kB whose old rows one statement deletes."""
SLICE_ROWS = 5000
SAY_EVERY_S = 1.0
PAUSE_S = 0.02
"""Between two slices, for whoever else the disk is for."""

# Whoever of the processes on this database comes first has the turn.
# A process that is stopped in the middle of a step must not keep its locks: all runs wait for them.
_BRIEFLY = "SET idle_in_transaction_session_timeout = '2s'"
_CLAIM = """
    INSERT INTO pruned (name, before) VALUES ('turn', now())
    ON CONFLICT (name) DO UPDATE SET before = now() WHERE pruned.before <= now() - $1::interval
    RETURNING true
"""
_BLOCKS = "SELECT pg_relation_size($1::text::regclass) / current_setting('block_size')::int"
_SLICE = "ctid >= format('(%s,0)', $1::bigint)::tid AND ctid < format('(%s,0)', $2::bigint)::tid AND at < $3"
# A run has one row of usage. Its stages go together, wherever they lie: a receipt has all of them or none.
_OLD = {
    "usage": "{slice}",
    "stage": "at < $3 AND request_id = ANY(ARRAY(SELECT DISTINCT request_id FROM {part} WHERE {slice}))",
}
_SWEEP = """
    WITH gone AS (
        DELETE FROM {part} WHERE {old}
        RETURNING *
    ), sums AS ({sums}), marked AS (
        INSERT INTO pruned (name, before)
        SELECT $4, max(at) + interval '1 microsecond' FROM gone HAVING count(*) > 0
        ON CONFLICT (name) DO UPDATE SET before = greatest(pruned.before, excluded.before)
    )
    SELECT count(*) FROM gone
"""
EXPIRING = ("response", "idempotency", "cached_answer")
"""Tables whose rows say when they are over; gateways look every minute."""
_EXPIRED = """
    WITH gone AS (
        DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE expires_at <= $1 LIMIT $2))
        RETURNING 1
    )
    SELECT count(*) FROM gone
"""
_WINDOWS = """
    WITH gone AS (
        DELETE FROM budget_window WHERE (budget, starts) IN (
            SELECT budget, starts FROM budget_window JOIN budget ON id = budget WHERE held_nano = 0
            AND starts + CASE period WHEN 'day' THEN interval '1 day' WHEN 'month' THEN interval '1 month' END
                < ($1::timestamptz AT TIME ZONE 'UTC')
            LIMIT $2
        )
        RETURNING 1
    )
    SELECT count(*) FROM gone
"""
_METERS = """
    WITH gone AS (
        DELETE FROM meter WHERE (subject, kind) IN (
            SELECT subject, kind FROM meter WHERE at < $1 AND (kind <> 'runs' OR level <= 0) LIMIT $2
        )
        RETURNING 1
    )
    SELECT count(*) FROM gone
"""


@dataclass(slots=True)
class Pruned:
    """What a pass did: the partitions it made and dropped, how many rows it deleted singly, what it put off.

    What was put off another process holds a lock on; the next pass tries again.
    """

    def __bool__(self) -> bool:
        return bool(self.made or self.dropped or self.deleted or self.put_off)

    made: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    deleted: dict[str, int] = field(default_factory=dict)
    put_off: list[str] = field(default_factory=list)


class Retention:
    """Prunes what is older than `runs`, as one of the processes on the database at `url`; `progress` as in `prune`."""

    def __init__(self, url: str, runs: timedelta, progress: Callable[[str, int], None] = lambda *_: None) -> None:
        self._url = url
        self._runs = runs
        self._progress = progress
        self._due = 0.0

    async def turn(self) -> Pruned | None:
        """Prune, if no process on this database did within an hour; None if one did.

        Raises ProofUnavailable when the database fails.
        """
        now = asyncio.get_running_loop().time()
        if now < self._due:
            return None
        try:
            connection = await connect(self._url)
            try:
                await connection.execute(_BRIEFLY)
                mine = await connection.fetchval(_CLAIM, EVERY)
                done = await prune(connection, self._runs, self._progress) if mine else None
            finally:
                connection.terminate()
        except (*DATABASE_ERRORS, ConfigError) as error:
            raise ProofUnavailable("What is old cannot be pruned now.") from error
        self._due = now + EVERY.total_seconds()
        return done


async def prune(
    connection: Connection, runs: timedelta, progress: Callable[[str, int], None] = lambda *_: None
) -> Pruned:
    """Make this month's partitions and the next's, and prune what is older than `runs`.

    Several may do it at once. `progress` is told what is deleted singly, and how many rows of it were. Raises what
    the database raises.
    """
    pass_ = _Pass(connection, await connection.fetchval("SELECT now()"), runs, progress)
    for table in TABLES:
        await pass_.partitions(table)
    for table in EXPIRING:
        await pass_.rows(table, _EXPIRED.format(table=table), pass_.now)
    await pass_.rows("budget_window", _WINDOWS, pass_.cut)
    await pass_.rows("meter", _METERS, pass_.now - IDLE)
    return pass_.done


class _Pass:
    def __init__(
        self, connection: Connection, now: datetime, runs: timedelta, progress: Callable[[str, int], None]
    ) -> None:
        self.done = Pruned()
        self.cut = now - runs
        self.now = now
        self._singly = runs < MONTH
        self._connection = connection
        self._progress = progress
        self._say_at = monotonic() + SAY_EVERY_S

    async def partitions(self, table: str) -> None:
        """Those that will be needed, and those that are not any more."""
        this = Month.of(table, self.now)
        for month in (this, this.next()):
            await self._try(make, month, self.done.made)
        for month in await months(self._connection, table):
            if month.until <= self.cut:
                await self._try(drop, month, self.done.dropped)
            elif month.since < self.cut and self._singly:
                await self._sweep(table, month.name)
        await self._sweep(table, rest_of(table))

    async def rows(self, table: str, statement: str, before: datetime) -> None:
        """Delete with a statement until it finds no more."""
        deleted = SLICE_ROWS
        with self._putting_off(table):
            while deleted == SLICE_ROWS:
                deleted = await self._delete(table, statement, before, SLICE_ROWS)

    async def _try(
        self, work: Callable[[Connection, Month], Awaitable[bool]], month: Month, done: list[str]
    ) -> None:
        with self._putting_off(month.name):
            if await work(self._connection, month):
                done.append(month.name)

    async def _sweep(self, table: str, part: str) -> None:
        """Delete the old rows of a partition, so many blocks at a time: no index on `at` slows down storing."""
        old = _OLD[table].format(part=part, slice=_SLICE)
        sums = SUMS.format(source="gone") if table == "usage" else "SELECT"
        statement = _SWEEP.format(part=part, old=old, sums=sums)
        blocks = await self._connection.fetchval(_BLOCKS, part)
        with self._putting_off(part):
            for first in range(0, blocks, SLICE_BLOCKS):
                await self._delete(table, statement, first, first + SLICE_BLOCKS, self.cut, table)

    async def _delete(self, table: str, statement: str, *values: object) -> int:
        """Run a statement that deletes rows and selects how many."""

        async def once() -> int:
            async with step(self._connection):
                deleted: int = await self._connection.fetchval(statement, *values)
            return deleted

        rows: int = await patiently()(once)
        if rows:
            self.done.deleted[table] = self.done.deleted.get(table, 0) + rows
            if (now := monotonic()) >= self._say_at:
                self._say_at = now + SAY_EVERY_S
                self._progress(f"rows of {table} deleted", self.done.deleted[table])
            await asyncio.sleep(PAUSE_S)
        return rows

    @contextmanager
    def _putting_off(self, name: str) -> Iterator[None]:
        try:
            yield
        except BUSY:
            self.done.put_off.append(name)
