"""Every receipt: its bytes, its stages, its signature, and its place in the log or before it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from prysm.proof.defect import Defect
from prysm.proof.dsse import digest, pae
from prysm.proof.hashing import PAYLOAD_TYPE, proof_hash
from prysm.proof.keys import KeyRing
from prysm.proof.leaves import RECEIPT
from prysm.proof.record import check_run, check_stages, read_record
from prysm.proof.signing import signature_holds
from prysm.store.receipts import pruned_before

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from asyncpg import Record

    from prysm.proof.keys import PublicKey
    from prysm.store.fsck.audit import Audit

    Wrong: TypeAlias = Iterator[tuple[str, str]]
    """Codes of findings, each with what was found."""

    Stages: TypeAlias = Sequence[tuple[int, bytes]]

SLICE = 256
"""Receipts at a time, since their stages come along."""

_RECEIPTS = """
    SELECT request_id, payload, proof_hash, kid, signature,
        leaf.log, leaf.idx, leaf.kind, leaf.digest, origin,
        (SELECT before FROM pruned WHERE name = 'stage' AND before > sealed_at) AS pruned
    FROM receipt LEFT JOIN log_leaf AS leaf USING (request_id) LEFT JOIN log ON n = leaf.log ORDER BY request_id
"""
_STAGES = "SELECT request_id, i, body FROM stage WHERE request_id >= $1 AND request_id <= $2 ORDER BY request_id, i"
_QUEUED = "SELECT request_id, kid, digest FROM log_queue WHERE request_id = ANY($1::uuid[])"
_LAST = UUID(int=2**128 - 1)


async def check_receipts(audit: Audit, keys: Sequence[PublicKey]) -> None:
    """Recompute every receipt. Stages that belong to none are found on the way."""
    ring = KeyRing(tuple(keys), pinned=True)
    first = UUID(int=0)
    async for rows in audit.slices(_RECEIPTS, size=SLICE):
        last = rows[-1]["request_id"]
        stages = await _stages(audit, first, last)
        queued = await _queued(audit, rows)
        for row in rows:
            _receipt(audit, row, stages.pop(row["request_id"], ()), queued.get(row["request_id"]), ring)
        _orphans(audit, stages)
        audit.progress("receipts", audit.counts["receipts"])
        first = UUID(int=min(last.int + 1, _LAST.int))
    _orphans(audit, await _stages(audit, first, _LAST))


async def _stages(audit: Audit, first: UUID, last: UUID) -> dict[UUID, Stages]:
    found: dict[UUID, list[tuple[int, bytes]]] = defaultdict(list)
    async for rows in audit.slices(_STAGES, first, last):
        for row in rows:
            found[row["request_id"]].append((row["i"], row["body"]))
    return dict(found)


async def _queued(audit: Audit, rows: Sequence[Record]) -> Mapping[UUID, Record]:
    """What the queue holds of those that are in no log."""
    waiting = [row["request_id"] for row in rows if row["idx"] is None and row["signature"] is not None]
    found = await audit.connection.fetch(_QUEUED, waiting) if waiting else []
    return {row["request_id"]: row for row in found}


def _orphans(audit: Audit, stages: Mapping[UUID, Stages]) -> None:
    for request_id, left in stages.items():
        audit.add("stage_orphan", f"receipt {request_id}", f"There are {len(left)} stages and no receipt.")


def _receipt(audit: Audit, row: Record, stages: Stages, queued: Record | None, ring: KeyRing) -> None:
    audit.counts["receipts"] += 1
    audit.counts["stages"] += len(stages)
    audit.counts["unsigned"] += row["signature"] is None and row["kid"] is None
    audit.counts["pruned"] += pruned_before(row, stages) is not None
    audit.counts["pending"] += queued is not None
    where = f"receipt {row['request_id']}"
    if _void(row, ring):
        audit.void[row["kid"]] += 1
    for code, what in (*_content(row, stages), *_signature(row, ring), *_place(row, queued)):
        audit.add(code, where, what)


def _content(row: Record, stages: Stages) -> Wrong:
    payload = row["payload"]
    if proof_hash(payload) != row["proof_hash"]:
        yield "receipt_hash", "The payload does not have the proof_hash that stands beside it."
    try:
        record = read_record(payload)
    except Defect as defect:
        yield "receipt_record", f"The payload is no record: {defect}."
        return
    if not (run := check_run(record, str(row["request_id"]))).ok:
        yield "receipt_id", f"The payload is {run.detail}."
    if pruned_before(row, stages) is not None:
        return
    numbers = [i for i, _ in stages]
    if numbers != list(range(len(numbers))):
        yield "receipt_stages", f"Its stages are numbered {numbers[:8]}."
    elif not (checked := check_stages(record, [body for _, body in stages])).ok:
        yield "receipt_stages", f"{checked.detail[:1].upper()}{checked.detail[1:]}."


def _void(row: Record, ring: KeyRing) -> bool:
    """Whether its key was revoked at its place in the log, or before the log that it came into began."""
    named = [key for key in ring.keys if key.kid == row["kid"]]
    here = next((key for key in named if key.origin == row["origin"]), None)
    if here is None:
        return row["idx"] is not None and any(key.status == "revoked" for key in named)
    return here.status == "revoked" and here.to_index is not None and row["idx"] >= here.to_index


def _signature(row: Record, ring: KeyRing) -> Wrong:
    kid, signature, index = row["kid"], row["signature"], row["idx"]
    if signature is None or kid is None:
        if (signature, kid, index) != (None, None, None):
            yield "receipt_signature", "Its signature, or the name of the key, is gone."
        return
    try:
        key = ring.receipt_key(kid)
        if index is not None and not _void(row, ring):
            ring.at(kid, str(row["origin"])).refuse_leaf(index)
    except Defect as defect:
        yield "receipt_key", f"The key does not serve: {defect}."
        return
    if not signature_holds(key.public, signature, pae(PAYLOAD_TYPE, row["payload"])):
        yield "receipt_signature", f"The signature is not one of the key {kid} over this payload."


def _place(row: Record, queued: Record | None) -> Wrong:
    """In the log with its digest, or in the queue with it."""
    if row["signature"] is None:
        return
    named = digest(PAYLOAD_TYPE, row["payload"])
    if row["idx"] is not None:
        if row["origin"] is None:
            yield "log_missing", f"Its leaf is in a log {row['log']}, which is not there."
        if (row["kind"], row["digest"]) != (RECEIPT, named):
            yield "leaf_digest", f"The leaf {row['idx']} of {row['origin']} is not this receipt's."
    elif queued is None:
        yield "receipt_unlogged", "It is signed, and neither in the log nor in the queue for it."
    elif (queued["kid"], queued["digest"]) != (row["kid"], named):
        yield "queue_digest", "The queue has another digest, or another key, for it."
