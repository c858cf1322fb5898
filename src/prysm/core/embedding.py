"""Texts that become vectors, and the vectors."""

from __future__ import annotations

import struct
from dataclasses import field
from typing import Any, TypeAlias

from prysm.core.values import dataclass

FLOAT_BYTES = 4

Input: TypeAlias = str | tuple[int, ...]
"""A text, or the ids of its tokens."""


@dataclass(frozen=True, slots=True)
class Embed:
    """What is to become vectors, one for each input; `dimensions` is how long they are to be."""

    inputs: tuple[Input, ...]
    dimensions: int | None = None

    @property
    def estimated_tokens(self) -> int:
        """About four characters a token, the usual rule for English."""
        return sum(-(-len(each) // 4) if isinstance(each, str) else len(each) for each in self.inputs)

    @property
    def tokens_at_most(self) -> int:
        """A bound: no byte-level vocabulary has tokens without a byte; a few may be put around each input."""
        return sum(8 + (len(each.encode()) if isinstance(each, str) else len(each)) for each in self.inputs)

    def form(self) -> list[Any]:
        """The inputs as OpenAI's API writes them: what providers are sent, and what receipts commit to."""
        return [each if isinstance(each, str) else list(each) for each in self.inputs]


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors of one length, in the order of the inputs: little-endian float32, one behind the other."""

    data: bytes = field(repr=False)
    dimensions: int

    def __len__(self) -> int:
        """How many vectors there are."""
        return len(self.data) // (FLOAT_BYTES * self.dimensions)

    def raw(self, i: int) -> bytes:
        """The bytes of the `i`-th vector."""
        size = FLOAT_BYTES * self.dimensions
        return self.data[i * size : (i + 1) * size]

    def floats(self, i: int) -> tuple[float, ...]:
        """The numbers of the `i`-th vector."""
        return struct.unpack(f"<{self.dimensions}f", self.raw(i))
