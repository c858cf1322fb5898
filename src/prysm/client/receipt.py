"""Check a receipt on this side, from bytes alone."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from prysm.client.errors import BadAnswer
from prysm.proof.entry import entry
from prysm.proof.verify import Check, Report, verify_payload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def verify_document(document: Mapping[str, Any], request_id: str | None = None) -> Report:
    """Recompute the receipt in a proof document, the answer of `GET /v1/proof/{id}`.

    With a list under `stages` (each an answer of `/v1/proof/{id}/stages/{i}`) the stages are checked too.
    `request_id` is the run it must be of; default: the one the document names. Needs no network.
    Raises `BadAnswer` when the document is no proof at all; a defect in a proof is a failed check.
    """
    encoded, claimed = _envelope(document)
    payload = _decoded(encoded)
    if payload is None:
        return Report((Check("payload", ok=False, detail="the payload is not base64"),))
    wanted = plain_id(request_id or str(document.get("request_id")))
    checks = verify_payload(payload, claimed, _bodies(document)).checks
    return Report((*checks, _check_run(payload, wanted), _check_entry(payload, document)))


def plain_id(request_id: str) -> str:
    """The id of a run from either spelling of it."""
    return request_id.strip().removeprefix("prysm-").lower()


def stage_count(document: Mapping[str, Any]) -> int:
    """How many stages the record lists; 0 when it cannot be read, which the verification will say."""
    listed = _record(_decoded(_envelope(document)[0]) or b"").get("stages")
    return len(listed) if isinstance(listed, list) else 0


def _envelope(document: Mapping[str, Any]) -> tuple[str, str]:
    try:
        proof = document["proof"]
        return str(proof["envelope"]["payload"]), str(proof["proof_hash"])
    except (KeyError, TypeError) as error:
        raise BadAnswer("This is no receipt: it has no proof.envelope.payload or no proof.proof_hash.") from error


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _record(payload: bytes) -> Mapping[str, Any]:
    try:
        record = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _bodies(document: Mapping[str, Any]) -> Sequence[bytes] | None:
    stages = document.get("stages")
    if not isinstance(stages, list):
        return None
    # What cannot be decoded becomes no bytes, whose digest matches nothing.
    return [(_decoded(str(stage.get("body"))) if isinstance(stage, dict) else None) or b"" for stage in stages]


def _check_run(payload: bytes, wanted: str) -> Check:
    """A valid receipt of another run proves nothing about this one."""
    named = str(_record(payload).get("request_id"))
    same = named == wanted
    return Check("request_id", ok=same, detail=named if same else f"of the run {named[:80]!r}, not of {wanted}")


def _check_entry(payload: bytes, document: Mapping[str, Any]) -> Check:
    """What is shown beside the payload must be what the payload says."""
    if "entry" not in document:
        return Check("entry", ok=None, detail="the document has no summary")
    same = document["entry"] == entry(payload)
    return Check("entry", ok=same, detail="the summary is the payload's own" if same else "the summary is forged")
