"""Runs as `settle` writes them down, for the tests of what they add up to."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import orjson

from prysm.core.caller import DEFAULT_ID

if TYPE_CHECKING:
    from tests.serving import Served

INSERT = """
    INSERT INTO usage SELECT x.* FROM jsonb_populate_recordset(NULL::usage, $1) x
"""
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def run(**over: Any) -> dict[str, Any]:
    """One run of the root key."""
    whose = {
        "request_id": str(uuid4()),
        "at": NOON,
        "org": str(DEFAULT_ID),
        "project": str(DEFAULT_ID),
        "key": None,
    }
    how = {"model": "m", "provider": "p", "strategy": "single", "mode": "balanced", "policy": "balanced"}
    figures = {"tokens_in": 10, "tokens_out": 5, "cost_nano": 42, "estimated": False}
    return whose | how | {"task": "chat", "outcome": "ok", "tags": []} | figures | over


def ran(gateway: Served, *runs: dict[str, Any]) -> None:
    """Write runs down."""
    execute(gateway, INSERT, orjson.dumps(runs).decode())


def execute(gateway: Served, statement: str, *values: object) -> None:
    """Do something in the gateway's database."""

    async def once() -> None:
        connection = await asyncpg.connect(gateway.database_url)
        try:
            await connection.execute(statement, *values)
        finally:
            await connection.close()

    asyncio.run(once())


def made_key(gateway: Served, role: str = "member", **over: Any) -> tuple[dict[str, str], UUID]:
    """A new key: the header that carries it, and its id."""
    body = {"name": "of a test", "role": role} | over
    made = gateway.http.post("/v1/keys", json=body).json()
    return {"authorization": f"Bearer {made['key']}"}, UUID(made["id"])


def made_organisation(gateway: Served, **over: Any) -> str:
    """A new organisation's id."""
    made = gateway.http.post("/v1/organisations", json={"name": uuid4().hex} | over).json()
    return str(made["id"])
