"""The two functions that do the money, called as a gateway calls them, over a connection of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import orjson

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Sequence

    from prysm.store.connection import Connection

ADMIT = "SELECT admit($1::uuid[], $2::bytea[], $3::jsonb, $4)"
# A receipt that is there already is left alone, and its run was settled; an intent goes whoever sealed the run.
SETTLE = """
    WITH new AS (
        INSERT INTO receipt (request_id, payload, proof_hash)
        SELECT id, '', '' FROM unnest($1::uuid[]) id ORDER BY id
        ON CONFLICT DO NOTHING RETURNING request_id
    ), ended AS (
        DELETE FROM intent WHERE request_id = ANY($1::uuid[]) RETURNING request_id AS id, payer
    )
    SELECT settle(
        (SELECT coalesce(array_agg(request_id), '{}') FROM new),
        (SELECT coalesce(jsonb_agg(to_jsonb(ended)), '[]') FROM ended), $2::jsonb, $3
    )
"""


@dataclass
class Run:
    """A run, who pays for it and what it will cost; `cost` None is unknown."""

    payer: dict[str, Any]
    cost: int | None = 0
    charged: bool = True
    """Whether its gateway lives to say what it used."""
    id: UUID = field(default_factory=uuid4)

    @property
    def charge(self) -> dict[str, Any]:
        """What it used, as `settle` takes it."""
        whose = {name: self.payer[name] for name in ("org", "project", "key", "tags", "strategy", "mode", "policy")}
        used = {"model": "m", "provider": "p", "tokens_in": 10, "tokens_out": 5, "cost": self.cost}
        return {"id": self.id, **whose, "task": "chat", "outcome": "ok", "estimated": False, **used}


def payer(org: UUID, held: int = 0, **over: Any) -> dict[str, Any]:
    """Who pays: nothing limits it but what is given."""
    whose: dict[str, Any] = {
        "org": org,
        "project": org,
        "key": None,
        "tags": [],
        "strategy": "single",
        "mode": "balanced",
    }
    stakes = {"held": held, "prepaid": False, "budgets": [], "meters": []}
    return whose | {"policy": "balanced", "task": "chat"} | stakes | over


@dataclass
class Till:
    """One gateway's."""

    connection: Connection
    gateway: UUID = field(default_factory=uuid4)

    @classmethod
    async def open(cls, url: str) -> Till:
        """Connect."""
        return cls(await asyncpg.connect(url))

    async def admit(self, runs: Sequence[Run]) -> list[dict[str, Any]]:
        """What becomes of each."""
        payers = orjson.dumps([run.payer for run in runs]).decode()
        values = [run.id for run in runs], [b""] * len(runs), payers, self.gateway
        verdicts: list[dict[str, Any]] = orjson.loads(await self.connection.fetchval(ADMIT, *values))
        return verdicts

    async def settle(self, runs: Iterable[Run]) -> None:
        """End them all; those that are not charged were cut off."""
        runs = list(runs)
        charges = orjson.dumps([run.charge for run in runs if run.charged]).decode()
        await self.connection.fetchval(SETTLE, [run.id for run in runs], charges, self.gateway)


async def organisation(connection: Connection, credits_nano: int | None = None) -> UUID:
    """A new one, with a project of its own id; with `credits_nano` it has that much."""
    org = uuid4()
    await connection.execute("INSERT INTO organisation (id, name) VALUES ($1, gen_random_uuid())", org)
    await connection.execute("INSERT INTO project (id, org, name) VALUES ($1, $1, 'p')", org)
    if credits_nano:
        await connection.execute(
            "INSERT INTO ledger_account (org, name, shard, balance_nano)"
            " VALUES ($1, 'funding', 0, -$2::bigint), ($1, 'credits', 0, $2)",
            *(org, credits_nano),
        )
        entry = "INSERT INTO ledger_entry (org, kind, source, target, shard, amount_nano)"
        await connection.execute(f"{entry} VALUES ($1, 'topup', 'funding', 'credits', 0, $2)", org, credits_nano)
    return org


async def budget(connection: Connection, org: UUID, limit_nano: int, *, hard: bool = True, **over: Any) -> UUID:
    """A new one."""
    made = uuid4()
    await connection.execute(
        "INSERT INTO budget (id, org, period, limit_nano, hard, tag) VALUES ($1, $2, $3, $4, $5, $6)",
        *(made, org, over.get("period", "total"), limit_nano, hard, over.get("tag")),
    )
    return made


def shuffled(chance: random.Random, items: Iterable[Any]) -> list[Any]:
    """The items in another order."""
    mixed = list(items)
    chance.shuffle(mixed)
    return mixed
