"""Merkle trees of RFC 6962, section 2.1: hashes, and the proofs that RFC 9162, section 2.1 says how to check."""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING

from prysm.proof.defect import Defect

if TYPE_CHECKING:
    from collections.abc import Sequence

HASH_BYTES = 32
MAX_SIZE = 2**53 - 1
"""The largest tree: a size is a JSON number, which every reader must hold exactly."""

EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256 of 0x00 and the entry."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of 0x01 and both children; the prefix keeps a node from being shown as a leaf."""
    return sha256(b"\x01" + left + right).digest()


def verify_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf hash `leaf` is at `index` (0-based) of the tree of `size` leaves with this root.

    `path` runs from the leaf's sibling up. Raises `Defect` when it does not lead to `root`.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise Defect("the index is not inside the tree")
    _check_hashes(leaf, root, *path)
    inner, border = _heights(index, size)
    if len(path) != inner + border:
        raise Defect("the inclusion proof does not have the length that the tree demands")
    if not compare_digest(_climb(index, leaf, path, inner), root):
        raise Defect("the inclusion proof does not lead to the root")


def verify_consistency(
    old_size: int, new_size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Check that the tree of `new_size` leaves begins with the tree of `old_size` leaves.

    A tree begins with the empty tree and with itself; then `path` is empty. Raises `Defect` when it does not hold.
    """
    if not 0 <= old_size <= new_size <= MAX_SIZE:
        raise Defect("the old tree is larger than the new one")
    _check_hashes(old_root, new_root, *path)
    _check_empty(old_size, old_root)
    _check_empty(new_size, new_root)
    if old_size in (0, new_size):
        _check_trivial(old_size, old_root, new_root, path)
    else:
        _check_growth(old_size, new_size, old_root, new_root, path)


def _check_trivial(old_size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    if path:
        raise Defect("the consistency proof does not have the length that the trees demand")
    if old_size and not compare_digest(old_root, new_root):
        raise Defect("two trees of the same size have different roots")


def _check_growth(old_size: int, new_size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Both roots are climbed to from the last complete subtree of the old tree."""
    shift = (old_size & -old_size).bit_length() - 1
    # A complete old tree is that subtree itself, and the proof leaves it out.
    nodes = [old_root, *path] if old_size == 1 << shift else path
    inner, border = _heights(old_size - 1, new_size)
    inner -= shift
    if len(nodes) != 1 + inner + border:
        raise Defect("the consistency proof does not have the length that the trees demand")
    start, index, rest = nodes[0], (old_size - 1) >> shift, nodes[1:]
    left_only = [sibling for level, sibling in enumerate(rest) if level >= inner or index >> level & 1]
    if not compare_digest(_climb(0, start, left_only, 0), old_root):
        raise Defect("the consistency proof does not lead to the old root")
    if not compare_digest(_climb(index, start, rest, inner), new_root):
        raise Defect("the consistency proof does not lead to the new root")


def _heights(index: int, size: int) -> tuple[int, int]:
    """How many siblings lie below where the paths of leaf `index` and the last leaf part, and how many above.

    Below, a sibling is on either side; above, on the left only.
    """
    inner = (index ^ (size - 1)).bit_length()
    return inner, (index >> inner).bit_count()


def _climb(index: int, start: bytes, path: Sequence[bytes], inner: int) -> bytes:
    node = start
    for level, sibling in enumerate(path):
        on_left = level >= inner or index >> level & 1
        node = node_hash(sibling, node) if on_left else node_hash(node, sibling)
    return node


def _check_empty(size: int, root: bytes) -> None:
    if size == 0 and root != EMPTY_ROOT:
        raise Defect("the empty tree has another root")


def _check_hashes(*hashes: bytes) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise Defect("a hash in a proof has 32 bytes")
