"""What is written down before a run begins, so that a crash cannot hide it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from prysm.proof.defect import Defect
from prysm.proof.hashing import NONCE_BYTES
from prysm.proof.record import read_record
from prysm.receipt.record import cut_off
from prysm.receipt.seal import seal
from prysm.receipt.spelling import b64, canonical, rfc3339

if TYPE_CHECKING:
    from uuid import UUID

    from prysm.proof.canonical import Json
    from prysm.proof.sealed import Sealed
    from prysm.proof.signing import SigningKey


def intent_of(known: dict[str, Json]) -> bytes:
    """The beginning of a record, as it is written down: without any text of the caller and without a salt."""
    return canonical(known)


def interrupted(request_id: UUID, intent: bytes, key: SigningKey) -> Sealed:
    """The receipt of a run that a crash cut off, from its intent.

    It commits to no text: whoever could have been given the salts is gone. Raises ValueError when the intent is not
    the beginning of that run: nothing is signed then.
    """
    known = orjson.loads(intent)
    if not isinstance(known, dict) or known.get("request_id") != str(request_id):
        raise Defect("the intent is not of this run")
    record = known | cut_off()
    record |= {
        "nonce": b64(os.urandom(NONCE_BYTES)),
        "sealed": rfc3339(datetime.now(UTC)),
        "commit": {"prompt": None, "answer": None},
        "stages": [],
        "head": None,
    }
    read_record(canonical(record))
    return seal(request_id, record, (), key)
