"""Delete what is kept of a run. What the log holds of it is a digest, and stays: other proofs depend on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prysm.store.audit import Event, record

if TYPE_CHECKING:
    from uuid import UUID

    from prysm.store.connection import Connection

_FOUND = """
    SELECT EXISTS (SELECT FROM receipt WHERE request_id = $1) AS kept,
        EXISTS (SELECT FROM log_queue WHERE request_id = $1 AND kind = 1) AS queued,
        (SELECT idx FROM log_leaf WHERE request_id = $1 AND kind = 1) AS index,
        (SELECT origin FROM log_leaf JOIN log ON n = log WHERE request_id = $1 AND kind = 1) AS origin
"""
# Feedback that comes meanwhile waits for the row, and then finds no receipt.
_LOCK = "SELECT true FROM receipt WHERE request_id = $1 FOR UPDATE"
# Usage may be pruned. The ledger is not, and knows every run that cost something.
_WHOSE = """
    SELECT coalesce(
        (SELECT org FROM usage WHERE request_id = $1 LIMIT 1),
        (SELECT org FROM response WHERE id = $1),
        (SELECT org FROM cached_answer WHERE request_id = $1 LIMIT 1),
        (SELECT org FROM idempotency WHERE request_id = $1 LIMIT 1),
        (SELECT org FROM ledger_entry WHERE request_id = $1 LIMIT 1)
    )
"""
_DELETE = (
    "DELETE FROM feedback WHERE request_id = $1",
    "DELETE FROM stage WHERE request_id = $1",
    "DELETE FROM receipt WHERE request_id = $1",
    "DELETE FROM response WHERE id = $1",
    "DELETE FROM cached_answer WHERE request_id = $1",
    # The claim stays: who sends the request again is told so, and does not pay twice.
    "UPDATE idempotency SET answer = NULL WHERE request_id = $1",
)


@dataclass(frozen=True, slots=True)
class Kept:
    """What there is of a run. `kept`: the receipt; `index` and `origin`: its leaf; `queued`: it waits for one."""

    kept: bool
    queued: bool
    index: int | None
    origin: str | None


async def find(connection: Connection, request_id: UUID) -> Kept | None:
    """What the database has of a run; `None` when nothing."""
    row = await connection.fetchrow(_FOUND, request_id)
    found = None if row is None else Kept(**row)
    return found if found and (found.kept or found.queued or found.index is not None) else None


async def delete(connection: Connection, request_id: UUID) -> None:
    """Delete the receipt, its stages and feedback, and the answer wherever it is kept to be given again."""
    async with connection.transaction():
        if await connection.fetchval(_LOCK, request_id):
            whose = await connection.fetchval(_WHOSE, request_id)
            await record(connection, Event("proof.delete", str(request_id), org=whose))
        for statement in _DELETE:
            await connection.execute(statement, request_id)
