"""Level 3: checkpoints under log keys that are not good for them, and notes beyond what a note may hold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.proof.defects import bad, log, our_entry, receipt, with_log
from tests.proof.made import (
    LOG_KEY,
    NEW_LOG_KEY,
    ORIGIN,
    SIZE,
    b64,
    checkpoint,
    drawn,
    log_entries,
    note,
    tree_hash,
)

if TYPE_CHECKING:
    from tests.proof.made import Case


def _with_log_key(**what: Any) -> Case:
    case = receipt()
    case["keys"]["keys"][0] = replace(LOG_KEY, **what).listed(ORIGIN)
    return case


@bad(3, "inclusion", "cannot be trusted")
def retired_log_key_with_a_later_checkpoint() -> Case:
    """The log's key was closed at leaf 13, and signs a checkpoint that holds this leaf."""
    return _with_log_key(to_index=SIZE - 1, status="retired")


@bad(3, "inclusion", "cannot be trusted")
def log_key_before_its_announcement() -> Case:
    """The log's key is announced by leaf 14, which this checkpoint does not hold."""
    return _with_log_key(from_index=SIZE)


@bad(3, "inclusion", "cannot be trusted")
def pending_log_key() -> Case:
    """The log's key was not announced yet."""
    return _with_log_key(status="pending")


@bad(3, "inclusion", "cannot be trusted")
def revoked_log_key() -> Case:
    """The log's key was revoked."""
    return _with_log_key(to_index=SIZE + 6, status="revoked")


@bad(3, "inclusion", "not signed by a known key")
def retired_log_key_beside_a_good_one() -> Case:
    """The closed key signs on alone, while another is good."""
    case = _with_log_key(to_index=SIZE - 1, status="retired")
    case["keys"]["keys"].append(NEW_LOG_KEY.listed(ORIGIN))
    return case


def _signed_by_name(name: str) -> Case:
    signed = checkpoint(log_entries(our_entry()))
    return with_log(checkpoint=signed + f"— {name} {b64(drawn(name, 68))}\n")


@bad(3, "inclusion", "key name")
def next_line_in_a_key_name() -> Case:
    """A signature line is by a name with U+0085 in it, which is white space to some languages."""
    return _signed_by_name("wit\u0085ness")


@bad(3, "inclusion", "key name")
def byte_order_mark_in_a_key_name() -> Case:
    """A signature line is by a name with U+FEFF in it, which is white space to other languages."""
    return _signed_by_name("wit\ufeffness")


@bad(3, "inclusion", "64")
def note_of_65_signatures() -> Case:
    """The checkpoint has a good signature and 64 by others."""
    line = f"— somebody.else {b64(drawn('a line', 68))}\n"
    return with_log(checkpoint=checkpoint(log_entries(our_entry())) + 64 * line)


@bad(3, "inclusion", "longer")
def note_of_more_than_64_kilobytes() -> Case:
    """The checkpoint has a good signature, and one of 65,536 bytes."""
    return with_log(checkpoint=checkpoint(log_entries(our_entry())) + f"— somebody.else {'A' * 65_536}\n")


def _of_origin(origin: str) -> Case:
    text = f"{origin}\n{SIZE}\n{b64(tree_hash(log_entries(our_entry())))}\n"
    return with_log(origin=origin, checkpoint=note(text))


@bad(3, "inclusion", "printable ASCII")
def origin_with_a_next_line() -> Case:
    """The log's name has U+0085 in it."""
    return _of_origin(ORIGIN + "\u0085")


@bad(3, "inclusion", "printable ASCII")
def origin_with_a_byte_order_mark() -> Case:
    """The log's name has U+FEFF in it."""
    return _of_origin("\ufeff" + ORIGIN)


@bad(3, "inclusion", "printable ASCII")
def origin_beyond_ascii() -> Case:
    """The log's name has a letter that can be written in two ways."""
    return _of_origin("prysm/é")


@bad(3, "inclusion", "printable ASCII")
def origin_with_a_blank() -> Case:
    """The log's name has a blank in it."""
    return _of_origin(ORIGIN + " 2")


@bad(3, "inclusion", "decimal digits")
def checkpoint_size_beyond_53_bits() -> Case:
    """The size is 2^53 + 1, which is 2^53 to readers with doubles."""
    case = receipt()
    text = f"{ORIGIN}\n{2**53 + 1}\n{b64(tree_hash(log_entries(our_entry())))}\n"
    log(case)["checkpoint"] = note(text)
    return case
