"""The record inside a receipt and the stages it commits to: levels 1 and 2, from bytes alone."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

from prysm.proof.canonical import parse
from prysm.proof.defect import Defect
from prysm.proof.document import load, plain_id, whole
from prysm.proof.entry import entry
from prysm.proof.hashing import proof_hash, stage_digest
from prysm.proof.report import SIGNATURE, STAGES, Unchecked, checked, quoted
from prysm.proof.shape import check_shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prysm.proof.report import Check

VERSION = "prysmproof/2"


def read_record(payload: bytes) -> dict[str, Any]:
    """The record of a payload; raises `Defect` unless it is canonical JSON of a version and shape known here."""
    try:
        record = parse(payload)
    except Defect as defect:
        raise _repeated(payload) or defect from None
    version = record.get("v") if isinstance(record, dict) else None
    if version != VERSION:
        raise Defect(f"unknown record version {quoted(version)}; this verifier knows {VERSION}")
    check_shape(record)
    return dict(record)


def _repeated(payload: bytes) -> Defect | None:
    """The key that stands twice, where that is why bytes are not canonical."""
    try:
        load(payload)
    except Defect as defect:
        return defect if "stands twice" in str(defect) else None
    return None


def check_hash(payload: bytes, claimed: str) -> Check:
    """Whether the payload has the hash that is named beside it, `sha256:<64 hex>`."""
    return checked("proof_hash", SIGNATURE, lambda: _hash(payload, claimed))


def check_record(payload: bytes) -> tuple[Check, dict[str, Any] | None]:
    """Whether the payload is a record that this version can judge, and that record."""
    record: dict[str, Any] | None = None

    def read() -> str:
        nonlocal record
        record = read_record(payload)
        return f"canonical JSON of version {record['v']}"

    return checked("record", SIGNATURE, read), record


def check_run(record: Mapping[str, Any], wanted: object) -> Check:
    """Whether it is the run that was asked about: a valid receipt of another one proves nothing."""
    return checked("request_id", SIGNATURE, lambda: _run(record.get("request_id"), wanted))


def check_entry(payload: bytes, document: Mapping[str, Any]) -> Check:
    """Whether the summary shown beside the payload is what the payload says."""
    return checked("entry", SIGNATURE, lambda: _entry(payload, document))


def check_stages(record: Mapping[str, Any], stages: Sequence[bytes] | None, *, pruned: bool = False) -> Check:
    """Whether these are the stages of the record: each with its digest, in its place, after its parents.

    `pruned`: why they are None, where that is what the gateway says.
    """
    return checked("stages", STAGES, lambda: _stages(record, stages, pruned=pruned))


def _hash(payload: bytes, claimed: str) -> str:
    actual = "sha256:" + proof_hash(payload).hex()
    if not hmac.compare_digest(actual.encode(), claimed.encode(errors="replace")):
        raise Defect(f"the payload hashes to {actual}, not to {quoted(claimed)}")
    return actual


def _run(named: object, wanted: object) -> str:
    if not isinstance(wanted, str):
        raise Defect("the document names no run")
    if named != plain_id(wanted):
        raise Defect(f"of the run {quoted(named)}, not of {quoted(wanted)}")
    return str(named)


def _entry(payload: bytes, document: Mapping[str, Any]) -> str:
    if document.get("entry") is None:
        raise Unchecked("the document has no summary")
    if _exactly(document["entry"]) != _exactly(entry(payload)):
        raise Defect("the summary is forged: the payload says otherwise")
    return "the summary is the payload's own"


def _exactly(summary: Any) -> dict[str, Any]:
    """Python takes true for 1; other readers do not."""
    return {name: (value, isinstance(value, bool)) for name, value in summary.items()}


def _stages(record: Mapping[str, Any], stages: Sequence[bytes] | None, *, pruned: bool) -> str:
    if stages is None:
        raise Unchecked("the stages were pruned" if pruned else "the stages were not given")
    listed = record["stages"]
    if len(listed) != len(stages):
        raise Defect(f"the record lists {len(listed)} stages, {len(stages)} were given")
    last, before = None, set[str]()
    for i, (named, body) in enumerate(zip(listed, stages, strict=True)):
        last = _stage(i, named, body, before)
        before.add(last)
    if record["head"] != last:
        raise Defect("the head is not the digest of the last stage")
    return f"{len(stages)} of {len(stages)} match their digests"


def _stage(i: int, named: Mapping[str, Any], body: bytes, before: set[str]) -> str:
    digest = stage_digest(body)
    if digest != named["digest"]:
        raise Defect(f"stage {i} hashes to {digest}, the record says {quoted(named['digest'])}")
    stage = parse(body)
    if not isinstance(stage, dict):
        raise Defect(f"stage {i} is no object")
    if not whole(stage.get("i")) or (stage["i"], stage.get("kind")) != (i, named["kind"]) or named["i"] != i:
        raise Defect(f"stage {i} is out of place")
    parents = stage.get("parents")
    if not isinstance(parents, list) or not all(isinstance(parent, str) for parent in parents):
        raise Defect(f"the parents of stage {i} are not a list of strings")
    if not before.issuperset(parents):
        raise Defect(f"stage {i} names a parent that does not come before it")
    return digest
