"""Where the answer to a request under an idempotency key lies, and the key that opens it.

Both come from the operator's encryption key and the caller's idempotency key together, which is kept nowhere: a row
alone opens nothing and tells nothing of what was asked, and with the encryption key a thief has still to guess.
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from prysm.errors import ConfigError

if TYPE_CHECKING:
    from uuid import UUID

    from prysm.core.caller import Caller

_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Slot:
    """One idempotency key of one caller. `name` finds it; `caller` as in `Caller.id`."""

    org: UUID
    caller: str
    name: bytes
    _request_key: bytes = field(repr=False)
    _answer_key: bytes = field(repr=False)

    def digest(self, method: str, target: bytes, body: bytes) -> bytes:
        """What a request is known again by: HMAC-SHA256. `target` is its path with the query."""
        head = f"{method} {len(target)} ".encode()
        return hmac.digest(self._request_key, head + target + body, "sha256")

    def wrap(self, answer: bytes, request_id: UUID) -> bytes:
        """Encrypt the answer to a request: AES-256-GCM, 12 random bytes before it."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self._answer_key).encrypt(nonce, answer, request_id.bytes)

    def unwrap(self, wrapped: bytes, request_id: UUID) -> bytes:
        """Decrypt what `wrap` made. Raises ConfigError when the encryption key is another one, or it was altered."""
        try:
            cipher = AESGCM(self._answer_key)
            return cipher.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], request_id.bytes)
        except (InvalidTag, ValueError):
            raise ConfigError("This answer was encrypted under another PRYSM_ENCRYPTION_KEY, or altered.") from None


def slot_of(secret: bytes, caller: Caller, key: str) -> Slot:
    """The slot of `key`, which is the caller's alone. `secret` is the gateway's own."""
    whose = caller.org.bytes + caller.id.encode() + b"\x00" + key.encode()
    name, request, answer = (
        hmac.digest(secret, use + whose, "sha256") for use in (b"name ", b"asked ", b"answer ")
    )
    return Slot(caller.org, caller.id, name, request, answer)
