"""What a gateway has to know of organisations, keys and budgets before a run, read again where it changed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from prysm.errors import Overloaded
from prysm.store.connection import DATABASE_ERRORS

if TYPE_CHECKING:
    from datetime import datetime

    from prysm.core.caller import Role, Scope
    from prysm.store.connection import Pool

TIMEOUT_S = 2.0

# A change is seen once it is committed, and dated when its transaction began: the overlap is the longest between.
# Revoked keys are told of to those who may know them, which is nobody the first time. Who comes with a secret that
# expired in the last day is told so.
CHANGED = """
    SELECT now() AS at, (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'id', id, 'prepaid', prepaid, 'rpm', rpm, 'tpm', tpm, 'concurrency', concurrency)), '[]')::text
        FROM organisation WHERE $1::timestamptz IS NULL OR changed_at > $1 - interval '10 s'
    ) AS organisations, (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'id', id, 'org', org, 'project', project, 'name', name, 'role', role, 'scopes', scopes,
            'allowed_models', allowed_models, 'allowed_strategies', allowed_strategies,
            'rpm', rpm, 'tpm', tpm, 'concurrency', concurrency, 'retention', retention, 'cache', cache, 'tags', tags,
            'expires', extract(epoch FROM expires_at), 'revoked', revoked_at IS NOT NULL, 'secrets', (
                SELECT coalesce(jsonb_agg(jsonb_build_object(
                    'prefix', prefix, 'digest', encode(digest, 'hex'), 'expires', extract(epoch FROM s.expires_at)
                )), '[]') FROM api_secret s
                WHERE s.key = k.id AND (s.expires_at > now() - interval '1 day') IS NOT FALSE
            ))), '[]')::text
        FROM api_key k WHERE CASE WHEN $1 IS NULL THEN revoked_at IS NULL
            ELSE changed_at > $1 - interval '10 s' END
    ) AS keys, (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'id', id, 'org', org, 'project', project, 'key', key, 'tag', tag, 'hard', hard,
            'deleted', deleted_at IS NOT NULL)), '[]')::text
        FROM budget WHERE CASE WHEN $1 IS NULL THEN deleted_at IS NULL ELSE changed_at > $1 - interval '10 s' END
    ) AS budgets
"""


@dataclass(frozen=True, slots=True)
class KnownOrganisation:
    """An organisation with its limits; `prepaid`: it pays from its credits."""

    id: UUID
    prepaid: bool
    rpm: int | None
    tpm: int | None
    concurrency: int | None


@dataclass(frozen=True, slots=True)
class KnownSecret:
    """One of the texts that a key is known by; `expires` in seconds since 1970."""

    prefix: str
    digest: bytes = field(repr=False)
    expires: float | None


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key, what it may and its secrets; lists that are None allow everything."""

    id: UUID
    org: UUID
    project: UUID
    name: str
    role: Role
    scopes: tuple[Scope, ...] | None
    allowed_models: tuple[str, ...] | None
    allowed_strategies: tuple[str, ...] | None
    rpm: int | None
    tpm: int | None
    concurrency: int | None
    retention: str | None
    cache: bool
    tags: tuple[str, ...]
    expires: float | None
    revoked: bool
    secrets: tuple[KnownSecret, ...]


@dataclass(frozen=True, slots=True)
class KnownBudget:
    """A budget and what it counts: the runs of an organisation, or of its one project, key or tag."""

    id: UUID
    org: UUID
    project: UUID | None
    key: UUID | None
    tag: str | None
    hard: bool
    deleted: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since the last time, or all there is; `at` says since when to ask the next time."""

    at: datetime
    organisations: list[KnownOrganisation]
    keys: list[KnownKey]
    budgets: list[KnownBudget]


class DirectoryStore:
    """Reads the directory over a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def changed(self, since: datetime | None) -> Changes:
        """What changed since then, some of it told before. Raises Overloaded when the database does not answer."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                row = await self._pool.fetchrow(CHANGED, since)
        except DATABASE_ERRORS as error:
            away = Overloaded("Keys cannot be looked up now: try again when /ready answers 200.")
            away.retry_after_s = TIMEOUT_S
            raise away from error
        assert row is not None  # noqa: S101 - a SELECT without FROM
        return Changes(
            row["at"],
            [KnownOrganisation(**_ids(one)) for one in orjson.loads(row["organisations"])],
            [_key(one) for one in orjson.loads(row["keys"])],
            [KnownBudget(**_ids(one)) for one in orjson.loads(row["budgets"])],
        )


def _key(row: dict[str, Any]) -> KnownKey:
    secrets = tuple(
        KnownSecret(one["prefix"], bytes.fromhex(one["digest"]), one["expires"]) for one in row.pop("secrets")
    )
    lists = {name: tuple(value) for name, value in row.items() if isinstance(value, list)}
    return KnownKey(**_ids(row) | lists, secrets=secrets)


def _ids(row: dict[str, Any]) -> dict[str, Any]:
    ids = ("id", "org", "project", "key")
    return row | {name: UUID(row[name]) for name in ids if row.get(name) is not None}
