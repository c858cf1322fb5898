"""The hashes of a receipt, against values worked out with other tools."""

from __future__ import annotations

import base64
import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st

from prysm.proof.hashing import commitment, hmac_sha256, proof_hash, stage_digest, text_digest

SALT = bytes(range(32))


def test_the_proof_hash_is_what_sha256sum_shows() -> None:
    assert proof_hash(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_stage_is_hashed_under_a_prefix_of_its_own() -> None:
    assert stage_digest(b"abc") == "sha256:" + hashlib.sha256(b"prysm/2/stage\nabc").hexdigest()
    assert stage_digest(b"abc") != text_digest("abc") == "sha256:" + proof_hash(b"abc").hex()


def test_a_commitment_is_an_hmac_over_label_encoding_and_text() -> None:
    mac = hmac.new(SALT, b"prysm/2/commit\nanswer\nutf8\nyes", hashlib.sha256).digest()
    assert commitment(SALT, "answer", "utf8", b"yes") == base64.b64encode(mac).decode()


def test_another_label_encoding_salt_or_text_is_another_commitment() -> None:
    made = {
        commitment(SALT, "answer", "utf8", b"yes"),
        commitment(SALT, "prompt", "utf8", b"yes"),
        commitment(SALT, "answer", "jcs", b"yes"),
        commitment(bytes(32), "answer", "utf8", b"yes"),
        commitment(SALT, "answer", "utf8", b"no"),
    }
    assert len(made) == 5


@given(st.binary(max_size=64), st.binary(max_size=300))
def test_our_hmac_is_the_library_s(key: bytes, data: bytes) -> None:
    assert hmac_sha256(key, data) == hmac.digest(key, data, "sha256")
