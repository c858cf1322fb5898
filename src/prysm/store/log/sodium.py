"""Keys that sign with libsodium: the very bytes that OpenSSL gives, in two thirds of the time.

Ed25519 has one signature of a message (RFC 8032, section 5.1.6). Of the gateway alone: whoever verifies a receipt needs
`cryptography` and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nacl.bindings import crypto_sign

from prysm.proof.signing import SIGNATURE_BYTES, SigningKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class SodiumKey(SigningKey):
    """A private key, to sign much with."""

    __slots__ = ("_secret",)

    def __init__(self, key: Ed25519PrivateKey) -> None:
        super().__init__(key)
        self._secret = key.private_bytes_raw() + self.public

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature."""
        return crypto_sign(message, self._secret)[:SIGNATURE_BYTES]
