"""Every hash a receipt is made of. Each use has its own prefix, so that none can stand in for another."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Literal, TypeAlias

Encoding: TypeAlias = Literal["utf8", "jcs"]

PAYLOAD_TYPE = "application/vnd.prysm.proof.v2+json"
SALT_BYTES = 32
NONCE_BYTES = 16

_STAGE = b"prysm/2/stage\n"
_COMMIT = b"prysm/2/commit\n"


def proof_hash(payload: bytes) -> bytes:
    """SHA-256 of the payload alone, so that `sha256sum` over the decoded payload shows it."""
    return hashlib.sha256(payload).digest()


def stage_digest(body: bytes) -> str:
    """`sha256:<hex>` of a stage's canonical body under the stage prefix."""
    return "sha256:" + hashlib.sha256(_STAGE + body).hexdigest()


def text_digest(text: str) -> str:
    """`sha256:<hex>` of our own words (a plan's reason). Never of a caller's text: that would be guessable."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def commitment(salt: bytes, label: str, enc: Encoding, data: bytes) -> str:
    """Base64 HMAC-SHA256 that binds `data` without showing it; `salt` is 32 fresh random bytes.

    Without the salt a short answer such as "yes" could be found by trying words against a bare hash.
    """
    mac = hmac.digest(salt, _COMMIT + label.encode() + b"\n" + enc.encode() + b"\n" + data, "sha256")
    return base64.b64encode(mac).decode()
