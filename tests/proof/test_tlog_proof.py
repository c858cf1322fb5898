"""The one-file proof of C2SP tlog-proof."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.proof import note, tlog_proof
from prysm.proof.defect import Defect
from prysm.proof.merkle import MAX_SIZE
from prysm.proof.signing import SigningKey
from prysm.proof.tlog_proof import TlogProof

NOTE = note.sign("a checkpoint\n\nwith an empty line\n", "log", [SigningKey.from_private(b"k" * 32)])
ZERO = base64.b64encode(bytes(32)).decode()
HASHES = st.binary(min_size=32, max_size=32)


@given(st.integers(0, MAX_SIZE), st.lists(HASHES, max_size=63), st.none() | st.binary(min_size=1))
def test_what_was_written_is_what_is_read(index: int, path: list[bytes], extra: bytes | None) -> None:
    written = tlog_proof.write(index, path, NOTE, extra)
    assert tlog_proof.parse(written) == TlogProof(index, tuple(path), NOTE, extra)


def test_the_text_is_that_of_the_specification() -> None:
    assert tlog_proof.write(0, [], NOTE, b"") == f"c2sp.org/tlog-proof@v1\nindex 0\n\n{NOTE}"
    written = f"c2sp.org/tlog-proof@v1\nextra ZXh0cmE=\nindex 73894\n{ZERO}\n{ZERO}\n\n{NOTE}"
    assert tlog_proof.write(73_894, [bytes(32)] * 2, NOTE, b"extra") == written


@pytest.mark.parametrize(
    "head",
    [
        "",
        "index 0\n",
        "c2sp.org/tlog-proof@v2\nindex 0\n",
        "c2sp.org/tlog-proof@v1 \nindex 0\n",
        "c2sp.org/tlog-proof@v1\n",
        "c2sp.org/tlog-proof@v1\nindex\n",
        "c2sp.org/tlog-proof@v1\nindex \n",
        "c2sp.org/tlog-proof@v1\nindex 00\n",
        "c2sp.org/tlog-proof@v1\nindex -5\n",
        "c2sp.org/tlog-proof@v1\nindex  5\n",
        "c2sp.org/tlog-proof@v1\nindex number\n",
        f"c2sp.org/tlog-proof@v1\nindex {MAX_SIZE + 1}\n",
        "c2sp.org/tlog-proof@v1\nindex 0\nextra ZXh0cmE=\n",
        "c2sp.org/tlog-proof@v1\nextra ZXh0cmE=\n",
        "c2sp.org/tlog-proof@v1\nextra ZXh0cmE=\nextra ZXh0cmE=\nindex 0\n",
        "c2sp.org/tlog-proof@v1\nextra \nindex 0\n",
        "c2sp.org/tlog-proof@v1\nextra !!\nindex 0\n",
        "c2sp.org/tlog-proof@v1\nextra ZXh0cmF=\nindex 0\n",
        "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n",
        f"c2sp.org/tlog-proof@v1\nindex 0\n{ZERO[:-1]}\n",
        f"c2sp.org/tlog-proof@v1\nindex 0\n {ZERO}\n",
        f"c2sp.org/tlog-proof@v1\nindex 0\r\n{ZERO}\r\n",
        f"c2sp.org/tlog-proof@v1\nindex 0\n{base64.b64encode(bytes(64)).decode()}\n",
        f"c2sp.org/tlog-proof@v1\nindex 0\n{(ZERO + chr(10)) * 64}",
    ],
)
def test_any_other_spelling_is_a_defect(head: str) -> None:
    with pytest.raises(Defect):
        tlog_proof.parse(f"{head}\n{NOTE}")


@pytest.mark.parametrize("checkpoint", ["", "checkpoint\n", NOTE[:-1], "x" * 2_000_000])
def test_a_proof_without_a_note_is_a_defect(checkpoint: str) -> None:
    with pytest.raises(Defect):
        tlog_proof.parse(f"c2sp.org/tlog-proof@v1\nindex 0\n\n{checkpoint}")


def test_what_could_not_be_read_is_not_written() -> None:
    with pytest.raises(Defect):
        tlog_proof.write(-1, [], NOTE)
    with pytest.raises(Defect):
        tlog_proof.write(0, [b"short"], NOTE)
    with pytest.raises(Defect):
        tlog_proof.write(0, [], "no note")


@given(st.text(st.sampled_from("\N{EM DASH} \nindex0=A/\ud800"), max_size=40))
def test_no_text_makes_the_reader_fail_otherwise(text: str) -> None:
    for candidate in (text, f"c2sp.org/tlog-proof@v1\n{text}", f"c2sp.org/tlog-proof@v1\nindex 0\n{text}{NOTE}"):
        try:
            tlog_proof.parse(candidate)
        except Defect:
            continue
