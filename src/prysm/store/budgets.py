"""Budgets as administrators see them, with what their current window counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import orjson

from prysm.store.administration import asked, changed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime
    from uuid import UUID

    from prysm.store.audit import Event
    from prysm.store.connection import Pool

Period: TypeAlias = Literal["day", "month", "total"]

# A project or a key of another organisation is none: nothing comes back.
CREATE = """
    WITH wanted AS (SELECT * FROM jsonb_populate_record(NULL::budget, $1))
    INSERT INTO budget (id, org, project, key, tag, period, limit_nano, hard)
    SELECT id, org, project, key, tag, period, limit_nano, hard FROM wanted
    WHERE (project IS NULL OR EXISTS (SELECT FROM project p WHERE p.id = wanted.project AND p.org = wanted.org))
        AND (key IS NULL OR EXISTS (SELECT FROM api_key k WHERE k.id = wanted.key AND k.org = wanted.org))
    ON CONFLICT (id) DO UPDATE SET changed_at = now() RETURNING id
"""
UPDATE = """
    UPDATE budget SET limit_nano = coalesce($3, limit_nano), hard = coalesce($4, hard), changed_at = now()
    WHERE id = $1 AND ($2::uuid IS NULL OR org = $2) AND deleted_at IS NULL RETURNING id
"""
# The row stays: other gateways learn of the end by it, and windows that runs hold something in refer to it.
DELETE = """
    UPDATE budget SET deleted_at = now(), changed_at = now()
    WHERE id = $1 AND ($2::uuid IS NULL OR org = $2) AND deleted_at IS NULL RETURNING id
"""
READ = """
    SELECT b.id, b.org, o.name AS organisation, p.name AS project, b.key, b.tag, b.period, b.limit_nano, b.hard,
        b.created_at, window_start(b.period) AS starts, coalesce(w.spent_nano, 0) AS spent_nano,
        coalesce(w.held_nano, 0) AS held_nano, coalesce(w.unknown_nano, 0) AS unknown_nano
    FROM budget b JOIN organisation o ON o.id = b.org LEFT JOIN project p ON p.id = b.project
        LEFT JOIN budget_window w ON w.budget = b.id AND w.starts = window_start(b.period)
    WHERE b.deleted_at IS NULL AND ($1::uuid IS NULL OR b.id = $1) AND ($2::uuid IS NULL OR b.org = $2)
        AND ($3::uuid IS NULL OR (b.created_at, b.id) < (SELECT created_at, id FROM budget a WHERE a.id = $3))
    ORDER BY b.created_at DESC, b.id DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class StoredBudget:
    """A limit on what an organisation, or one project, key or tag of it, spends in a period (UTC).

    `starts` is the first day of the current window. Of its limit the window counts what runs that ended cost (spent),
    the worst that runs under way can cost (held), and what runs held whose cost nobody knows (unknown).
    """

    id: UUID
    org: UUID
    organisation: str
    project: str | None
    key: UUID | None
    tag: str | None
    period: Period
    limit_nano: int
    hard: bool
    created_at: datetime
    starts: date
    spent_nano: int
    held_nano: int
    unknown_nano: int

    @property
    def left_nano(self) -> int:
        """What may still be held; below 0 where a soft budget was gone beyond, or the limit was lowered."""
        return self.limit_nano - self.spent_nano - self.held_nano - self.unknown_nano


class BudgetStore:
    """Budgets over a pool. `org` is the organisation that is looked into, None all; `event` is what is written down.

    Every method raises Overloaded when the database does not answer in time.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(self, event: Event, columns: Mapping[str, Any]) -> bool:
        """Store a budget with these columns. False where its project or key is of another organisation."""
        return await changed(self._pool, event, CREATE, orjson.dumps(columns, default=str).decode())

    async def update(
        self, event: Event, id_: UUID, org: UUID | None, limit_nano: int | None, hard: bool | None
    ) -> bool:
        """Change what is not None; whether there is such a budget."""
        return await changed(self._pool, event, UPDATE, id_, org, limit_nano, hard)

    async def delete(self, event: Event, id_: UUID, org: UUID | None) -> bool:
        """End a budget; whether there was one."""
        return await changed(self._pool, event, DELETE, id_, org)

    async def get(self, id_: UUID, org: UUID | None) -> StoredBudget | None:
        """Return one budget."""
        rows = await asked(self._pool, READ, id_, org, None, 1)
        return StoredBudget(**rows[0]) if rows else None

    async def list(self, org: UUID | None, limit: int, after: UUID | None = None) -> list[StoredBudget]:
        """Return up to `limit` budgets, newest first, from behind the one whose id is `after`."""
        return [StoredBudget(**row) for row in await asked(self._pool, READ, None, org, after, limit)]
