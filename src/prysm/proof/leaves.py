"""What the log holds: one short entry for a receipt, the beginning of a log, a key event, or an admin's action."""

from __future__ import annotations

from prysm.proof.defect import Defect

RECEIPT = 1
BEGINNING = 2
KEY = 3
AUDIT = 4

LOG_PAYLOAD_TYPE = "application/vnd.prysm.log.v1+json"
"""The payload type under which the statements of the log itself (kinds `BEGINNING` and `KEY`) are hashed."""

AUDIT_PAYLOAD_TYPE = "application/vnd.prysm.audit.v1+json"
"""The payload type under which the statement of an admin's action is hashed."""

_PREFIX = b"prysm/2\x00"
_DIGEST_BYTES = 32


def entry(kind: int, digest: bytes) -> bytes:
    """The 41 bytes that the log hashes into a leaf: the prefix, one byte of kind, the 32 bytes of `dsse.digest`.

    The kind is inside, so that no key event can be shown as a receipt. Raises `Defect` for an unknown kind or a
    digest of another length.
    """
    if kind not in (RECEIPT, BEGINNING, KEY, AUDIT):
        raise Defect("a log entry is a receipt, a beginning, a key event or an audit event")
    if len(digest) != _DIGEST_BYTES:
        raise Defect("the digest in a log entry has 32 bytes")
    return _PREFIX + bytes([kind]) + digest
