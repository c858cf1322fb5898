"""The signature of a receipt and its place in the log: levels 1 and 3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prysm.proof import checkpoint, cosignature, note
from prysm.proof.defect import Defect
from prysm.proof.document import decoded, text, whole
from prysm.proof.dsse import digest, pae
from prysm.proof.hashing import PAYLOAD_TYPE
from prysm.proof.keys import KeyRing, read_keys
from prysm.proof.leaves import RECEIPT, entry
from prysm.proof.merkle import leaf_hash, verify_inclusion
from prysm.proof.report import Unchecked, quoted
from prysm.proof.signing import signature_holds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prysm.proof.document import Proof
    from prysm.proof.keys import PublicKey


@dataclass(frozen=True, slots=True)
class Seen:
    """A checkpoint whose signatures hold. `signers` are the kids of the log keys that made them."""

    origin: str
    signers: frozenset[str]
    size: int
    root: bytes
    note: str


def key_ring(document: Mapping[str, Any], pinned: Sequence[PublicKey] | None) -> KeyRing:
    """The pinned keys, else those that came in the document. Raises `Defect` for malformed ones."""
    if pinned is not None:
        return KeyRing(tuple(pinned), pinned=True)
    if document.get("keys") is None:
        raise Unchecked("no keys were given: pin them with --keys")
    return KeyRing(read_keys(document["keys"]), pinned=False)


def check_signature(proof: Proof, ring: Callable[[], KeyRing]) -> str:
    """Level 1: the Ed25519 signature over the DSSE encoding of the payload."""
    if proof.signature is None:
        if proof.log is not None:
            raise Defect("a receipt with a place in the log has a signature, and this one's is gone")
        raise _unsigned(ring)
    if proof.payload_type != PAYLOAD_TYPE:
        raise Defect(f"unknown payload type {quoted(proof.payload_type)}; this verifier knows {PAYLOAD_TYPE}")
    known = ring()
    key = known.receipt_key(proof.signature.kid)
    if not signature_holds(key.public, proof.signature.value, pae(PAYLOAD_TYPE, proof.payload)):
        raise Defect(f"the signature is not one of the key {key.kid} over this payload")
    trusted = "the key was pinned" if known.pinned else "the key came with the receipt: pin it with --keys"
    return f"Ed25519, key {key.kid}; {trusted}"


def _unsigned(ring: Callable[[], KeyRing]) -> Exception:
    """Who pinned keys asked for a signature of theirs."""
    why = "it carries no signature: anybody can have written it"
    try:
        return Defect(why) if ring().pinned else Unchecked(why)
    except (Defect, Unchecked):
        return Unchecked(why)


def open_checkpoint(place: object, ring: Callable[[], KeyRing]) -> Seen:
    """The checkpoint in what is said of a place in the log; its signatures hold under the log's keys."""
    log = _included(place)
    origin, signed = text(log.get("origin"), "the origin"), text(log.get("checkpoint"), "the checkpoint")
    note.check_name(origin, "the origin of a log")
    claimed = checkpoint.parse(note.signatures(signed)[0])
    if claimed.origin != origin:
        raise Defect(f"the checkpoint is of the log {quoted(claimed.origin)}, not of {quoted(origin)}")
    kids = {key.public: key.kid for key in ring().log_keys(origin, claimed.size)}
    _, signers = note.signers(signed, origin, kids)
    return Seen(origin, frozenset(kids[public] for public in signers), claimed.size, claimed.root, signed)


def check_inclusion(proof: Proof, ring: Callable[[], KeyRing], seen: Seen) -> str:
    """Level 3: the receipt is a leaf of the tree that the checkpoint names, while its key was good there.

    Size and root are the checkpoint's own; what stands beside it must only not say otherwise.
    """
    index = included_at(proof.log, seen, RECEIPT, digest(PAYLOAD_TYPE, proof.payload))
    if proof.signature is None:
        raise Defect("a receipt in the log has a signature, and this one's is gone")
    ring().at(proof.signature.kid, seen.origin).refuse_leaf(index)
    return f"leaf {index} of {seen.size} in {seen.origin}"


def included_at(place: object, seen: Seen, kind: int, named: bytes) -> int:
    """The index of the leaf of a kind and digest in the tree that the checkpoint names; raises `Defect` if none is."""
    log = _included(place)
    index = _index(log, seen)
    path = [decoded(each, "a hash of the inclusion proof") for each in _listed(log.get("inclusion"))]
    verify_inclusion(index, seen.size, leaf_hash(entry(kind, named)), path, seen.root)
    return index


def check_witnesses(seen: Seen, publics: Mapping[str, bytes] | None) -> str:
    """Level 5: every witness that was named has cosigned the checkpoint."""
    if not publics:
        raise Unchecked("no witness was named: name one with --witness NAME=KEY")
    times = dict(cosignature.witnesses(seen.note, publics))
    if missing := [name for name in publics if name not in times]:
        raise Defect(f"the checkpoint is not cosigned by {', '.join(map(quoted, missing))}")
    return "cosigned by " + ", ".join(f"{name} (Unix time {time})" for name, time in times.items())


def _included(log: object) -> dict[str, Any]:
    if log is None:
        raise Unchecked("where in a log it is was not given")
    if not isinstance(log, dict):
        raise Defect("what is said of the log is no object")
    if log.get("state") == "pending":
        raise Unchecked("not in the log yet: fetch the receipt again in a moment")
    if log.get("state") != "included":
        raise Defect(f"unknown state {quoted(log.get('state'))} in the log")
    return log


def _index(log: Mapping[str, Any], seen: Seen) -> int:
    index, size = log.get("index"), log.get("size")
    if not whole(index) or not whole(size):
        raise Defect("the index or the size is not an integer")
    if index < 0:
        raise Defect(f"the index {quoted(index)} is negative")
    if size != seen.size:
        raise Defect(f"the size {quoted(size)} is not that of the checkpoint, {seen.size}")
    if index >= seen.size:
        raise Defect(f"the index {quoted(index)} is not below the size of the log, {seen.size}")
    if "root" in log and decoded(log["root"], "the root") != seen.root:
        raise Defect("the root beside the checkpoint is not that of the checkpoint")
    return index


def _listed(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise Defect("the inclusion proof is not a list")
    return value
