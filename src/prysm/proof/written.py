"""A receipt document as it is handed out: what `document` reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from prysm.proof.entry import entry
from prysm.proof.hashing import PAYLOAD_TYPE, stage_digest
from prysm.proof.strict import to_base64

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.proof.sealed import Sealed


def receipt_document(sealed: Sealed, log: dict[str, Any] | None) -> dict[str, Any]:
    """The document with its stages; `log` is what it says of the receipt's place (`included`), if that is known.

    Where its stages were pruned it says so instead: `stages_pruned`.
    """
    stages = [stage(i, body) for i, body in enumerate(sealed.stages)]
    return {
        "request_id": str(sealed.request_id),
        "entry": entry(sealed.payload),
        "proof": {
            "version": 2,
            "proof_hash": "sha256:" + sealed.proof_hash.hex(),
            "envelope": envelope(sealed),
            "log": log,
        },
    } | ({"stages": stages} if sealed.pruned is None else {"stages_pruned": True})


def included(origin: str, index: int, size: int, path: Sequence[bytes], note: str) -> dict[str, Any]:
    """The place of a receipt in a log: `path` leads from leaf `index` to the root of the checkpoint in `note`."""
    return {
        "state": "included",
        "origin": origin,
        "index": index,
        "size": size,
        "inclusion": [to_base64(node) for node in path],
        "checkpoint": note,
    }


def envelope(sealed: Sealed) -> dict[str, Any]:
    """The DSSE envelope; a receipt from before receipts were signed has no signature in it."""
    signatures = [] if sealed.signature is None else [{"keyid": sealed.kid, "sig": to_base64(sealed.signature)}]
    return {"payloadType": PAYLOAD_TYPE, "payload": to_base64(sealed.payload), "signatures": signatures}


def stage(i: int, body: bytes) -> dict[str, Any]:
    """One stage: its canonical bytes, so that anyone can hash them."""
    return {"i": i, "kind": _kind(body), "digest": stage_digest(body), "body": to_base64(body)}


def _kind(body: bytes) -> Any:
    try:
        return json.loads(body)["kind"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
