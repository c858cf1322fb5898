"""Vectors as providers send them: lists of numbers or base64 of float32, checked and packed without a loop a number."""

from __future__ import annotations

import binascii
import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prysm.core.chat import Completion, Usage
from prysm.core.embedding import FLOAT_BYTES, Vectors
from prysm.providers.failures import Unusable
from prysm.providers.fields import sequence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prysm.core.chat import ModelCall
    from prysm.core.embedding import Embed

NUMBERS = frozenset({float, int})
LARGEST_EXPONENTS = (0x7F, 0xFF)
"""What the last byte of an infinite float32 or a NaN is, with or without its sign."""


@dataclass(frozen=True, slots=True)
class EmbeddingFormat:
    """How a wire format asks for vectors and gives them: pure functions, which raise `Unusable`."""

    path: Callable[[ModelCall], str]
    request: Callable[[ModelCall, Embed], dict[str, Any]]
    answer: Callable[[dict[str, Any], Embed], Completion]


def answered(vectors: Vectors, prompt_tokens: int | None, served_model: str | None = None) -> Completion:
    """Vectors as the answer to a call; they are no tokens."""
    return Completion("", "stop", Usage(prompt_tokens, 0), served_model, vectors=vectors)


def packed(rows: Sequence[object], embed: Embed) -> Vectors:
    """Put vectors together, in the order of the inputs; raise `Unusable` unless they are what was asked for."""
    if len(rows) != len(embed.inputs):
        raise _malformed(f"sent {len(rows)} vectors for {len(embed.inputs)} inputs")
    parts = [_part(row) for row in rows]
    size = len(parts[0])
    if size == 0 or any(len(part) != size for part in parts):
        raise _malformed("sent vectors that are empty or not of one length")
    if embed.dimensions not in {None, size // FLOAT_BYTES}:
        raise _malformed(f"sent vectors of {size // FLOAT_BYTES} dimensions for {embed.dimensions}")
    data = b"".join(parts)
    if not _finite(data):
        raise _malformed("sent a vector with a number that is infinite or none")
    return Vectors(data, size // FLOAT_BYTES)


def _part(row: object) -> bytes:
    """One vector as little-endian float32."""
    if isinstance(row, str):
        return _decoded(row)
    numbers = sequence(row, "embedding")
    if not set(map(type, numbers)) <= NUMBERS:
        raise _malformed("sent a vector that holds other things than numbers")
    try:
        return struct.pack(f"<{len(numbers)}f", *numbers)
    except (OverflowError, struct.error):
        raise _malformed("sent a vector with a number beyond float32") from None


def _decoded(text: str) -> bytes:
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raw = b"?"
    if len(raw) % FLOAT_BYTES:
        raise _malformed("sent a vector that is not base64 of float32")
    return raw


def _finite(data: bytes) -> bool:
    """Whether every number is; a sum, which float32 cannot bring to overflow, tells where one look does not."""
    last = data[FLOAT_BYTES - 1 :: FLOAT_BYTES]
    if not any(exponent in last for exponent in LARGEST_EXPONENTS):
        return True
    return math.isfinite(sum(struct.unpack(f"<{len(last)}f", data)))


def _malformed(what: str) -> Unusable:
    return Unusable("malformed", f"{what}; choose another model")
