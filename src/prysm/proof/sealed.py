"""A run that has been turned into bytes, ready to be made durable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from uuid import UUID

SealState: TypeAlias = Literal["sealed", "spooled"]
"""Where a durable receipt lies: in the database, or in a file until the database is back."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A receipt: the canonical payload, its SHA-256, the canonical body of every stage, and the signature.

    `digest` is SHA-256 of the pre-authentication encoding that the signature is over: what the log holds.
    A receipt from before receipts were signed has no `kid`, `signature` or `digest`.
    """

    request_id: UUID
    payload: bytes
    proof_hash: bytes
    stages: tuple[bytes, ...]
    kid: str | None = None
    signature: bytes | None = None
    digest: bytes | None = None
