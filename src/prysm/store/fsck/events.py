"""The audit log: every event against its statement, and against the leaf that holds its digest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from prysm.proof.audited import event_digest, told
from prysm.proof.defect import Defect
from prysm.proof.leaves import AUDIT
from prysm.store.audit import spelled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asyncpg import Record

    from prysm.store.fsck.audit import Audit

_EVENTS = f"""
    SELECT event.*, leaf.digest, leaf.kind, idx, origin,
        CASE WHEN idx IS NULL THEN
            (SELECT digest FROM log_queue WHERE request_id = id AND log_queue.kind = {AUDIT} LIMIT 1)
        END AS queued
    FROM audit_event AS event LEFT JOIN log_leaf AS leaf ON request_id = id LEFT JOIN log ON n = leaf.log ORDER BY id
"""  # noqa: S608  a constant
_GONE = f"""
    SELECT request_id, 'leaf ' || idx || ' of ' || origin AS holder FROM log_leaf JOIN log ON n = log
    WHERE kind = {AUDIT} AND NOT EXISTS (SELECT FROM audit_event WHERE id = request_id)
    UNION ALL SELECT request_id, 'the queue of the log' FROM log_queue
    WHERE kind = {AUDIT} AND NOT EXISTS (SELECT FROM audit_event WHERE id = request_id)
"""  # noqa: S608  a constant


async def check_events(audit: Audit) -> None:
    """Name what was altered, deleted, or slipped in beside the log."""
    async for rows in audit.slices(_EVENTS):
        audit.counts["events"] += len(rows)
        for row in rows:
            for code, what in (*_content(row), *_place(row)):
                audit.add(code, f"event {row['id']}", what)
        audit.progress("events", audit.counts["events"])
    async for rows in audit.slices(_GONE):
        for row in rows:
            what = f"Its digest is in {row['holder']}, and there is no such event any more."
            audit.add("event_missing", f"event {row['request_id']}", what)


def _content(row: Record) -> Iterator[tuple[str, str]]:
    try:
        said = told(row["body"])
    except Defect as defect:
        yield "event_body", f"Its statement cannot be read: {defect}."
        return
    if wrong := [name for name, value in _columns(row).items() if said[name] != value]:
        yield "event_body", f"Its row and its statement differ in {', '.join(wrong)}."


def _columns(row: Record) -> dict[str, Any]:
    """The row as a statement would put it."""
    names = ("id", "org", "actor_key")
    ids = {name: None if row[name] is None else str(row[name]) for name in names}
    texts = {name: row[name] for name in ("actor", "action", "target")}
    return ids | texts | {"at": spelled(row["at"]), "detail": json.loads(row["detail"])}


def _place(row: Record) -> Iterator[tuple[str, str]]:
    named = event_digest(row["body"])
    if row["idx"] is not None:
        if (row["kind"], row["digest"]) != (AUDIT, named):
            yield "event_altered", f"Leaf {row['idx']} of {row['origin']} holds the digest of another statement."
    elif row["queued"] is None:
        yield "event_unlogged", "It is neither in the log nor in the queue for it."
    elif row["queued"] != named:
        yield "event_altered", "The queue has the digest of another statement."
