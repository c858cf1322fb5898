from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.proof.test_signing import RFC_8032

from prysm.proof.signing import SigningKey
from prysm.store.log.sodium import SodiumKey


def test_signatures_of_libsodium_are_those_of_rfc_8032() -> None:
    for private, public, message, signature in RFC_8032:
        key = SodiumKey.from_private(bytes.fromhex(private))
        assert key.public.hex() == public
        assert key.sign(bytes.fromhex(message)).hex() == signature


@settings(max_examples=50)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=4000))
def test_both_libraries_give_the_same_signature(private: bytes, message: bytes) -> None:
    key, other = SodiumKey.from_private(private), SigningKey.from_private(private)
    assert key.sign(message) == other.sign(message)
    assert (key.kid, key.public, key.private()) == (other.kid, other.public, private)
    assert repr(key) == repr(other)
