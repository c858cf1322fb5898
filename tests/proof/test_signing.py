"""Signatures, their encoding and the entries of the log, against published vectors."""

from __future__ import annotations

import hashlib

import pytest

from prysm.proof import dsse, leaves
from prysm.proof.defect import Defect
from prysm.proof.signing import SigningKey, kid_of, signature_holds

RFC_8032 = [  # section 7.1, TEST 1 to 3: private key, public key, message, signature
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
]
KEY = SigningKey.from_private(bytes(range(32)))
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


@pytest.mark.parametrize(("private", "public", "message", "signature"), RFC_8032)
def test_signatures_are_those_of_rfc_8032(private: str, public: str, message: str, signature: str) -> None:
    key = SigningKey.from_private(bytes.fromhex(private))
    assert key.public.hex() == public
    assert key.private().hex() == private
    assert key.sign(bytes.fromhex(message)).hex() == signature
    assert signature_holds(bytes.fromhex(public), bytes.fromhex(signature), bytes.fromhex(message))


def test_a_signature_of_another_key_message_or_length_does_not_hold() -> None:
    signature, stranger = KEY.sign(b"message"), SigningKey.generate()
    assert signature_holds(KEY.public, signature, b"message")
    assert not signature_holds(stranger.public, signature, b"message")
    assert not signature_holds(KEY.public, signature, b"message ")
    assert not signature_holds(KEY.public, stranger.sign(b"message"), b"message")
    assert not signature_holds(KEY.public, signature[:-1], b"message")
    assert not signature_holds(KEY.public, b"", b"message")
    assert not signature_holds(KEY.public[:-1], signature, b"message")
    assert not signature_holds(b"\xff" * 32, signature, b"message")


def test_a_signature_has_no_second_spelling() -> None:
    signature = KEY.sign(b"message")
    respelled = (int.from_bytes(signature[32:], "little") + GROUP_ORDER).to_bytes(32, "little")
    assert not signature_holds(KEY.public, signature[:32] + respelled, b"message")


def test_a_key_goes_by_the_hash_of_its_public_half_and_shows_nothing_else() -> None:
    assert KEY.kid == kid_of(KEY.public) == hashlib.sha256(KEY.public).hexdigest()[:32]
    assert repr(KEY) == str(KEY) == f"SigningKey(kid='{KEY.kid}')"
    assert not hasattr(KEY, "__dict__")


def test_generated_keys_differ() -> None:
    assert SigningKey.generate().kid != SigningKey.generate().kid


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_key_of_another_length_is_a_defect(length: int) -> None:
    with pytest.raises(Defect):
        SigningKey.from_private(bytes(length))
    with pytest.raises(Defect):
        kid_of(bytes(length))


def test_the_encoding_is_that_of_the_dsse_protocol() -> None:
    encoded = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == encoded
    assert dsse.digest("http://example.com/HelloWorld", b"hello world") == hashlib.sha256(encoded).digest()


def test_lengths_are_in_bytes_and_keep_type_and_payload_apart() -> None:
    assert dsse.pae("ж", b"") == b"DSSEv1 2 \xd0\xb6 0 "
    assert dsse.pae("a 1", b"b") != dsse.pae("a", b"1 b")


def test_a_log_entry_is_a_prefix_a_kind_and_a_digest() -> None:
    digest = bytes(range(32))
    assert leaves.entry(leaves.RECEIPT, digest) == b"prysm/2\x00\x01" + digest
    assert leaves.entry(leaves.BEGINNING, digest)[8] == 2
    assert leaves.entry(leaves.KEY, digest)[8] == 3
    assert len(leaves.entry(leaves.KEY, digest)) == 41


@pytest.mark.parametrize(("kind", "digest"), [(0, bytes(32)), (5, bytes(32)), (256, bytes(32)), (1, bytes(31))])
def test_another_kind_or_length_is_no_entry(kind: int, digest: bytes) -> None:
    with pytest.raises(Defect):
        leaves.entry(kind, digest)
