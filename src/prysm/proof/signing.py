"""Ed25519 keys (RFC 8032) and the names they go by."""

from __future__ import annotations

import hashlib
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from prysm.proof.defect import Defect

PUBLIC_BYTES = 32
SIGNATURE_BYTES = 64


def kid_of(public: bytes) -> str:
    """The first 32 hex digits of the SHA-256 of a 32-byte public key."""
    if len(public) != PUBLIC_BYTES:
        raise Defect("an Ed25519 public key has 32 bytes")
    return hashlib.sha256(public).hexdigest()[:32]


def signature_holds(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature is the key's over this message; False, too, for bytes that are no key or signature."""
    if len(public) != PUBLIC_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


class SigningKey:
    """A private key. `kid` names it, `public` is its 32-byte public half; nothing else of it is ever shown."""

    __slots__ = ("_key", "kid", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes_raw()
        self.kid = kid_of(self.public)

    @classmethod
    def generate(cls) -> Self:
        """A fresh key from the system's random source."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_private(cls, private: bytes) -> Self:
        """The key of a 32-byte seed; raises `Defect` for another length."""
        try:
            return cls(Ed25519PrivateKey.from_private_bytes(private))
        except ValueError:
            raise Defect("an Ed25519 private key has 32 bytes") from None

    def private(self) -> bytes:
        """The 32-byte seed: to be encrypted before it is written anywhere."""
        return self._key.private_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.kid!r})"
