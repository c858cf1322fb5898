"""What runs used, added up. One statement gives all the sums, so that they are of one moment and agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from prysm.store.administration import asked

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from prysm.store.connection import Pool

By: TypeAlias = Literal["key", "model", "strategy", "task", "tag", "day"]

_MATCHING = """
    ($1::uuid IS NULL OR org = $1) AND (NOT $2 OR key IS NOT DISTINCT FROM $3::uuid)
    AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5)
"""
_SUMS = """
    count(*) AS requests, sum(tokens_in)::bigint AS tokens_in, sum(tokens_out)::bigint AS tokens_out,
    sum(cost_nano)::bigint AS cost_nano, count(*) - count(cost_nano) AS unknown_cost_requests
"""
# A run of several models counts under each that it called, with that one's part. The cost of a run is known as a whole
# or not at all, as it is settled: so the parts add up to what the runs cost, whatever is not known.
_CALLED = """
    (
        SELECT org, key, at, {of} AS name, tokens_in, tokens_out, cost_nano FROM usage WHERE parts IS NULL
        UNION ALL
        SELECT org, key, at, part.* FROM usage AS run, LATERAL (
            SELECT p.{of}, sum(p.tokens_in)::bigint, sum(p.tokens_out)::bigint,
                CASE WHEN run.cost_nano IS NOT NULL THEN sum(p.cost)::bigint END
            FROM jsonb_to_recordset(run.parts)
                AS p (model text, provider text, tokens_in bigint, tokens_out bigint, cost bigint) GROUP BY 1
        ) AS part WHERE parts IS NOT NULL
    ) AS called
"""
_MODELS, _PROVIDERS = (_CALLED.format(of=of) for of in ("model", "provider"))
SUMMARY = f"""
    SELECT CASE grouping(mode) WHEN 0 THEN 'mode' ELSE 'total' END AS of, mode AS name, {_SUMS}
    FROM usage WHERE {_MATCHING} GROUP BY GROUPING SETS ((), (mode))
    UNION ALL SELECT 'model', name, {_SUMS} FROM {_MODELS} WHERE {_MATCHING} GROUP BY name
    UNION ALL SELECT 'provider', name, {_SUMS} FROM {_PROVIDERS} WHERE {_MATCHING} GROUP BY name
    ORDER BY cost_nano DESC NULLS LAST, requests DESC, name
"""  # noqa: S608 - constants, here and below
RECENT = f"""
    SELECT request_id, at, key, model, provider, strategy, mode, policy, task, outcome, tokens_in, tokens_out,
        cost_nano, estimated, tags
    FROM usage WHERE {_MATCHING} ORDER BY at DESC, request_id LIMIT $6
"""  # noqa: S608
NAMES: dict[By, str] = {
    "key": "coalesce(key::text, 'root')",
    "model": "name",
    "strategy": "strategy",
    "task": "task",
    "tag": "tag",
    "day": "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
}
# A run with several tags counts under each of them, so these sums may add up to more than the total.
_SOURCES: dict[By, str] = {
    "tag": "usage LEFT JOIN LATERAL (SELECT DISTINCT unnest(tags)) AS x (tag) ON true",
    "model": _MODELS,
}
_ORDERS: dict[By, str] = {"day": "name"}
GROUPS = {
    by: f"""
        SELECT {name} AS name, {_SUMS} FROM {_SOURCES.get(by, "usage")} WHERE {_MATCHING} GROUP BY 1
        ORDER BY {_ORDERS.get(by, "cost_nano DESC NULLS LAST, requests DESC, name")} LIMIT $6
    """  # noqa: S608
    for by, name in NAMES.items()
}


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose runs, and when: all of `org`, None every organisation's; with `one_key` those of `key` alone.

    `key` None is the root key. From `since` on, before `until`, both with a time zone.
    """

    org: UUID | None = None
    one_key: bool = False
    key: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def values(self) -> tuple[object, ...]:
        """As parameters of the statements."""
        return self.org, self.one_key, self.key, self.since, self.until


@dataclass(frozen=True, slots=True)
class Sums:
    """Runs under one name, None where they have none. Tokens and cost are of the runs where they are known.

    None of a figure is known where it is None. `unknown_cost_requests` are the runs whose cost nobody knows.
    """

    name: str | None
    requests: int
    tokens_in: int | None
    tokens_out: int | None
    cost_nano: int | None
    unknown_cost_requests: int


@dataclass(frozen=True, slots=True)
class Summary:
    """All runs of a scope, also by what was called and how it was routed; the groups that cost most first."""

    total: Sums
    models: list[Sums]
    providers: list[Sums]
    modes: list[Sums]


@dataclass(frozen=True, slots=True)
class Used:
    """One run; `None` is unknown, or in `key` the root key."""

    request_id: UUID
    at: datetime
    key: UUID | None
    model: str | None
    provider: str | None
    strategy: str
    mode: str
    policy: str
    task: str
    outcome: str
    tokens_in: int | None
    tokens_out: int | None
    cost_nano: int | None
    estimated: bool
    tags: list[str]


class UsageStore:
    """Reads usage over a pool. Every method raises Overloaded when the database does not answer in time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def summary(self, scope: Scope) -> Summary:
        """Everything added up."""
        found: dict[str, list[Sums]] = {"total": [], "model": [], "provider": [], "mode": []}
        for row in await asked(self._pool, SUMMARY, *scope.values):
            found[row["of"]].append(Sums(**{name: row[name] for name in Sums.__slots__}))
        return Summary(found["total"][0], found["model"], found["provider"], found["mode"])

    async def groups(self, by: By, scope: Scope, limit: int) -> list[Sums]:
        """Up to `limit` groups, those that cost most first; days in their order."""
        return [Sums(**row) for row in await asked(self._pool, GROUPS[by], *scope.values, limit)]

    async def recent(self, scope: Scope, limit: int) -> list[Used]:
        """Up to `limit` runs, the newest first."""
        return [Used(**row) for row in await asked(self._pool, RECENT, *scope.values, limit)]
