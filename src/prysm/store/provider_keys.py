"""Keys that organisations bring for providers. What is here opens nothing without the operator's encryption key."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncpg

from prysm.errors import Overloaded
from prysm.store.administration import asked, changed
from prysm.store.audit import Event, record
from prysm.store.connection import DATABASE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from prysm.store.connection import Connection, Pool

TIMEOUT_S = 2.0

# An organisation has one key for a provider: a new one takes the place of the one before, which is deleted.
CREATE = """
    WITH before AS (
        UPDATE provider_key SET wrapped_key = NULL, sealed = NULL, revoked_at = now(), changed_at = now()
        WHERE org = $2 AND provider = $3 AND revoked_at IS NULL AND NOT EXISTS (SELECT FROM provider_key WHERE id = $1)
        RETURNING id
    )
    INSERT INTO provider_key (id, org, provider, label, wrapped_key, sealed, last4)
        SELECT $1, $2, $3, $4, $5, $6, $7 FROM (SELECT count(*) FROM before) AS first
        ON CONFLICT (id) DO NOTHING RETURNING id
"""
REVOKE = """
    UPDATE provider_key SET wrapped_key = NULL, sealed = NULL, revoked_at = now(), changed_at = now()
    WHERE id = $1 AND ($2::uuid IS NULL OR org = $2) AND revoked_at IS NULL RETURNING id
"""
# Newest first, from behind `$3`.
READ = """
    SELECT k.id, k.org, o.name AS organisation, provider, label, last4, k.created_at, revoked_at
    FROM provider_key k JOIN organisation o ON o.id = k.org
    WHERE ($1::uuid IS NULL OR k.id = $1) AND ($2::uuid IS NULL OR k.org = $2) AND ($3::uuid IS NULL
        OR (k.created_at, k.id) < (SELECT created_at, id FROM provider_key a WHERE a.id = $3))
    ORDER BY k.created_at DESC, k.id DESC LIMIT $4
"""
# A change is seen once it is committed, and dated when its transaction began: the overlap is the longest between.
CHANGED = """
    SELECT at, id, org, provider, wrapped_key, sealed FROM (SELECT now() AS at) asked LEFT JOIN provider_key
        ON CASE WHEN $1::timestamptz IS NULL THEN revoked_at IS NULL ELSE changed_at > $1 - interval '10 s' END
    ORDER BY revoked_at NULLS LAST
"""
WRAPPED = """
    SELECT id, org, provider, wrapped_key, sealed FROM provider_key WHERE revoked_at IS NULL ORDER BY id FOR UPDATE
"""


@dataclass(frozen=True, slots=True)
class StoredProviderKey:
    """A key as administrators see it."""

    id: UUID
    org: UUID
    organisation: str
    provider: str
    label: str | None
    last4: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class KnownProviderKey:
    """A key as a gateway uses it; both byte strings are None once it is revoked."""

    id: UUID
    org: UUID
    provider: str
    wrapped_key: bytes | None = field(repr=False)
    sealed: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChangedKeys:
    """What changed since the last time, or all there is, revoked ones first; `at` says since when to ask next."""

    at: datetime
    keys: list[KnownProviderKey]


class ProviderKeyStore:
    """Provider keys over two pools. `org` is the organisation that is looked into, None all of them.

    Every method raises Overloaded when the database does not answer in time.
    """

    def __init__(self, pool: Pool, vital: Pool) -> None:
        self._pool = pool
        self._vital = vital

    async def create(self, event: Event, key: KnownProviderKey, label: str | None, last4: str) -> None:
        """Store a key, in place of the one that its organisation had for this provider."""
        values = key.id, key.org, key.provider, label, key.wrapped_key, key.sealed, last4
        try:
            await changed(self._pool, event, CREATE, *values)
        except Overloaded as error:
            if not isinstance(error.__cause__, asyncpg.UniqueViolationError):
                raise
            # Another came at the same moment, and this one is the newer.
            await changed(self._pool, event, CREATE, *values)

    async def revoke(self, event: Event, id_: UUID, org: UUID | None) -> bool:
        """Delete a key for good; whether there was one. That it was there stays on record."""
        return await changed(self._pool, event, REVOKE, id_, org)

    async def get(self, id_: UUID, org: UUID | None) -> StoredProviderKey | None:
        """Return one key."""
        rows = await asked(self._pool, READ, id_, org, None, 1)
        return StoredProviderKey(**rows[0]) if rows else None

    async def list(self, org: UUID | None, limit: int, after: UUID | None = None) -> list[StoredProviderKey]:
        """Return up to `limit` keys, newest first, from behind the one whose id is `after`; revoked ones too."""
        return [StoredProviderKey(**row) for row in await asked(self._pool, READ, None, org, after, limit)]

    async def changed(self, since: datetime | None) -> ChangedKeys:
        """What changed since then, some of it told before."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                rows = await self._vital.fetch(CHANGED, since)
        except DATABASE_ERRORS as error:
            raise Overloaded("Provider keys cannot be looked up now: try again when /ready answers 200.") from error
        fields = KnownProviderKey.__slots__
        known = [KnownProviderKey(**{name: row[name] for name in fields}) for row in rows if row["id"] is not None]
        return ChangedKeys(rows[0]["at"], known)


async def rewrap(connection: Connection, rewrapped: Callable[[KnownProviderKey], bytes | None]) -> tuple[int, int]:
    """Put every data key under another key, all or none; how many there are, and how many were not yet under it.

    Raises what `rewrapped` raises, which returns None for a key that is to stay as it is.
    """
    async with connection.transaction():
        keys = [KnownProviderKey(**row) for row in await connection.fetch(WRAPPED)]
        new = [(key.id, wrapped) for key in keys if (wrapped := rewrapped(key)) is not None]
        await connection.executemany(
            "UPDATE provider_key SET wrapped_key = $2, changed_at = now() WHERE id = $1", new
        )
        if new:
            await record(connection, Event("provider_key.rewrap", "provider_key", {"keys": len(new)}))
    return len(keys), len(new)
