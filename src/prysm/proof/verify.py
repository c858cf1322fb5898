"""Recompute a receipt from its bytes. Needs no gateway and no database, so it ships with the client."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prysm.proof.canonical import parse
from prysm.proof.hashing import Encoding, commitment, proof_hash, stage_digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERSION = "prysmproof/2"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `ok=None`: it could not be checked, and `detail` says why."""

    name: str
    ok: bool | None
    detail: str


_NOT_YET = (
    Check("signature", ok=None, detail="this version does not sign receipts"),
    Check("inclusion", ok=None, detail="this version keeps no public log"),
)


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one receipt."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether something was checked and nothing that was checked failed."""
        return any(check.ok for check in self.checks) and all(check.ok is not False for check in self.checks)


def verify_payload(payload: bytes, claimed_hash: str, stages: Sequence[bytes] | None) -> Report:
    """Check a record against its hash, its own canonical form and the stages it commits to.

    `claimed_hash` is `sha256:<64 hex>`; `stages` are the stage bodies in order, or None when they are not at hand.
    Malformed input is a failed check, never an exception.
    """
    hashed = _check_hash(payload, claimed_hash)
    try:
        record = _record(payload)
    except ValueError as error:
        return Report((hashed, Check("record", ok=False, detail=str(error))))
    shaped = Check("record", ok=True, detail=f"canonical JSON of version {VERSION}")
    return Report((hashed, shaped, _check_stages(record, stages), *_NOT_YET))


def verify_opening(payload: bytes, label: str, opening: Mapping[str, str], data: bytes) -> Check:
    """Check that `data` is the text the record committed to under `label` ("prompt" or "answer")."""
    name = f"opening:{label}"
    try:
        entry = _record(payload)["commit"][label]
        salt = base64.b64decode(opening["salt"], validate=True)
        enc: Encoding = entry["enc"]
        if opening["enc"] != enc:
            return Check(name, ok=False, detail=f"the record committed to {enc}, the opening says {opening['enc']}")
        same = hmac.compare_digest(commitment(salt, label, enc, data), entry["c"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Check(name, ok=False, detail=f"the opening cannot be read: {type(error).__name__}")
    detail = "this is the text that was committed to" if same else "another text was committed to"
    return Check(name, ok=same, detail=detail)


def _check_hash(payload: bytes, claimed: str) -> Check:
    actual = "sha256:" + proof_hash(payload).hex()
    same = hmac.compare_digest(actual.encode(), claimed.encode(errors="replace"))
    return Check(
        "proof_hash", ok=same, detail=actual if same else f"the payload hashes to {actual}, not to {claimed}"
    )


def _record(payload: bytes) -> dict[str, Any]:
    record = parse(payload)
    version = record.get("v") if isinstance(record, dict) else None
    if version != VERSION:
        raise ValueError(f"unknown record version {str(version)[:40]!r}; this verifier knows {VERSION}")
    return dict(record)


def _check_stages(record: Mapping[str, Any], stages: Sequence[bytes] | None) -> Check:
    if stages is None:
        return Check("stages", ok=None, detail="the stages were not given")
    try:
        defect = _stage_defect(record, stages)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        defect = "a stage cannot be read"
    if defect:
        return Check("stages", ok=False, detail=defect)
    return Check("stages", ok=True, detail=f"{len(stages)} of {len(stages)} match their digests")


def _stage_defect(record: Mapping[str, Any], stages: Sequence[bytes]) -> str | None:
    listed = record["stages"]
    if len(listed) != len(stages):
        return f"the record lists {len(listed)} stages, {len(stages)} were given"
    seen: list[str] = []
    for i, (entry, body) in enumerate(zip(listed, stages, strict=True)):
        stage, digest = parse(body), stage_digest(body)
        if digest != entry["digest"]:
            return f"stage {i} hashes to {digest}, the record says {entry['digest']}"
        if (stage["i"], stage["kind"]) != (i, entry["kind"]) or entry["i"] != i:
            return f"stage {i} is out of place"
        if not set(stage["parents"]) <= set(seen):
            return f"stage {i} names a parent that does not come before it"
        seen.append(digest)
    if record["head"] != (seen[-1] if seen else None):
        return "the head is not the digest of the last stage"
    return None
