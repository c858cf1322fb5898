"""From a record to signed bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.proof.hashing import proof_hash
from prysm.proof.sealed import Sealed
from prysm.receipt.spelling import canonical

if TYPE_CHECKING:
    from uuid import UUID

    from prysm.proof.canonical import Json
    from prysm.proof.signing import SigningKey


def seal(request_id: UUID, record: dict[str, Json], stages: tuple[bytes, ...], key: SigningKey) -> Sealed:
    """Write the record canonically, to be signed by `key` (DSSE: over type and bytes, never over a parsed form)."""
    payload = canonical(record)
    return Sealed(request_id, payload, proof_hash(payload), stages, key.kid, signer=key)
