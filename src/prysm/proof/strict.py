"""Numbers and bytes as text, with exactly one spelling for each value."""

from __future__ import annotations

import base64
import re

from prysm.proof.defect import Defect
from prysm.proof.merkle import HASH_BYTES, MAX_SIZE

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)


def decimal(text: str) -> int:
    """An ASCII decimal from 0 to 2^53-1 without sign or leading zeros; raises `Defect` for anything else."""
    if _DECIMAL.fullmatch(text) is None or int(text) > MAX_SIZE:
        raise Defect("a number is written in decimal digits without leading zeros, up to 2^53-1")
    return int(text)


def from_base64(text: str) -> bytes:
    """Bytes from standard base64 with padding, as `to_base64` spells them; raises `Defect` for any other spelling."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Defect("bytes are written in standard base64 with padding") from None
    if to_base64(data) != text:
        raise Defect("base64 is written in its canonical form")
    return data


def to_base64(data: bytes) -> str:
    """Standard base64 with padding (RFC 4648, section 4)."""
    return base64.b64encode(data).decode()


def hash_from_base64(text: str) -> bytes:
    """A SHA-256 hash; raises `Defect` unless it is strict base64 of 32 bytes."""
    data = from_base64(text)
    if len(data) != HASH_BYTES:
        raise Defect("a hash has 32 bytes")
    return data
