"""The pre-authentication encoding of DSSE v1 (github.com/secure-systems-lab/dsse, protocol.md)."""

from __future__ import annotations

import hashlib


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that a signature is over: type and payload, each with its length, so that neither can run over."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def digest(payload_type: str, payload: bytes) -> bytes:
    """SHA-256 of the pre-authentication encoding: how the log names a signed statement."""
    return hashlib.sha256(pae(payload_type, payload)).digest()
