"""Cosignatures (c2sp.org/tlog-cosignature): witnesses that saw the log only grow up to a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.proof.defect import Defect
from prysm.proof.note import key_id, signatures
from prysm.proof.signing import SIGNATURE_BYTES, signature_holds

if TYPE_CHECKING:
    from collections.abc import Mapping

ED25519_V1 = 4
"""The algorithm byte of a timestamped Ed25519 cosignature."""

_TIME_BYTES = 8
_LATEST = 2**63 - 1


def message(time: int, text: str) -> bytes:
    """What a witness signs: a header, the time in seconds since 1970, and the text of the checkpoint."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def witnesses(note: str, publics: Mapping[str, bytes]) -> list[tuple[str, int]]:
    """The witnesses, of those given by name with their 32-byte Ed25519 keys, that cosigned, and when (Unix seconds).

    One name comes once, with its latest time; lines of other names and keys are passed over. Raises `Defect` if
    the note is malformed, or if a line that says it is a known witness's does not verify.
    """
    text, lines = signatures(note)
    seen: dict[str, int] = {}
    for line in lines:
        public = publics.get(line.name)
        if public is not None and line.key_id == key_id(line.name, public, ED25519_V1):
            time = _time(line.signature, public, text)
            seen[line.name] = max(time, seen.get(line.name, 0))
    return list(seen.items())


def _time(signature: bytes, public: bytes, text: str) -> int:
    time = int.from_bytes(signature[:_TIME_BYTES], "big")
    if len(signature) != _TIME_BYTES + SIGNATURE_BYTES or time > _LATEST:
        raise Defect("a cosignature is a time up to 2^63-1 in 8 bytes and 64 bytes of signature")
    if not signature_holds(public, signature[_TIME_BYTES:], message(time, text)):
        raise Defect("a cosignature of a known witness does not verify")
    return time
