"""One step of the sequencer: what is in the queue goes into the log, key events around it, all in one transaction."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from prysm.proof.leaves import RECEIPT
from prysm.store.log.keys import read_keys
from prysm.store.log.leaf import Leaf, key_event
from prysm.store.log.tree import grow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.store.connection import Connection
    from prysm.store.log.keys import Keychain, LogKey, Use
    from prysm.store.log.tree import Head, Tree

BATCH = 1024
OVERLAP: dict[Use, timedelta] = {"receipt": timedelta(days=1), "log": timedelta(days=7)}
"""How long a key is good beside its successor. Gateways take up a new one within seconds, but what one has spooled
while the database was away comes later; and verifiers have a week to fetch a new log key."""

# A scalar subquery, not EXISTS: that could become a hash of the whole log.
_TAKE = """
    WITH oldest AS (
        DELETE FROM log_queue WHERE seq IN (SELECT seq FROM log_queue ORDER BY seq LIMIT $1)
        RETURNING seq, kind, request_id, kid, digest
    )
    SELECT kind, request_id, kid, digest,
        (SELECT idx FROM log_leaf WHERE log_leaf.request_id = oldest.request_id) AS known
    FROM oldest ORDER BY seq
"""
_WAITING = "SELECT EXISTS (SELECT FROM log_queue WHERE kid = $1)"
_SUPERSEDE = """
    UPDATE log_key SET status = 'retiring', retire_at = now() + $3::interval
    WHERE log = $1 AND use = $2 AND status = 'active'
"""
_ACTIVATE = "UPDATE log_key SET status = 'active', from_index = $3 WHERE log = $1 AND kid = $2"
_RETIRE = "UPDATE log_key SET status = 'retired', to_index = $3 WHERE log = $1 AND kid = $2"

_log = logging.getLogger(__name__)


async def advance(connection: Connection, chain: Keychain, tree: Tree) -> tuple[Head | None, bool]:
    """Append what waits: new keys first, then receipts and audit events, then keys that end; the caller holds the lock.

    Return the new head, `None` when nothing was appended, and whether there may be more in the queue.
    """
    keys = await read_keys(connection, tree.log)
    announced = await _announce(connection, tree, keys)
    taken, full = await _take(connection, keys)
    added = announced + taken
    closed = await _close(connection, tree.log, tree.size + len(added), keys)
    added += closed
    if not added:
        return None, full
    if announced or closed:  # whoever else changes keys holds the lock too
        keys = await read_keys(connection, tree.log)
    return await grow(connection, tree, added, chain.signers(keys)), full


async def _announce(connection: Connection, tree: Tree, keys: Sequence[LogKey]) -> list[Leaf]:
    pending = [key for key in keys if key.status == "pending"]
    for index, key in enumerate(pending, tree.size):
        await connection.execute(_SUPERSEDE, tree.log, key.use, OVERLAP[key.use])
        await connection.execute(_ACTIVATE, tree.log, key.kid, index)
    return [key_event("add", key) for key in pending]


async def _take(connection: Connection, keys: Sequence[LogKey]) -> tuple[list[Leaf], bool]:
    """The oldest of the queue, those left out that the log holds already; and whether there may be more."""
    rows = await connection.fetch(_TAKE, BATCH)
    new = {row["request_id"]: row for row in reversed(rows) if row["known"] is None}
    valid = {key.kid for key in keys if key.status not in ("retired", "revoked")}
    late = sum(row["kind"] == RECEIPT and row["kid"] not in valid for row in new.values())
    if late:
        _log.warning(
            "%d receipts came to the log after the key that signed them was closed: they do not verify", late
        )
    added = [Leaf(row["kind"], row["digest"], row["request_id"]) for row in reversed(new.values())]
    return added, len(rows) == BATCH


async def _close(connection: Connection, log: int, index: int, keys: Sequence[LogKey]) -> list[Leaf]:
    due = [key for key in keys if key.status == "retiring" and key.due]
    ended = [key for key in due if not await connection.fetchval(_WAITING, key.kid)]
    for at, key in enumerate(ended, index):
        await connection.execute(_RETIRE, log, key.kid, at)
    return [key_event("close", key) for key in ended]
