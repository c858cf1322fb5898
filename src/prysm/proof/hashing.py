"""Every hash a receipt is made of. Each use has its own prefix, so that none can stand in for another."""

from __future__ import annotations

from binascii import b2a_base64
from hashlib import sha256
from typing import Literal, TypeAlias

Encoding: TypeAlias = Literal["utf8", "jcs"]

PAYLOAD_TYPE = "application/vnd.prysm.proof.v2+json"
SALT_BYTES = 32
NONCE_BYTES = 16

_STAGE = b"prysm/2/stage\n"
_COMMIT = "prysm/2/commit"

_BLOCK_BYTES = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


def proof_hash(payload: bytes) -> bytes:
    """SHA-256 of the payload alone, so that `sha256sum` over the decoded payload shows it."""
    return sha256(payload).digest()


def stage_digest(body: bytes) -> str:
    """`sha256:<hex>` of a stage's canonical body under the stage prefix."""
    return "sha256:" + sha256(_STAGE + body).hexdigest()


def text_digest(text: str) -> str:
    """`sha256:<hex>` of our own words (a plan's reason). Never of a caller's text: that would be guessable."""
    return "sha256:" + sha256(text.encode()).hexdigest()


def commitment(salt: bytes, label: str, enc: Encoding, data: bytes) -> str:
    """Base64 HMAC-SHA256 that binds `data` without showing it; `salt` is 32 fresh random bytes.

    Without the salt a short answer such as "yes" could be found by trying words against a bare hash.
    """
    mac = hmac_sha256(salt, f"{_COMMIT}\n{label}\n{enc}\n".encode() + data)
    return b2a_base64(mac, newline=False).decode()


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """HMAC (RFC 2104) under a key of at most 64 bytes: as the library's, which sets up OpenSSL anew at every call."""
    block = key.ljust(_BLOCK_BYTES, b"\0")
    inner = sha256(block.translate(_INNER) + data).digest()
    return sha256(block.translate(_OUTER) + inner).digest()
