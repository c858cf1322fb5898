"""Merkle proofs, against a tree by the letter of RFC 6962 and against published vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.proof.naive_tree import leaf, mth, path, proof

from prysm.proof.defect import Defect
from prysm.proof.merkle import EMPTY_ROOT, MAX_SIZE, leaf_hash, node_hash, verify_consistency, verify_inclusion

LIMIT = 300
VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "merkle.json").read_text())
ROOTS = [bytes.fromhex(root) for root in VECTORS["roots"]]
LEAVES = [bytes.fromhex(each) for each in VECTORS["leaves"]]


def hashes(case: dict[str, Any]) -> list[bytes]:
    return [bytes.fromhex(each) for each in case["path"]]


def includes(index: int, size: int, leaf: bytes, path: list[bytes], root: bytes) -> bool:
    try:
        verify_inclusion(index, size, leaf, path, root)
    except Defect:
        return False
    return True


def grows(old: int, new: int, old_root: bytes, new_root: bytes, path: list[bytes]) -> bool:
    try:
        verify_consistency(old, new, old_root, new_root, path)
    except Defect:
        return False
    return True


def test_leaves_and_roots_are_those_of_the_reference_tree() -> None:
    entries = [bytes.fromhex(each) for each in VECTORS["entries"]]
    assert [leaf_hash(each) for each in entries] == LEAVES
    assert ROOTS[0] == EMPTY_ROOT
    assert node_hash(LEAVES[0], LEAVES[1]) == ROOTS[2]


@pytest.mark.parametrize("case", VECTORS["inclusion"])
def test_published_inclusion_proofs_hold(case: dict[str, Any]) -> None:
    verify_inclusion(case["index"], case["size"], LEAVES[case["index"]], hashes(case), ROOTS[case["size"]])


@pytest.mark.parametrize("case", VECTORS["bad_inclusion"], ids=lambda case: case["about"])
def test_a_published_proof_does_not_hold_elsewhere(case: dict[str, Any]) -> None:
    good = VECTORS["inclusion"][case["of"]]
    assert not includes(case["index"], case["size"], LEAVES[good["index"]], hashes(good), ROOTS[good["size"]])


@pytest.mark.parametrize("case", VECTORS["consistency"])
def test_published_consistency_proofs_hold_and_not_between_other_roots(case: dict[str, Any]) -> None:
    old, new, steps = case["old"], case["new"], hashes(case)
    assert grows(old, new, ROOTS[old], ROOTS[new], steps)
    assert old == new or not grows(old, new, ROOTS[new], ROOTS[old], steps)
    assert not grows(old, 2 * new, ROOTS[old], ROOTS[new], steps)
    assert not grows(old, new, ROOTS[old], ROOTS[new], [*steps, ROOTS[new]])


def test_every_inclusion_proof_of_small_trees_holds() -> None:
    for size in range(1, LIMIT + 1):
        for index in range(size):
            verify_inclusion(index, size, leaf(index), path(index, 0, size), mth(0, size))


def test_every_consistency_proof_of_small_trees_holds() -> None:
    for new in range(1, LIMIT + 1):
        for old in range(1, new + 1):
            verify_consistency(old, new, mth(0, old), mth(0, new), proof(old, new))


@st.composite
def mutilated(draw: st.DrawFn, steps: list[bytes]) -> list[bytes]:
    """The hashes with one bit flipped, one left out, one twice, one more, two exchanged, or one cut short."""
    at = draw(st.integers(0, len(steps) - 1))
    bit = draw(st.integers(0, 255))
    flipped = (int.from_bytes(steps[at], "big") ^ 1 << bit).to_bytes(32, "big")
    return draw(
        st.sampled_from(
            [
                [*steps[:at], flipped, *steps[at + 1 :]],
                [*steps[:at], *steps[at + 1 :]],
                [*steps[: at + 1], *steps[at:]],
                [*steps, draw(st.binary(min_size=32, max_size=32))],
                [steps[at], *steps[:at], *steps[at + 1 :], EMPTY_ROOT],
                [*steps[:at], steps[at][:-1], *steps[at + 1 :]],
                [*steps[:at], b"", *steps[at + 1 :]],
            ]
        )
    )


@given(st.data())
def test_no_mutilated_inclusion_proof_holds(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 2000))
    index = data.draw(st.integers(0, size - 1))
    steps = data.draw(mutilated(path(index, 0, size)))
    assert not includes(index, size, leaf(index), steps, mth(0, size))


@given(st.data())
def test_no_inclusion_proof_holds_for_another_place(data: st.DataObject) -> None:
    size, other_size = data.draw(st.integers(1, 600)), data.draw(st.integers(1, 600))
    index, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(-1, 600))
    good = path(index, 0, size)
    assert other == index or not includes(other, size, leaf(index), good, mth(0, size))
    assert other_size == size or not includes(index, other_size, leaf(index), good, mth(0, other_size))


@given(st.data())
def test_no_mutilated_consistency_proof_holds(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, 2000))
    old = data.draw(st.integers(1, new - 1))
    steps = data.draw(mutilated(proof(old, new)))
    assert not grows(old, new, mth(0, old), mth(0, new), steps)


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 400))
def test_a_tree_that_was_rewritten_is_not_consistent(old: int, new: int, claimed: int) -> None:
    old, new = sorted((old, new))
    rewritten = leaf_hash(b"rewritten")
    assert not grows(old, new, rewritten, mth(0, new), proof(old, new))
    assert claimed == old or not grows(claimed, new, mth(0, old), mth(0, new), proof(old, new))


def test_every_tree_begins_with_the_empty_tree_and_with_itself() -> None:
    verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    verify_consistency(0, 5, EMPTY_ROOT, mth(0, 5), [])
    verify_consistency(5, 5, mth(0, 5), mth(0, 5), [])


@pytest.mark.parametrize(
    ("old", "new", "old_root", "new_root", "steps"),
    [
        (0, 0, EMPTY_ROOT, mth(0, 1), []),
        (0, 5, mth(0, 1), mth(0, 5), []),
        (0, 5, EMPTY_ROOT, mth(0, 5), [leaf(0)]),
        (5, 5, mth(0, 5), mth(0, 4), []),
        (5, 5, mth(0, 5), mth(0, 5), [leaf(0)]),
        (5, 4, mth(0, 5), mth(0, 4), []),
        (-1, 4, mth(0, 5), mth(0, 4), []),
        (3, 5, mth(0, 3), mth(0, 5), []),
        (4, 5, mth(0, 4), mth(0, 5), []),
        (1, MAX_SIZE + 1, mth(0, 1), mth(0, 5), [leaf(0)] * 64),
    ],
)
def test_degenerate_consistency_proofs_are_refused(
    old: int, new: int, old_root: bytes, new_root: bytes, steps: list[bytes]
) -> None:
    with pytest.raises(Defect):
        verify_consistency(old, new, old_root, new_root, steps)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 1), (2, 1), (0, MAX_SIZE + 1)])
def test_an_index_outside_the_tree_is_refused(index: int, size: int) -> None:
    with pytest.raises(Defect, match="not inside"):
        verify_inclusion(index, size, leaf(0), [], leaf(0))


def test_a_leaf_or_root_of_another_length_is_refused() -> None:
    assert not includes(0, 1, b"", [], b"")
    assert not includes(0, 1, leaf(0), [], leaf(0)[:-1])
    assert not grows(1, 1, b"", b"", [])
