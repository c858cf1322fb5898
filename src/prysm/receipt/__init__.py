"""Turns a finished run into its receipt. The record format is `prysmproof/2`; `prysm.proof` checks it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from prysm.core.account import Account, account
from prysm.core.entropy import random_bytes
from prysm.core.values import dataclass
from prysm.proof.hashing import NONCE_BYTES, SALT_BYTES
from prysm.receipt.commitments import Opening, commitments
from prysm.receipt.intent import intent_of, interrupted
from prysm.receipt.record import beginning, ending, stage_bodies
from prysm.receipt.seal import seal
from prysm.receipt.spelling import b64, rfc3339

if TYPE_CHECKING:
    from prysm.core.run import Finished
    from prysm.proof.canonical import Json
    from prysm.proof.sealed import Sealed
    from prysm.proof.signing import SigningKey

__all__ = [
    "Opening",
    "Receipt",
    "beginning",
    "intent_of",
    "interrupted",
    "make_receipt",
    "new_request_id",
]


@dataclass(frozen=True, slots=True)
class Receipt:
    """The sealed record and what only the caller gets."""

    request_id: str
    sealed: Sealed
    account: Account
    sealed_at: str
    openings: dict[str, Opening]

    @property
    def proof_hash(self) -> str:
        """`sha256:<64 hex>` of the payload."""
        return "sha256:" + self.sealed.proof_hash.hex()


def make_receipt(run: Finished, known: dict[str, Json], key: SigningKey) -> Receipt:
    """Hash the stages, commit to the texts under fresh salts, and write the canonical record that `key` will sign.

    `known` is what `beginning` gave for the run.
    """
    entropy = random_bytes(NONCE_BYTES + 2 * SALT_BYTES)
    nonce, salts = entropy[:NONCE_BYTES], (entropy[NONCE_BYTES:-SALT_BYTES], entropy[-SALT_BYTES:])
    bodies, listed, head = stage_bodies(run.stages)
    spent, sealed_at = account(run.stages), rfc3339(datetime.now(UTC))
    commits, openings = commitments(run, salts)
    record: dict[str, Json] = {
        **known,
        **ending(run, spent),
        "nonce": b64(nonce),
        "sealed": sealed_at,
        "commit": commits,
        "stages": listed,
        "head": head,
    }
    sealed = seal(run.request_id, record, bodies, key)
    return Receipt(str(record["request_id"]), sealed, spent, sealed_at, openings)


def new_request_id() -> UUID:
    """128 random bits, so that an id cannot be guessed."""
    return UUID(bytes=random_bytes(16))
