"""A run that has been turned into bytes, ready to be made durable."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from prysm.proof.dsse import pae
from prysm.proof.hashing import PAYLOAD_TYPE

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from prysm.proof.signing import SigningKey

SealState: TypeAlias = Literal["sealed", "spooled"]
"""Where a durable receipt lies: in the database, or in a file until the database is back."""


# Nothing but its charge and its signature are added to one. It is not frozen because a frozen one is filled through a
# function call a field.
@dataclass(slots=True)
class Sealed:
    """A receipt: the canonical payload, its SHA-256, the canonical body of every stage, and the signature.

    `digest` is SHA-256 of the pre-authentication encoding that the signature is over: what the log holds.
    A receipt from before receipts were signed has no `kid`, `signature` or `digest`. One that is new has a `signer`
    in their stead until it is `signed`.

    `charge` is what the run is charged, as JSON: it is stored in the same moment, and is no part of the receipt.
    Read back without its stages, it has `pruned`: up to when those of all runs were pruned.
    """

    request_id: UUID
    payload: bytes
    proof_hash: bytes
    stages: tuple[bytes, ...]
    kid: str | None = None
    signature: bytes | None = None
    digest: bytes | None = None
    signer: SigningKey | None = field(default=None, repr=False, compare=False)
    charge: bytes | None = field(default=None, repr=False, compare=False)
    pruned: datetime | None = None

    def signed(self) -> Sealed:
        """This receipt, with its digest and signature.

        Made when it is about to be kept and not before: receipts that are signed one right after the other, as a
        batch is, take a third less time, since the tables of the curve stay in the processor's cache.
        """
        signer = self.signer
        if signer is not None:
            message = pae(PAYLOAD_TYPE, self.payload)
            self.digest = hashlib.sha256(message).digest()
            self.signature = signer.sign(message)
            self.signer = None  # the last: a thread that spools it meanwhile gives it the very same
        return self
