"""A record checked by itself, without the log: its hash, its form, and its stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.proof.record import check_hash, check_record, check_stages
from prysm.proof.report import Report

if TYPE_CHECKING:
    from collections.abc import Sequence


def verify_payload(payload: bytes, claimed_hash: str, stages: Sequence[bytes] | None) -> Report:
    """`claimed_hash` is `sha256:<64 hex>`; `stages` their bodies in order, None when they are not at hand."""
    hashed, (shaped, record) = check_hash(payload, claimed_hash), check_record(payload)
    if record is None:
        return Report((hashed, shaped))
    return Report((hashed, shaped, check_stages(record, stages)))
