"""Level 3: receipts that are not where they say in the log, or were logged when their key was not good."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.proof.bad_checkpoints import ELSEWHERE
from tests.proof.defects import bad, flipped, log, our_entry, receipt, with_log
from tests.proof.made import (
    INDEX,
    KEY,
    LOG_TYPE,
    NEW_KEY,
    OLD_KEY,
    ORIGIN,
    PAYLOAD_TYPE,
    RECEIPT,
    audit_path,
    b64,
    drawn,
    entry,
    included,
    log_entries,
    sealed,
)
from tests.proof.runs import ensemble

if TYPE_CHECKING:
    from tests.proof.made import Case


def _with_path(path: list[str]) -> Case:
    return with_log(inclusion=path)


def _path() -> list[str]:
    path: list[str] = log(receipt())["inclusion"]
    return path


@bad(3, "inclusion", "leaf 11 is not before 9")
def retired_key_beyond_its_range() -> Case:
    """Signed by the old key and logged after the leaf that closed it."""
    return receipt(signer=OLD_KEY)


@bad(3, "inclusion", "leaf 5 is not after 8")
def index_before_the_announcement_of_the_key() -> Case:
    """Signed by the new key and logged before the leaf that announced it."""
    return receipt(index=5)


@bad(3, "inclusion", "leaf 8 is not after 8")
def index_of_the_announcement_itself() -> Case:
    """Signed by the new key and logged at the very leaf that should announce it: the bounds are exclusive."""
    return receipt(index=8)


@bad(3, "inclusion", "leaf 11 is not before 10")
def revoked_key_beyond_its_range() -> Case:
    """A stolen key was cut off at leaf 10; this receipt is leaf 11."""
    case = receipt()
    stolen = replace(NEW_KEY, to_index=10, status="revoked").listed(ORIGIN)
    case["keys"]["keys"][2] = stolen
    return case


@bad(3, "inclusion", "the length that the tree demands")
def truncated_path() -> Case:
    """The last hash of the inclusion path is missing."""
    return _with_path(_path()[:-1])


@bad(3, "inclusion", "the length that the tree demands")
def empty_path() -> Case:
    """The inclusion path has no hash at all."""
    return _with_path([])


@bad(3, "inclusion", "the length that the tree demands")
def extended_path() -> Case:
    """The inclusion path has one hash more than the tree is high."""
    return _with_path([*_path(), b64(drawn("one more"))])


@bad(3, "inclusion", "the inclusion proof does not lead to the root")
def corrupted_path() -> Case:
    """One bit of a hash of the path is another."""
    first, *rest = _path()
    return _with_path([b64(flipped(base64.b64decode(first))), *rest])


@bad(3, "inclusion", "the inclusion proof does not lead to the root")
def swapped_path() -> Case:
    """Two hashes of the path changed places."""
    first, second, *rest = _path()
    return _with_path([second, first, *rest])


@bad(3, "inclusion", "32 bytes")
def path_hash_of_31_bytes() -> Case:
    """A hash of the path lost a byte."""
    first, *rest = _path()
    return _with_path([b64(base64.b64decode(first)[:-1]), *rest])


@bad(3, "inclusion", "a hash of the inclusion proof is not base64")
def path_hash_not_base64() -> Case:
    """A hash of the path is no base64."""
    return _with_path(["not base64", *_path()[1:]])


@bad(3, "inclusion", "a hash of the inclusion proof is not base64")
def path_hash_with_stray_bits() -> Case:
    """The unused bits of the last letter are set: lenient decoders give the same bytes for another spelling."""
    first, *rest = _path()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return _with_path([first[:-2] + alphabet[alphabet.index(first[-2]) | 1] + "=", *rest])


@bad(3, "inclusion", "the inclusion proof does not lead to the root")
def path_of_another_leaf() -> Case:
    """The path and the index are those of the leaf before."""
    entries = log_entries(our_entry())
    return with_log(index=INDEX - 1, inclusion=[b64(node) for node in audit_path(INDEX - 1, entries)])


@bad(3, "inclusion", "the inclusion proof does not lead to the root")
def index_of_another_leaf() -> Case:
    """The right path under the index of the leaf before."""
    return with_log(index=INDEX - 1)


@bad(3, "inclusion", "is negative")
def negative_index() -> Case:
    """The index is -1."""
    return with_log(index=-1)


@bad(3, "inclusion", "not below the size")
def index_is_the_size() -> Case:
    """The index is the number of leaves, one past the last."""
    return with_log(index=len(log_entries(our_entry())))


@bad(3, "inclusion", "not below the size")
def index_beyond_32_bits() -> Case:
    """The index is the right one plus 2 to the 32nd, which 32-bit arithmetic takes for the same."""
    return with_log(index=INDEX + 2**32)


@bad(3, "inclusion", "not an integer")
def index_is_true() -> Case:
    """The index is a boolean."""
    return with_log(index=True)


@bad(3, "inclusion", "not an integer")
def index_is_text() -> Case:
    """The index is written as a string."""
    return with_log(index=str(INDEX))


@bad(3, "inclusion", "not an integer")
def index_with_a_fraction() -> Case:
    """The index is written 11.0, which is no integer however it is rounded."""
    return with_log(index=float(INDEX))


@bad(3, "inclusion", "not an integer")
def index_missing() -> Case:
    """It calls itself included and has no index."""
    return with_log(index=None)


@bad(3, "inclusion", "unknown state")
def unknown_log_state() -> Case:
    """The state of the receipt in the log is a word that does not exist."""
    return with_log(state="surely")


@bad(3, "inclusion", "the inclusion proof does not lead to the root")
def leaf_of_another_kind() -> Case:
    """What is in the log under this digest is a key event, not a receipt."""
    return with_log(**included(log_entries(our_entry(KEY))))


@bad(3, "inclusion", "the inclusion proof does not lead to the root")
def not_in_the_log() -> Case:
    """The log holds another run at this index."""
    return with_log(**included(log_entries(entry(RECEIPT, PAYLOAD_TYPE, b"another run"))))


@bad(3, "inclusion", "the inclusion proof does not lead to the root")
def logged_under_another_payload_type() -> Case:
    """The log holds the payload under another type."""
    payload = base64.b64decode(receipt()["document"]["proof"]["envelope"]["payload"])
    return with_log(**included(log_entries(entry(RECEIPT, LOG_TYPE, payload))))


@bad(3, "inclusion", "not one of the log")
def receipt_key_of_another_origin() -> Case:
    """The keys list the receipt's key for another log only."""
    case = sealed(*ensemble())
    case["keys"]["keys"][2] = NEW_KEY.listed(ELSEWHERE)
    return case
