"""What the database holds, table by table, as the statistics of Postgres have it: nothing is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prysm.store.months import TABLES, months

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from prysm.store.connection import Connection

_HELD = """
    SELECT name, sum(pg_total_relation_size(oid))::bigint AS bytes,
        sum(greatest(reltuples, pg_stat_get_live_tuples(oid)))::bigint AS rows
    FROM unnest($1::text[]) AS name LEFT JOIN LATERAL pg_partition_tree(name::regclass) ON true
        JOIN pg_class ON oid = coalesce(relid, name::regclass)
    GROUP BY name
"""


@dataclass(frozen=True, slots=True)
class Held:
    """How much is in a table: its size on the disk, indexes included, and about how many rows.

    `since` is when its oldest month begins, None where it has no months.
    """

    bytes: int
    rows: int
    since: datetime | None


async def held(connection: Connection, tables: Sequence[str]) -> dict[str, Held]:
    """What each of these tables holds. Raises what the database raises."""
    rows = await connection.fetch(_HELD, tables)
    oldest = {
        name: next((month.since for month in await months(connection, name)), None)
        for name in tables
        if name in TABLES
    }
    return {row["name"]: Held(row["bytes"], row["rows"], oldest.get(row["name"])) for row in rows}
