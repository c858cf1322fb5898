"""A run that has been turned into bytes, ready to be made durable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class Sealed:
    """A receipt: the canonical payload, its SHA-256, and the canonical body of every stage it commits to."""

    request_id: UUID
    payload: bytes
    proof_hash: bytes
    stages: tuple[bytes, ...]
