"""Cosignatures of witnesses, ours to read and never ours to make."""

from __future__ import annotations

import pytest
from tests.proof.foreign_notes import NOTES, verifier_key

from prysm.proof import cosignature, note
from prysm.proof.cosignature import ED25519_V1, witnesses
from prysm.proof.defect import Defect
from prysm.proof.note import Signature
from prysm.proof.signing import SigningKey

LOG, WITNESS = SigningKey.from_private(b"l" * 32), SigningKey.from_private(b"w" * 32)
TEXT = "prysm/log\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
NOTE = note.sign(TEXT, "prysm/log", [LOG])
KNOWN = {"witness.example/w1": WITNESS.public}


def cosigned(time: int, *, signed: bytes | None = None, name: str = "witness.example/w1") -> str:
    """The note with a cosignature that says `time`, over the right message or another."""
    message = cosignature.message(time, TEXT) if signed is None else signed
    key_id = note.key_id(name, WITNESS.public, ED25519_V1)
    return note.add_signature(NOTE, Signature(name, key_id, time.to_bytes(8, "big") + WITNESS.sign(message)))


def test_the_message_is_that_of_the_specification() -> None:
    written = "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\nCsUYap=\n"
    assert (
        cosignature.message(1_679_315_147, "example.com/behind-the-sofa\n20852163\nCsUYap=\n").decode() == written
    )


def test_the_witnesses_of_a_public_log_are_recognised() -> None:
    arche = NOTES["arche"]
    known = {name: public for name, _, _, public in map(verifier_key, arche["witnesses"])}
    assert witnesses(arche["note"], known) == [(name, arche["time"]) for name in known]
    with pytest.raises(Defect, match="does not verify"):
        witnesses(arche["note"].replace("1432088532", "1432088533"), known)


def test_only_the_witnesses_that_were_named_count() -> None:
    assert witnesses(cosigned(12), KNOWN) == [("witness.example/w1", 12)]
    assert witnesses(cosigned(12), {}) == []
    assert witnesses(cosigned(12), {"witness.example/w1": LOG.public}) == []
    assert witnesses(cosigned(12, name="else"), KNOWN) == []
    assert witnesses(NOTE, KNOWN | {"prysm/log": LOG.public}) == []


def test_a_witness_that_signed_twice_counts_once_with_its_latest_time() -> None:
    later, earlier = cosigned(20).splitlines()[-1], cosigned(10).splitlines()[-1]
    assert witnesses(f"{NOTE}{later}\n{earlier}\n", KNOWN) == [("witness.example/w1", 20)]


@pytest.mark.parametrize(
    "signed",
    [cosignature.message(11, TEXT), cosignature.message(12, "x" + TEXT), TEXT.encode()],
    ids=["another time", "another checkpoint", "a plain note signature"],
)
def test_a_signature_over_anything_else_is_a_defect(signed: bytes) -> None:
    with pytest.raises(Defect, match="does not verify"):
        witnesses(cosigned(12, signed=signed), KNOWN)


def test_a_time_beyond_63_bits_or_another_length_is_a_defect() -> None:
    with pytest.raises(Defect, match="2\\^63-1"):
        witnesses(cosigned(2**63), KNOWN)
    for length in (1, 8, 71, 73):
        key_id = note.key_id("witness.example/w1", WITNESS.public, ED25519_V1)
        with pytest.raises(Defect, match="8 bytes"):
            witnesses(note.add_signature(NOTE, Signature("witness.example/w1", key_id, bytes(length))), KNOWN)
