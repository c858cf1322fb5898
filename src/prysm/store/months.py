"""Tables that are partitioned by month: their partitions are made ahead, and dropped once all in them is old."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

import asyncpg
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prysm.store.connection import Connection

TABLES = ("usage", "stage")
"""Each has a column `at`, and a partition for what no month was made for."""

LOCK_KEY = 0x505259534D52  # "PRYSMR"; names the advisory lock of who prunes
LOCK_TIMEOUT_MS = 200
"""How long a step may wait for a lock, since whoever stores receipts waits behind it."""
LOCK_TRIES, LOCK_PAUSE_S = 5, 1.0
MOST_MOVED = 20_000
"""Rows that are moved into a month made late; moved in a fifth of a second, in which nobody can store one."""

BUSY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
"""Somebody else holds a lock for long: the step is as good a little later."""

_PARTITIONS = """
    SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = $1::text::regclass
"""
_MARK = """
    INSERT INTO pruned (name, before) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET before = greatest(pruned.before, excluded.before)
"""
_COUNT = "SELECT count(*) FROM (SELECT FROM {rest} WHERE at >= $1 AND at < $2 LIMIT $3) late"
# Whoever stores meanwhile would have chosen the other partition already, and would fail: it waits at the table.
_MAKE = """
    LOCK TABLE ONLY {table} IN SHARE ROW EXCLUSIVE MODE;
    LOCK TABLE {rest} IN ACCESS EXCLUSIVE MODE;
    CREATE TABLE {name} (LIKE {rest} INCLUDING ALL);
    WITH late AS (DELETE FROM {rest} WHERE at >= '{since}' AND at < '{until}' RETURNING *)
        INSERT INTO {name} SELECT * FROM late;
    ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{since}') TO ('{until}')
"""
SUMS = """
    INSERT INTO usage_pruned (org, cost_nano)
    SELECT org, sum(cost_nano)::bigint FROM {source} GROUP BY org HAVING sum(cost_nano) > 0
    ON CONFLICT (org) DO UPDATE SET cost_nano = usage_pruned.cost_nano + excluded.cost_nano
"""


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A partition of `table`: from `since`, when a month begins in UTC, to `until`."""

    table: str
    since: datetime

    @classmethod
    def of(cls, table: str, moment: datetime) -> Self:
        """The month in which a moment lies."""
        return cls(table, datetime(moment.year, moment.month, 1, tzinfo=UTC))

    @classmethod
    def named(cls, table: str, name: str) -> Self | None:
        """The month that a partition is for; None for the partition of the rest."""
        found = re.fullmatch(rf"{table}_(\d{{4}})_(\d\d)", name)
        return None if found is None else cls(table, datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC))

    @property
    def name(self) -> str:
        """Of the partition."""
        return f"{self.table}_{self.since:%Y_%m}"

    @property
    def until(self) -> datetime:
        """When the next begins."""
        years, month = divmod(self.since.month, 12)
        return self.since.replace(year=self.since.year + years, month=month + 1)

    def next(self) -> Month:
        """The month after."""
        return Month(self.table, self.until)


def rest_of(table: str) -> str:
    """The partition of what no month was made for."""
    return f"{table}_rest"


async def months(connection: Connection, table: str) -> list[Month]:
    """The partitions that there are, the oldest first."""
    names = [row["relname"] for row in await connection.fetch(_PARTITIONS, table)]
    return sorted(month for name in names if (month := Month.named(table, name)) is not None)


@asynccontextmanager
async def step(connection: Connection) -> AsyncIterator[None]:
    """One transaction of the one who prunes. Raises one of BUSY rather than making others wait."""
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_KEY)
        yield


def patiently() -> AsyncRetrying:
    """Retry a step that met one of BUSY a few times; then raise it."""
    return AsyncRetrying(
        retry=retry_if_exception_type(BUSY),
        stop=stop_after_attempt(LOCK_TRIES),
        wait=wait_fixed(LOCK_PAUSE_S),
        reraise=True,
    )


async def make(connection: Connection, month: Month) -> bool:
    """Make a partition that is missing, and say whether that was done.

    What lies in the partition of the rest moves over, unless it is so much that storing would have to wait: then it
    stays there, and is pruned row by row.
    """
    return await patiently()(_make, connection, month)


async def drop(connection: Connection, month: Month) -> bool:
    """Drop a partition, and say whether it was there. What its runs cost is kept as one sum for each organisation."""
    return await patiently()(_drop, connection, month)


async def _make(connection: Connection, month: Month) -> bool:
    rest = rest_of(month.table)
    async with step(connection):
        if month in await months(connection, month.table):
            return False
        count = _COUNT.format(rest=rest)
        if await connection.fetchval(count, month.since, month.until, MOST_MOVED + 1) > MOST_MOVED:
            return False
        within = {"since": month.since.isoformat(), "until": month.until.isoformat()}
        await connection.execute(_MAKE.format(table=month.table, rest=rest, name=month.name, **within))
    return True


async def _drop(connection: Connection, month: Month) -> bool:
    async with step(connection):
        if month not in await months(connection, month.table):
            return False
        if month.table == "usage":
            await connection.execute(SUMS.format(source=month.name))
        await connection.execute(_MARK, month.table, month.until)
        await connection.execute(f"DROP TABLE {month.name}")
    return True
