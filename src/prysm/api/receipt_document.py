"""A receipt as it is handed out: the document with a check of it made now, and the text form of its proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from prysm.errors import NotFound, ProofUnavailable
from prysm.proof import tlog_proof
from prysm.proof.report import INCLUSION, NEEDED
from prysm.proof.strict import to_base64
from prysm.proof.verify import verify_document
from prysm.proof.written import envelope, receipt_document

if TYPE_CHECKING:
    from prysm.api.services import KeysDocument, Place
    from prysm.proof.sealed import Sealed


def document(sealed: Sealed, place: Place | None, keys: KeysDocument) -> dict[str, Any]:
    """The answer of `GET /v1/proof/{id}`.

    `verified`: signature and stages hold, unless these were pruned, so does inclusion once the log has the receipt,
    and nothing failed.
    """
    whole = receipt_document(sealed, log_of(place))
    report = verify_document(whole | {"keys": keys})
    # What is beyond inclusion takes something that only the reader has: a memory, witnesses, the openings.
    checks = [check for check in report.checks if check.level <= INCLUSION]
    needed = NEEDED if place is not None and place.state == "included" else NEEDED - {"inclusion"}
    if sealed.pruned is not None:
        needed -= {"stages"}
    verified = report.failed_level is None and needed <= {check.name for check in checks if check.ok}
    listed = [
        {"name": check.name, "ok": check.ok, "level": check.level, "detail": check.detail} for check in checks
    ]
    whole.pop("stages", None)  # they have a route of their own
    return {"verified": verified, "checks": listed} | whole


def text(sealed: Sealed, place: Place | None) -> str:
    """The proof of the receipt's place in the log (c2sp.org/tlog-proof), with its envelope as the extra data.

    Raises `NotFound` for a receipt from before there was a log, and `ProofUnavailable` while it is pending.
    """
    if place is None:
        raise NotFound("This receipt is from before there was a log: ask for it as JSON.", code="proof_not_found")
    if place.index is None or place.inclusion is None or place.note is None:
        pending = ProofUnavailable("The log has not taken this receipt up yet: ask again in a second.")
        pending.spent, pending.retry_after_s = False, 1
        raise pending
    return tlog_proof.write(place.index, place.inclusion, place.note, orjson.dumps(envelope(sealed)))


def log_of(place: Place | None) -> dict[str, Any] | None:
    """What is told of a place in the log."""
    if place is None:
        return None
    path = place.inclusion
    return {
        "state": place.state,
        "origin": place.origin,
        "index": place.index,
        "size": place.size,
        "inclusion": None if path is None else [to_base64(node) for node in path],
        "checkpoint": place.note,
    }
