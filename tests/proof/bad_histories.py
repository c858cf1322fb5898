"""Levels 4 and 5: another past than was remembered, and witnesses that are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proof.bad_checkpoints import ELSEWHERE
from tests.proof.defects import bad, log, our_entry, receipt
from tests.proof.made import (
    PAYLOAD_TYPE,
    RECEIPT,
    SIZE,
    STRANGER,
    WITNESS,
    WITNESS_NAME,
    b64,
    checkpoint,
    consistency,
    cosigned,
    entry,
    log_entries,
    remembered,
)

if TYPE_CHECKING:
    from tests.proof.made import Case


GROWN = 20
"""The size of the log when it has grown."""


def _rewritten(size: int = SIZE) -> list[bytes]:
    """The same log with another history."""
    entries = log_entries(our_entry(), size=size)
    entries[4] = entry(RECEIPT, PAYLOAD_TYPE, b"another history")
    return entries


@bad(4, "consistency", "two histories")
def another_root_than_remembered() -> Case:
    """The checkpoint that was remembered has the same size and another root: the log has two histories."""
    return receipt() | {"remembered": remembered(_rewritten())}


@bad(4, "consistency", "does not lead to the new root")
def another_history_than_remembered_since() -> Case:
    """A larger log with another history was seen before; the proof of growth is that of the true log."""
    proof = consistency(SIZE, log_entries(our_entry(), size=GROWN))
    return receipt() | {"remembered": remembered(_rewritten(GROWN)), "consistency": proof}


@bad(4, "consistency", "does not lead to the old root")
def another_history_than_remembered_before() -> Case:
    """A smaller log with another history was seen before; the proof of growth is that of the true log."""
    proof = consistency(7, log_entries(our_entry()))
    return receipt() | {"remembered": remembered(_rewritten()[:7]), "consistency": proof}


@bad(4, "consistency", "the length that the trees demand")
def proof_of_growth_truncated() -> Case:
    """The proof that the log only grew lost its last hash."""
    proof = consistency(7, log_entries(our_entry()))
    proof["proof"].pop()
    return receipt() | {"remembered": remembered(log_entries(our_entry())[:7]), "consistency": proof}


@bad(4, "consistency", "is not from 7 to 14")
def proof_of_growth_between_other_sizes() -> Case:
    """The proof is good, and is from another size than the remembered one."""
    proof = consistency(6, log_entries(our_entry()))
    return receipt() | {"remembered": remembered(log_entries(our_entry())[:7]), "consistency": proof}


@bad(4, "consistency", "another key than before")
def another_log_key_than_remembered() -> Case:
    """Nothing is pinned, and the log is signed by another key than last time."""
    case = receipt()
    case["document"]["keys"] = case["keys"]
    return case | {"keys": None, "remembered": remembered(log_entries(our_entry()), STRANGER)}


@bad(5, "witnesses", "not cosigned by")
def witness_missing() -> Case:
    """A witness is demanded, and the checkpoint has no line of it."""
    return receipt() | _demanded()


@bad(5, "witnesses", "a cosignature of a known witness does not verify")
def witness_signature_wrong() -> Case:
    """The line under the witness's name and key id was signed by a stranger."""
    case = receipt() | _demanded()
    log(case)["checkpoint"] = cosigned(log(case)["checkpoint"], STRANGER, claimed=WITNESS)
    return case


@bad(5, "witnesses", "not cosigned by")
def witness_of_another_key() -> Case:
    """The line under the witness's name is by a stranger, and says so."""
    case = receipt() | _demanded()
    log(case)["checkpoint"] = cosigned(log(case)["checkpoint"], STRANGER)
    return case


@bad(5, "witnesses", "cosignature")
def witness_time_beyond_63_bits() -> Case:
    """The witness signed, and dates it later than any clock."""
    case = receipt() | _demanded()
    log(case)["checkpoint"] = cosigned(log(case)["checkpoint"], time=2**63)
    return case


@bad(5, "witnesses", "a cosignature of a known witness does not verify")
def witness_signed_another_checkpoint() -> Case:
    """The witness's line was copied from the checkpoint of another log."""
    case = receipt() | _demanded()
    theirs = cosigned(checkpoint(log_entries(our_entry()), origin=ELSEWHERE)).splitlines()[-1]
    log(case)["checkpoint"] += theirs + "\n"
    return case


def _demanded() -> Case:
    return {"witnesses": {WITNESS_NAME: b64(WITNESS.public)}}
