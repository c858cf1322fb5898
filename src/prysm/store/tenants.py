"""Organisations and their projects, as administrators see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from prysm.store.administration import asked, changed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from prysm.store.audit import Event
    from prysm.store.connection import Pool

# Nothing comes back where the name is taken; sent twice, it is there.
CREATE_ORGANISATION = """
    WITH made AS (
        INSERT INTO organisation (id, name, prepaid, rpm, tpm, concurrency)
        SELECT id, name, coalesce(prepaid, false), rpm, tpm, concurrency
        FROM jsonb_populate_record(NULL::organisation, $1)
        ON CONFLICT DO NOTHING RETURNING id
    ), project AS (
        INSERT INTO project (id, org, name) SELECT id, id, 'default' FROM made
    )
    SELECT id FROM made UNION SELECT id FROM organisation WHERE id = ($1::jsonb ->> 'id')::uuid
"""
UPDATE_ORGANISATION = """
    UPDATE organisation o SET (name, prepaid, rpm, tpm, concurrency, changed_at) = (
        SELECT name, prepaid, rpm, tpm, concurrency, now() FROM jsonb_populate_record(o, $2)
    )
    WHERE id = $1 AND NOT EXISTS (SELECT FROM organisation x WHERE x.name = $2::jsonb ->> 'name' AND x.id <> $1)
    RETURNING id
"""
READ_ORGANISATIONS = """
    SELECT id, name, prepaid, rpm, tpm, concurrency, created_at FROM organisation o
    WHERE ($1::text IS NULL OR id::text = $1 OR name = $1) AND ($2::uuid IS NULL
        OR (created_at, id) < (SELECT created_at, id FROM organisation a WHERE a.id = $2))
    ORDER BY (id::text = $1) DESC, created_at DESC, id DESC LIMIT $3
"""
CREATE_PROJECT = """
    WITH made AS (
        INSERT INTO project (id, org, name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING id
    )
    SELECT id FROM made UNION SELECT id FROM project WHERE id = $1
"""
RENAME_PROJECT = """
    UPDATE project p SET name = $3 WHERE id = $1 AND ($2::uuid IS NULL OR org = $2)
        AND NOT EXISTS (SELECT FROM project x WHERE x.org = p.org AND x.name = $3 AND x.id <> $1)
    RETURNING id
"""
READ_PROJECTS = """
    SELECT p.id, p.org, p.name, o.name AS organisation, p.created_at
    FROM project p JOIN organisation o ON o.id = p.org
    WHERE ($1::text IS NULL OR p.id::text = $1 OR p.name = $1) AND ($2::uuid IS NULL OR p.org = $2)
        AND ($3::uuid IS NULL OR (p.created_at, p.id) < (SELECT created_at, id FROM project a WHERE a.id = $3))
    ORDER BY (p.id::text = $1) DESC, p.created_at DESC, p.id DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Organisation:
    """A tenant; its limits are over all of its keys. `prepaid`: runs are paid from its credits."""

    id: UUID
    name: str
    prepaid: bool
    rpm: int | None
    tpm: int | None
    concurrency: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Project:
    """A part of an organisation, by which it can count what it spends."""

    id: UUID
    org: UUID
    name: str
    organisation: str
    created_at: datetime


class TenantStore:
    """Organisations and projects over a pool. `org` is the organisation that is looked into, None all of them.

    Every method raises Overloaded when the database does not answer in time.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create_organisation(self, event: Event, columns: Mapping[str, Any]) -> bool:
        """Make an organisation with a project `default`; False where another has its name."""
        return await changed(self._pool, event, CREATE_ORGANISATION, orjson.dumps(columns, default=str).decode())

    async def update_organisation(self, event: Event, id_: UUID, columns: Mapping[str, Any]) -> bool:
        """Change some columns; False where another has the name, or there is no such organisation."""
        return await changed(
            self._pool, event, UPDATE_ORGANISATION, id_, orjson.dumps(columns, default=str).decode()
        )

    async def organisations(self, limit: int, after: UUID | None = None) -> list[Organisation]:
        """Return up to `limit` organisations, newest first, from behind the one whose id is `after`."""
        rows = await asked(self._pool, READ_ORGANISATIONS, None, after, limit)
        return [Organisation(**row) for row in rows]

    async def organisation(self, called: str) -> Organisation | None:
        """Return the organisation of this id or name."""
        rows = await asked(self._pool, READ_ORGANISATIONS, called, None, 1)
        return Organisation(**rows[0]) if rows else None

    async def create_project(self, event: Event, id_: UUID, org: UUID, name: str) -> bool:
        """Make a project; False where another of the organisation has its name."""
        return await changed(self._pool, event, CREATE_PROJECT, id_, org, name)

    async def rename_project(self, event: Event, id_: UUID, org: UUID | None, name: str) -> bool:
        """Rename a project; False where another has the name, or there is no such project."""
        return await changed(self._pool, event, RENAME_PROJECT, id_, org, name)

    async def projects(self, org: UUID | None, limit: int, after: UUID | None = None) -> list[Project]:
        """Return up to `limit` projects, newest first, from behind the one whose id is `after`."""
        return [Project(**row) for row in await asked(self._pool, READ_PROJECTS, None, org, after, limit)]

    async def project(self, called: str, org: UUID | None) -> Project | None:
        """Return the project of this id or name; names are clear within an organisation only."""
        rows = await asked(self._pool, READ_PROJECTS, called, org, None, 1)
        return Project(**rows[0]) if rows else None
