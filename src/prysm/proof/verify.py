"""Recompute a receipt from its document. Needs no gateway and no database, so it ships with the client.

L1 signature, hash, record, run and summary · L2 stages · L3 inclusion in a signed checkpoint · L4 consistent with the
checkpoint that was remembered · L5 cosigned by witnesses · L6 the text that was committed to.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

from prysm.proof.defect import Defect
from prysm.proof.document import NoReceipt, load, read_proof, require_receipt, stage_bodies
from prysm.proof.inclusion import check_inclusion, check_signature, check_witnesses, key_ring, open_checkpoint
from prysm.proof.opening import check_openings, verify_opening
from prysm.proof.record import (
    VERSION,
    check_entry,
    check_hash,
    check_record,
    check_run,
    check_stages,
)
from prysm.proof.report import INCLUSION, MEMORY, SIGNATURE, STAGES, WITNESSES, Check, Report, Unchecked, checked
from prysm.proof.trust import check_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prysm.proof.document import Proof
    from prysm.proof.inclusion import Seen
    from prysm.proof.keys import KeyRing, PublicKey
    from prysm.proof.trust import Trust

__all__ = ["VERSION", "Check", "Report", "verify_bytes", "verify_document", "verify_opening"]


def verify_bytes(data: bytes, **given: Any) -> Report:
    """`verify_document` of a file's bytes, in which no JSON key may stand twice.

    Raises `NoReceipt` when it is no receipt at all; whatever is wrong with one that it is, is a failed check.
    """
    try:
        document = require_receipt(load(data))
    except NoReceipt:
        raise
    except Defect as defect:
        return _refused(defect)
    return verify_document(document, **given)


def verify_document(
    document: object,
    request_id: str | None = None,
    *,
    keys: Sequence[PublicKey] | None = None,
    trust: Trust | None = None,
    consistency: object = None,
    witnesses: Mapping[str, bytes] | None = None,
    openings: Mapping[str, Any] | None = None,
    texts: Mapping[str, bytes] | None = None,
) -> Report:
    """Check a receipt, given as the parsed JSON of `GET /v1/proof/{id}`, on every level that can be checked.

    With a list under `stages` (answers of `/v1/proof/{id}/stages/{i}`) the stages are checked; `stages_pruned` says
    why there is none, and proves nothing. With a keys document
    under `keys`, or better with pinned `keys`, the signatures. `request_id`: the run it must be of; default: the one
    the document names. `trust` is what earlier verifications remembered, and `consistency` an answer of
    `/v1/log/proof/consistency` for when sizes differ, or `Refused`. `witnesses`: name → 32-byte key. `openings` and
    `texts`: see `check_openings`. Never raises: a defect is a failed check.
    """
    try:
        fields = require_receipt(document)
        proof = read_proof(fields)
    except (ValueError, AttributeError, TypeError, LookupError, RecursionError) as error:
        return _refused(error if isinstance(error, Defect) else Defect("the proof is not an object of objects"))
    ring = cache(partial(key_ring, fields, keys))
    signed = checked("signature", SIGNATURE, lambda: check_signature(proof, ring))
    content, readable = _content(proof, fields, request_id)
    if not readable:
        return Report((signed, *content))
    logged, seen = _logged(proof, ring, trust, consistency, witnesses)
    known = seen is not None and trust is not None and trust.latest(seen.origin) is not None
    uncompared = known and any(check.level == MEMORY and check.ok is None for check in logged)
    return Report((signed, *content, *logged, *check_openings(proof.payload, openings, texts)), seen, uncompared)


def _refused(defect: Defect) -> Report:
    return Report((Check("document", ok=False, detail=str(defect), level=SIGNATURE),))


def _content(proof: Proof, document: Mapping[str, Any], request_id: str | None) -> tuple[tuple[Check, ...], bool]:
    """What the payload alone decides, and whether it is a record that can be judged further."""
    hashed, (shaped, record) = check_hash(proof.payload, proof.claimed_hash), check_record(proof.payload)
    if record is None:
        return (hashed, shaped), False
    run = check_run(record, request_id if request_id is not None else document.get("request_id"))
    return (hashed, shaped, run, check_entry(proof.payload, document), _staged(record, document)), True


def _staged(record: Mapping[str, Any], document: Mapping[str, Any]) -> Check:
    try:
        pruned = document.get("stages_pruned") is True
        return check_stages(record, stage_bodies(document), pruned=pruned)
    except Defect as defect:
        return Check("stages", ok=False, detail=str(defect), level=STAGES)


def _logged(
    proof: Proof,
    ring: Callable[[], KeyRing],
    trust: Trust | None,
    consistency: object,
    witnesses: Mapping[str, bytes] | None,
) -> tuple[tuple[Check, ...], Seen | None]:
    """Levels 3 to 5; the last two look at a checkpoint in which the receipt is, or at nothing."""
    seen: Seen | None = None

    def included() -> str:
        nonlocal seen
        opened = open_checkpoint(proof.log, ring)
        detail = check_inclusion(proof, ring, opened)
        seen = opened
        return detail

    def with_checkpoint() -> Seen:
        if seen is None:
            raise Unchecked("there is no checkpoint to look at: see inclusion")
        return seen

    found = checked("inclusion", INCLUSION, included)
    remembered = checked("consistency", MEMORY, lambda: check_memory(with_checkpoint(), trust, consistency))
    witnessed = checked("witnesses", WITNESSES, lambda: check_witnesses(with_checkpoint(), witnesses))
    return (found, remembered, witnessed), seen
