"""Simulated embeddings: hashed words and letters, so that texts with much in common are near each other."""

from __future__ import annotations

import hashlib
import math
import struct
from typing import TYPE_CHECKING

from prysm.core.chat import Completion, Usage
from prysm.core.embedding import Vectors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prysm.core.chat import ModelCall
    from prysm.core.embedding import Embed, Input

DIMENSIONS = 256
LETTERS = 3
CHARS_READ = 4_000


def embedded(call: ModelCall, embed: Embed) -> Completion:
    """A vector of unit length for each input, the same for the same input (feature hashing, arXiv 0902.2206)."""
    size = embed.dimensions or DIMENSIONS
    data = b"".join(_vector(each, size) for each in embed.inputs)
    usage = Usage(prompt_tokens=embed.estimated_tokens, completion_tokens=0)
    return Completion("", "stop", usage, served_model=call.model.upstream, vectors=Vectors(data, size))


def _vector(text: Input, size: int) -> bytes:
    sums = [0.0] * size
    for feature in _features(text):
        number = int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest())
        sums[(number >> 1) % size] += 1.0 if number & 1 else -1.0
    norm = math.sqrt(sum(value * value for value in sums))
    if norm == 0:  # features that cancel out, or none
        sums[0], norm = 1.0, 1.0
    return struct.pack(f"<{size}f", *(value / norm for value in sums))


def _features(text: Input) -> Iterator[str]:
    if not isinstance(text, str):
        yield from map(str, text[:CHARS_READ])
        return
    read = text[:CHARS_READ].lower()
    yield from read.split()
    yield from (read[i : i + LETTERS] for i in range(len(read) - LETTERS + 1))
