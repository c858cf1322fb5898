"""Level 3: checkpoints that are malformed, or that nobody we know signed."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from tests.proof.defects import bad, flipped, our_entry, receipt, with_log
from tests.proof.made import (
    INDEX,
    LOG_KEY,
    NEW_KEY,
    ORIGIN,
    PAYLOAD_TYPE,
    RECEIPT,
    STRANGER,
    b64,
    checkpoint,
    drawn,
    entry,
    included,
    log_entries,
    note,
    tree_hash,
)

if TYPE_CHECKING:
    from tests.proof.made import Case


ELSEWHERE = "prysm/" + drawn("another origin", 16).hex()


@bad(3, "inclusion", "the size 15 is not that of the checkpoint")
def size_beside_the_checkpoint_disagrees() -> Case:
    """The size beside the checkpoint is not the one in it."""
    return with_log(size=15)


@bad(3, "inclusion", "the checkpoint is of the log")
def origin_beside_the_checkpoint_disagrees() -> Case:
    """The origin beside the checkpoint is not the one in it."""
    return with_log(origin=ELSEWHERE)


def _with_note(text: str, name: str = ORIGIN) -> Case:
    return with_log(checkpoint=note(text, name))


def _text(origin: str = ORIGIN, size: str = "14", more: str = "") -> str:
    return f"{origin}\n{size}\n{b64(tree_hash(log_entries(our_entry())))}\n{more}"


@bad(3, "inclusion", "the inclusion proof does not lead to the root")
def wrong_root() -> Case:
    """The checkpoint is well signed and has another root."""
    return _with_note(f"{ORIGIN}\n14\n{b64(drawn('a root'))}\n")


@bad(3, "inclusion", "32 bytes")
def root_of_31_bytes() -> Case:
    """The checkpoint is well signed and its root lost a byte."""
    return _with_note(f"{ORIGIN}\n14\n{b64(drawn('a root', 31))}\n")


@bad(3, "inclusion", "not signed by a known key")
def checkpoint_signed_by_a_stranger() -> Case:
    """The checkpoint has the log's name on it and a stranger's signature."""
    return with_log(checkpoint=checkpoint(log_entries(our_entry()), key=STRANGER))


@bad(3, "inclusion", "not signed by a known key")
def checkpoint_signed_by_the_receipt_key() -> Case:
    """The checkpoint is signed by a key that is for receipts only."""
    return with_log(checkpoint=checkpoint(log_entries(our_entry()), key=NEW_KEY))


@bad(3, "inclusion", "a signature of a known key under the note does not verify")
def checkpoint_of_a_forged_root_under_a_copied_signature() -> Case:
    """The log was rewritten under the signature of the true checkpoint."""
    entries = log_entries(our_entry())
    entries[4] = entry(RECEIPT, PAYLOAD_TYPE, b"rewritten")
    true = checkpoint(log_entries(our_entry())).partition("\n\n")[2]
    return with_log(**included(entries) | {"checkpoint": f"{_text_of(entries)}\n{true}"})


def _text_of(entries: list[bytes]) -> str:
    return f"{ORIGIN}\n{len(entries)}\n{b64(tree_hash(entries))}\n"


@bad(3, "inclusion", "a note is text, an empty line and signature lines")
def checkpoint_signature_missing() -> Case:
    """The checkpoint has no signature line."""
    return with_log(checkpoint=_text() + "\n")


@bad(3, "inclusion", "a signature of a known key under the note does not verify")
def checkpoint_with_flipped_bit_in_its_signature() -> Case:
    """One bit of the checkpoint's signature is another."""
    head, _, line = checkpoint(log_entries(our_entry())).rpartition(" ")
    raw = base64.b64decode(line)
    return with_log(checkpoint=f"{head} {b64(raw[:4] + flipped(raw[4:]))}\n")


@bad(3, "inclusion", "the checkpoint is of the log")
def checkpoint_with_another_origin() -> Case:
    """The checkpoint is of another log, signed by the same key."""
    return with_log(checkpoint=checkpoint(log_entries(our_entry()), origin=ELSEWHERE))


@bad(3, "inclusion", "is not that of the checkpoint, 0")
def checkpoint_of_size_0() -> Case:
    """The checkpoint is of an empty log."""
    return _with_note(f"{ORIGIN}\n0\n{b64(tree_hash([]))}\n")


@bad(3, "inclusion", "is not that of the checkpoint, 11")
def checkpoint_older_than_the_receipt() -> Case:
    """The checkpoint is of the log before this receipt was in it."""
    return with_log(checkpoint=checkpoint(log_entries(our_entry())[:INDEX]))


@bad(3, "inclusion", "decimal digits")
def checkpoint_size_with_leading_zero() -> Case:
    """The size is written 014."""
    return _with_note(_text(size="014"))


@bad(3, "inclusion", "decimal digits")
def checkpoint_size_in_other_digits() -> Case:
    """The size is written in digits of another script, which some languages read as numbers."""
    return _with_note(_text(size="١٤"))


@bad(3, "inclusion", "a checkpoint is three lines")
def checkpoint_extension_line() -> Case:
    """The checkpoint has a fourth line, which this log never writes."""
    return _with_note(_text(more="an extension\n"))


@bad(3, "inclusion", "a note is text, an empty line and signature lines")
def checkpoint_with_carriage_returns() -> Case:
    """The lines of the checkpoint end as on Windows."""
    return with_log(checkpoint=checkpoint(log_entries(our_entry())).replace("\n", "\r\n"))


@bad(3, "inclusion", "a note is text, an empty line and signature lines")
def checkpoint_cut_off() -> Case:
    """The last line break of the checkpoint is missing."""
    return with_log(checkpoint=checkpoint(log_entries(our_entry())).removesuffix("\n"))


@bad(3, "inclusion", "cannot be trusted")
def log_key_of_another_origin() -> Case:
    """The keys list the log's key for another log only."""
    case = receipt()
    case["keys"]["keys"][0] = LOG_KEY.listed(ELSEWHERE)
    return case
