"""Receipts as the tests of this folder store them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from tests.signed_receipts import RECORD, STAGES

from prysm.proof.canonical import canonical
from prysm.proof.dsse import digest
from prysm.proof.hashing import PAYLOAD_TYPE, proof_hash
from prysm.proof.sealed import Sealed
from prysm.store.committer import GroupCommitter
from prysm.store.database import Database

if TYPE_CHECKING:
    from uuid import UUID

    from prysm.store.receipts import ReceiptStore

KID = "0123456789abcdef" * 2


@dataclass
class SealPath:
    """What writes receipts, and what reads them back."""

    committer: GroupCommitter
    database: Database

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect both."""
        return cls(await GroupCommitter.open(url), await Database.open(url))

    @property
    def receipts(self) -> ReceiptStore:
        """Reads."""
        return self.database.receipts

    async def close(self) -> None:
        """Store what is queued, then disconnect."""
        await self.committer.close()
        await self.database.close()


def make(
    payload: bytes = b"{}", stages: tuple[bytes, ...] = (b"a", b"b"), request_id: UUID | None = None
) -> Sealed:
    """A receipt as runs make them, but for what its signature says."""
    named = digest(PAYLOAD_TYPE, payload)
    return Sealed(request_id or uuid4(), payload, proof_hash(payload), stages, KID, bytes(64), named)


def whole(note: str = "") -> Sealed:
    """A receipt with a record that its stages and its run fit. `note` makes it larger."""
    request_id = uuid4()
    payload = canonical(RECORD | {"request_id": str(request_id), "note": note})
    return make(payload, STAGES, request_id)


def unsigned(payload: bytes = b"{}") -> Sealed:
    """A receipt from before receipts were signed."""
    return Sealed(uuid4(), payload, proof_hash(payload), (b"a",))
