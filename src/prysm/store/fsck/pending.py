"""What is on its way into the log, and what is kept of it outside the database."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from prysm.proof import note, tiles
from prysm.proof.defect import Defect
from prysm.proof.leaves import RECEIPT
from prysm.proof.merkle import HASH_BYTES
from prysm.store import lease
from prysm.store.log.tree import read_tiles
from prysm.store.notary import SPOOLING_LEASE_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.proof.keys import PublicKey
    from prysm.store.fsck.audit import Audit
    from prysm.store.log.pin import Pin

_QUEUE = """
    SELECT seq, log_queue.kind, request_id, kid, octet_length(log_queue.digest) AS bytes, log_leaf.idx, log_leaf.log,
        log_queue.kind = 1 AND NOT EXISTS (
            SELECT FROM receipt WHERE receipt.request_id = log_queue.request_id
        ) AS deleted
    FROM log_queue LEFT JOIN log_leaf USING (request_id) ORDER BY seq
"""
_TWICE = "SELECT request_id, count(*) AS times FROM log_queue GROUP BY request_id HAVING count(*) > 1"
_STALE = """
    SELECT request_id, now() - created_at AS age FROM intent
    WHERE created_at < now() - $1::interval
    AND NOT EXISTS (SELECT FROM instance WHERE id = intent.instance AND lease_until > now())
"""
_BEYOND = "SELECT id FROM instance WHERE lease_until > now() + $1::interval"
_INTENTS = "SELECT count(*) FROM intent"
_LOGS = """
    SELECT n, origin, (SELECT max(size) FROM checkpoint WHERE log = n) AS size,
        EXISTS (SELECT FROM log AS later WHERE later.n > log.n) AS succeeded
    FROM log
"""
_PATIENCE = timedelta(seconds=2 * lease.LEASE_S)
"""A gateway that starts looks for intents only when its own lease is as old as another's may be."""

_LONGEST = timedelta(seconds=SPOOLING_LEASE_S)


async def check_queue(audit: Audit, keys: Sequence[PublicKey]) -> None:
    """Whether what waits for the log can go there, once."""
    known = {key.kid for key in keys if key.use == "receipt"}
    async for rows in audit.slices(_QUEUE):
        for row in rows:
            is_receipt = row["kind"] == RECEIPT
            where = f"queue {row['seq']} {'receipt' if is_receipt else 'event'} {row['request_id']}"
            audit.counts["queued"] += 1
            audit.counts["deleted"] += row["deleted"] and row["idx"] is None
            if row["bytes"] != HASH_BYTES:
                audit.add("queue_digest", where, f"Its digest has {row['bytes']} bytes.")
            if is_receipt and row["kid"] not in known:
                audit.add("queue_key", where, f"No row has the key {row['kid']!r}.")
            if row["idx"] is not None:
                audit.add("queue_logged", where, f"It is in the log already, at index {row['idx']}.")
    async for rows in audit.slices(_TWICE):
        for row in rows:
            audit.add("queue_twice", f"receipt {row['request_id']}", f"It is in the queue {row['times']} times.")


async def check_intents(audit: Audit) -> None:
    """Whether runs that were cut off wait for longer than it takes to seal them."""
    audit.counts["intents"] += await audit.connection.fetchval(_INTENTS)
    async for rows in audit.slices(_STALE, _PATIENCE):
        for row in rows:
            what = (
                f"The run began {row['age'].total_seconds():.0f} s ago, its gateway is gone, and nobody sealed it."
            )
            audit.add("intent_stale", f"intent {row['request_id']}", what)


async def check_leases(audit: Audit) -> None:
    """Whether some gateway counts as alive for longer than any asks for: nobody would seal its runs."""
    async for rows in audit.slices(_BEYOND, _LONGEST):
        for row in rows:
            audit.add("lease_beyond", f"instance {row['id']}", "Its lease runs out far later than any is made for.")


async def check_pins(audit: Audit, pins: Sequence[Pin], keys: Sequence[PublicKey]) -> None:
    """Whether what was seen of a log is still a part of it; a log that has a successor was given up."""
    logs = {row["origin"]: row for row in await audit.connection.fetch(_LOGS)}
    for pin in pins:
        audit.counts["pins"] += 1
        where, log = f"pin {pin.origin} size {pin.size}", logs.get(pin.origin)
        if log is None:
            audit.add("pin_unknown", where, "This database has no log of that origin.")
            continue
        publics = [key.public for key in keys if (key.use, key.origin) == ("log", pin.origin)]
        try:
            note.opened(pin.note, pin.origin, publics)
        except Defect as defect:
            audit.add("pin_signature", where, f"Its signature does not hold: {defect}.")
            continue
        if not log["succeeded"] and await _root(audit, log["n"], log["size"] or 0, pin.size) != pin.root:
            audit.add(
                "pin_lost", where, f"The log has {log['size']} leaves, and this checkpoint is not one of them."
            )


async def _root(audit: Audit, log: int, size: int, pinned: int) -> bytes | None:
    if pinned > size:
        return None
    try:
        return tiles.root(pinned, await read_tiles(audit.connection, log, tiles.tiles_for_root(pinned)))
    except Defect:
        return None
