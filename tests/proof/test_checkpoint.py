"""Checkpoints: what is read back is what was signed, and every other spelling is refused."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.proof.foreign_notes import NOTES, verifier_key

from prysm.proof import checkpoint, note
from prysm.proof.checkpoint import Checkpoint
from prysm.proof.defect import Defect
from prysm.proof.merkle import EMPTY_ROOT, MAX_SIZE
from prysm.proof.signing import SigningKey

KEY, NEXT = SigningKey.from_private(b"k" * 32), SigningKey.from_private(b"n" * 32)
ORIGIN = "prysm/0123456789abcdef0123456789abcdef"
ROOT = bytes(range(32))
B64 = base64.b64encode(ROOT).decode()


@given(st.integers(1, MAX_SIZE), st.binary(min_size=32, max_size=32))
def test_what_was_signed_is_what_opens(size: int, root: bytes) -> None:
    signed = checkpoint.signed(Checkpoint(ORIGIN, size, root), [KEY, NEXT])
    for key in (KEY, NEXT):
        assert checkpoint.opened(signed, ORIGIN, [key.public]) == Checkpoint(ORIGIN, size, root)


def test_the_text_is_three_lines() -> None:
    assert Checkpoint(ORIGIN, 7, ROOT).text() == f"{ORIGIN}\n7\n{B64}\n"
    empty = "o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    assert checkpoint.parse(empty) == Checkpoint("o", 0, EMPTY_ROOT)


def test_a_checkpoint_of_a_public_log_opens() -> None:
    origin, _, _, public = verifier_key(NOTES["arche"]["keys"][0])
    assert checkpoint.opened(NOTES["arche"]["note"], origin, [public]).size == 1_432_088_532


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"\n7\n{B64}\n",
        *(f"{odd}\n7\n{B64}\n" for odd in ("a b", "a+b", "\u00e9", "\x85", "\ufeff", "\ud800", "\x7f")),
        f"o\n7\n{B64}",
        f"o\n7\n{B64}\n\n",
        f"o\n7\n{B64}\nextension\n",
        f"o\n7\n{B64}\n7\n",
        "o\n7\n",
        "o\n7\n\n",
        f"o\n07\n{B64}\n",
        f"o\n+7\n{B64}\n",
        f"o\n-7\n{B64}\n",
        f"o\n 7\n{B64}\n",
        f"o\n7_0\n{B64}\n",
        f"o\n٧\n{B64}\n",
        f"o\n7.0\n{B64}\n",
        f"o\n\n{B64}\n",
        f"o\n{MAX_SIZE + 1}\n{B64}\n",
        f"o\n{'9' * 5000}\n{B64}\n",
        f"o\n7\n{B64[:-1]}\n",
        f"o\n7\n{B64[:-2]}9=\n",
        f"o\n7\n{B64[:40]}\n",
        f"o\n7\n{B64}AAAA\n",
        f"o\n7\n {B64}\n",
        f"o\n0\n{B64}\n",
    ],
)
def test_any_other_spelling_is_a_defect(text: str) -> None:
    with pytest.raises(Defect):
        checkpoint.parse(text)


def test_a_checkpoint_of_another_log_does_not_open() -> None:
    signed = note.sign(Checkpoint("prysm/other", 7, ROOT).text(), ORIGIN, [KEY])
    with pytest.raises(Defect, match="another log"):
        checkpoint.opened(signed, ORIGIN, [KEY.public])
    with pytest.raises(Defect, match="not signed by a known key"):
        checkpoint.opened(signed, "prysm/other", [KEY.public])


def test_an_altered_checkpoint_does_not_open() -> None:
    signed = checkpoint.signed(Checkpoint(ORIGIN, 7, ROOT), [KEY])
    with pytest.raises(Defect, match="does not verify"):
        checkpoint.opened(signed.replace("\n7\n", "\n8\n"), ORIGIN, [KEY.public])


@pytest.mark.parametrize(
    "wrong",
    [
        Checkpoint("", 1, ROOT),
        Checkpoint("a b", 1, ROOT),
        Checkpoint("a\nb", 1, ROOT),
        Checkpoint(ORIGIN, -1, ROOT),
        Checkpoint(ORIGIN, MAX_SIZE + 1, ROOT),
        Checkpoint(ORIGIN, 0, ROOT),
        Checkpoint(ORIGIN, 1, ROOT[:-1]),
    ],
)
def test_an_impossible_checkpoint_is_not_signed(wrong: Checkpoint) -> None:
    with pytest.raises(Defect):
        checkpoint.signed(wrong, [KEY])
