"""API keys as administrators see them. No secret is here, only what a secret is recognised by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import orjson

from prysm.store.administration import asked, changed
from prysm.store.alone import Alone

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime, timedelta
    from uuid import UUID

    from asyncpg import Record

    from prysm.core.caller import Role, Scope
    from prysm.store.audit import Event
    from prysm.store.connection import Pool

# The budget that belongs to a key has the key's own id. `$3` and `$4` are its limit and period.
CREATE = """
    WITH made AS (
        INSERT INTO api_key (id, org, project, name, role, scopes, allowed_models, allowed_strategies, rpm, tpm,
            concurrency, retention, cache, tags, expires_at)
        SELECT id, org, project, name, role, scopes, allowed_models, allowed_strategies, rpm, tpm,
            concurrency, retention, cache, tags, expires_at FROM jsonb_populate_record(NULL::api_key, $1)
        ON CONFLICT (id) DO NOTHING RETURNING id, org
    ), secret AS (
        INSERT INTO api_secret (prefix, key, org, digest) SELECT $2, id, org, $5 FROM made
    ), counted AS (
        INSERT INTO budget (id, org, key, period, limit_nano)
            SELECT id, org, id, $4, $3 FROM made WHERE $3::bigint IS NOT NULL
    )
    SELECT id FROM made
"""
# `$3` holds the columns that change and nothing else; `$4` is whether the budget does, to `$5` and `$6`.
UPDATE = """
    WITH changed AS (
        UPDATE api_key k SET (name, role, scopes, allowed_models, allowed_strategies, rpm, tpm, concurrency,
            retention, cache, tags, expires_at, changed_at) = (
                SELECT name, role, scopes, allowed_models, allowed_strategies, rpm, tpm, concurrency,
                    retention, cache, tags, expires_at, now() FROM jsonb_populate_record(k, $3)
            )
        WHERE id = $1 AND ($2::uuid IS NULL OR org = $2) AND revoked_at IS NULL RETURNING id, org
    ), counted AS (
        INSERT INTO budget (id, org, key, period, limit_nano, deleted_at)
            SELECT id, org, id, coalesce($6, 'total'), coalesce($5::bigint, 0), CASE WHEN $5 IS NULL THEN now() END
            FROM changed WHERE $4 AND ($5 IS NOT NULL OR EXISTS (SELECT FROM budget WHERE budget.id = changed.id))
        ON CONFLICT (id) DO UPDATE SET limit_nano = excluded.limit_nano, period = coalesce($6, budget.period),
            hard = true, deleted_at = excluded.deleted_at, changed_at = now()
    )
    SELECT id FROM changed
"""
REVOKE = """
    UPDATE api_key SET revoked_at = coalesce(revoked_at, now()), changed_at = now()
    WHERE id = $1 AND ($2::uuid IS NULL OR org = $2) RETURNING id
"""
ROTATE = """
    WITH changed AS (
        UPDATE api_key SET changed_at = now()
        WHERE id = $1 AND ($2::uuid IS NULL OR org = $2) AND revoked_at IS NULL RETURNING id, org
    ), old AS (
        UPDATE api_secret SET expires_at = least(expires_at, now() + $5::interval)
        WHERE key IN (SELECT id FROM changed) AND prefix <> $3
    ), made AS (
        INSERT INTO api_secret (prefix, key, org, digest) SELECT $3, id, org, $4 FROM changed ON CONFLICT DO NOTHING
    )
    SELECT id FROM changed
"""
# Newest first, from behind `$3`.
READ = """
    SELECT k.*, o.name AS organisation, p.name AS project_name, b.limit_nano, b.period, (
            SELECT prefix FROM api_secret s WHERE s.key = k.id ORDER BY s.created_at DESC LIMIT 1
        ) AS prefix, (
            SELECT max(s.expires_at) FROM api_secret s WHERE s.key = k.id AND s.expires_at > now()
        ) AS overlap_until
    FROM api_key k JOIN organisation o ON o.id = k.org JOIN project p ON p.id = k.project
        LEFT JOIN budget b ON b.id = k.id AND b.deleted_at IS NULL
    WHERE ($1::uuid IS NULL OR k.id = $1) AND ($2::uuid IS NULL OR k.org = $2) AND ($3::uuid IS NULL
        OR (k.created_at, k.id) < (SELECT created_at, id FROM api_key a WHERE a.id = $3 AND a.org = k.org))
    ORDER BY k.created_at DESC, k.id DESC LIMIT $4
"""
BINDING = """
    SELECT id, CASE WHEN key IS NOT NULL THEN 'key' WHEN project IS NOT NULL THEN 'project' ELSE 'tag' END AS over,
        limit_nano, period
    FROM budget
    WHERE hard AND deleted_at IS NULL AND org = $1 AND (key = $2 OR project = $3 OR tag = ANY ($4::text[]))
"""


Known: TypeAlias = "tuple[str, bytes]"
"""The prefix and the digest of a key's text."""


@dataclass(frozen=True, slots=True)
class KeyBudget:
    """The limit of a key, hard; `None` is none. A `period` that is None stays what it was."""

    limit_nano: int | None
    period: str | None


@dataclass(frozen=True, slots=True)
class BindingBudget:
    """A hard budget that counts a key, since it is over the key itself, over its project or over one of its tags."""

    id: UUID
    over: Literal["key", "project", "tag"]
    limit_nano: int
    period: str


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key. Lists that are None allow everything; `overlap_until`: until when an earlier secret of it still works."""

    id: UUID
    org: UUID
    project_id: UUID
    prefix: str
    name: str
    role: Role
    organisation: str
    project: str
    scopes: list[Scope] | None
    allowed_models: list[str] | None
    allowed_strategies: list[str] | None
    rpm: int | None
    tpm: int | None
    concurrency: int | None
    retention: str | None
    cache: bool
    tags: list[str]
    budget: KeyBudget | None
    created_at: datetime
    expires_at: datetime | None
    overlap_until: datetime | None
    revoked_at: datetime | None


class KeyStore:
    """Keys over a pool. `org` is the organisation that is looked into, None all of them.

    Every method raises Overloaded when the database does not answer in time.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._alone = Alone(pool)

    def alone(self, org: UUID, key: UUID) -> AbstractAsyncContextManager[Pool]:
        """Let `key` check and change keys and budgets while nobody else of its organisation does: see `Alone.turn`."""
        return self._alone.turn(org, key)

    async def create(self, event: Event, columns: Mapping[str, Any], secret: Known, budget: KeyBudget) -> None:
        """Store a key with its first secret; `columns` are those of the table, the id among them."""
        sent, (prefix, digest) = orjson.dumps(columns, default=str).decode(), secret
        period = budget.period or "total"
        await changed(self._pool, event, CREATE, sent, prefix, budget.limit_nano, period, digest)

    async def update(
        self, event: Event, id_: UUID, org: UUID | None, columns: Mapping[str, Any], budget: KeyBudget | None
    ) -> bool:
        """Change some columns and, unless it is None, the budget; whether there is such a key that is not revoked."""
        limit, period = (budget.limit_nano, budget.period) if budget else (None, None)
        sent = orjson.dumps(columns, default=str).decode()
        touched = budget is not None
        return await changed(self._pool, event, UPDATE, id_, org, sent, touched, limit, period)

    async def revoke(self, event: Event, id_: UUID, org: UUID | None) -> bool:
        """Void a key for good; whether there is one."""
        return await changed(self._pool, event, REVOKE, id_, org)

    async def rotate(self, event: Event, id_: UUID, org: UUID | None, secret: Known, overlap: timedelta) -> bool:
        """Give a key another secret, and the earlier ones so much longer; whether there is one, not revoked."""
        return await changed(self._pool, event, ROTATE, id_, org, *secret, overlap)

    async def get(self, id_: UUID, org: UUID | None) -> StoredKey | None:
        """Return one key."""
        rows = await asked(self._pool, READ, id_, org, None, 1)
        return _stored(rows[0]) if rows else None

    async def binding(self, org: UUID, key: UUID, project: UUID, tags: Sequence[str]) -> Sequence[BindingBudget]:
        """The hard budgets, but those over the whole organisation, that count a key of this project with these tags."""
        return [BindingBudget(**row) for row in await asked(self._pool, BINDING, org, key, project, tags)]

    async def list(self, org: UUID | None, limit: int, after: UUID | None = None) -> list[StoredKey]:
        """Return up to `limit` keys, newest first, from behind the one whose id is `after`; revoked ones too."""
        return [_stored(row) for row in await asked(self._pool, READ, None, org, after, limit)]


def _stored(row: Record) -> StoredKey:
    budget = KeyBudget(row["limit_nano"], row["period"]) if row["period"] is not None else None
    same = {name: row[name] for name in StoredKey.__slots__ if name not in {"project", "project_id", "budget"}}
    return StoredKey(**same, project_id=row["project"], project=row["project_name"], budget=budget)
