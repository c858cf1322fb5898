"""What is left of a run that was deleted, and who may see that it was."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.store.receipts import whole
from tests.store.till import organisation

from prysm.store.committer import GroupCommitter
from prysm.store.deletion import delete

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prysm.store.connection import Connection

USED = """
    INSERT INTO usage (request_id, org, project, strategy, mode, policy, task, outcome, estimated, tags)
    VALUES ($1, $2, $2, '', '', '', '', '', false, '{}')
"""
SETTLED = """
    INSERT INTO ledger_entry (request_id, org, kind, source, target, shard, amount_nano)
    VALUES ($1, $2, 'settle', 'open', 'spent', 0, 1)
"""
CACHED = """
    INSERT INTO cached_answer (request_id, org, key, body, expires_at) VALUES ($1, $2, sha256('k'), 'text', 'infinity')
"""
CLAIMED = """
    INSERT INTO idempotency (request_id, org, caller, name, request, answer, expires_at)
    VALUES ($1, $2, 'c', uuid_send($1), 'r', 'text', 'infinity')
"""


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    made = await asyncpg.connect(database_url)
    yield made
    await made.close()


async def sealed(url: str) -> UUID:
    committer, made = await GroupCommitter.open(url), whole()
    await committer.put(made)
    await committer.close()
    return made.request_id


async def test_the_answer_goes_wherever_it_is_kept_and_its_idempotency_key_stays_used(
    database_url: str, connection: Connection
) -> None:
    run, other, org = await sealed(database_url), uuid4(), await organisation(connection)
    for statement in (CACHED, CLAIMED):
        for each in (run, other):
            await connection.execute(statement, each, org)
    await delete(connection, run)
    assert await connection.fetchval("SELECT array_agg(request_id) FROM cached_answer") == [other]
    rows = await connection.fetch("SELECT request_id, answer FROM idempotency")
    assert {row["request_id"]: row["answer"] for row in rows} == {run: None, other: b"text"}


@pytest.mark.parametrize("known", [USED, SETTLED, CACHED, CLAIMED], ids=["usage", "ledger", "cache", "idempotency"])
async def test_an_admin_sees_that_a_run_of_its_organisation_was_deleted(
    database_url: str, connection: Connection, known: str
) -> None:
    run, org = await sealed(database_url), await organisation(connection)
    await connection.execute(known, run, org)
    await delete(connection, run)
    assert await connection.fetchval("SELECT org FROM audit_event WHERE target = $1", str(run)) == org
