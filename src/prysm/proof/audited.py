"""The record of an admin's action, as it is sealed in the log and handed out to whoever audits a gateway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from prysm.proof.canonical import parse
from prysm.proof.defect import Defect
from prysm.proof.document import decoded
from prysm.proof.dsse import digest
from prysm.proof.inclusion import included_at, open_checkpoint
from prysm.proof.leaves import AUDIT, AUDIT_PAYLOAD_TYPE
from prysm.proof.report import quoted
from prysm.proof.strict import to_base64

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.proof.keys import KeyRing

VERSION = "prysmaudit/1"
FIELDS = ("id", "at", "org", "actor", "actor_key", "action", "target", "detail")
"""What a statement says, in the order in which it is shown; `v` and `nonce` stand beside them."""


def event_digest(body: bytes) -> bytes:
    """What the log holds of an event, 32 bytes. The nonce in `body` keeps anybody from guessing the rest by it."""
    return digest(AUDIT_PAYLOAD_TYPE, body)


def told(body: bytes) -> dict[str, Any]:
    """The fields of a statement. Raises `Defect` for bytes that are none."""
    statement = parse(body)
    if not isinstance(statement, dict) or statement.keys() != {"v", "nonce", *FIELDS}:
        raise Defect("it is no statement of an admin's action")
    if statement["v"] != VERSION:
        raise Defect(f"unknown version {quoted(statement['v'])} of the statement; this verifier knows {VERSION}")
    return {name: statement[name] for name in FIELDS}


def event_document(body: bytes, log: dict[str, Any] | None) -> dict[str, Any]:
    """An event as it is handed out: what the statement says, its bytes, and its place in the log."""
    envelope = {"payloadType": AUDIT_PAYLOAD_TYPE, "payload": to_base64(body)}
    return {"object": "audit_event", **told(body), "proof": {"envelope": envelope, "log": log}}


def check_event(document: Mapping[str, Any], ring: KeyRing) -> str:
    """Whether an event is the leaf of the log that it says it is, and tells of itself what its statement tells.

    Return where it stands. Raises `Defect` where that is not so, `Unchecked` for an event that is not in the log yet.
    """
    try:
        envelope, log = document["proof"]["envelope"], document["proof"]["log"]
        kind, payload = envelope["payloadType"], envelope["payload"]
    except (KeyError, TypeError):
        raise Defect("it is no audit event: it has no envelope") from None
    if kind != AUDIT_PAYLOAD_TYPE:
        raise Defect(f"unknown payload type {quoted(kind)}; this verifier knows {AUDIT_PAYLOAD_TYPE}")
    body = decoded(payload, "the payload")
    said = told(body)
    if {name: _exact(document.get(name, ...)) for name in FIELDS} != {name: _exact(said[name]) for name in FIELDS}:
        raise Defect("what stands beside the statement is not what it says")
    seen = open_checkpoint(log, lambda: ring)
    index = included_at(log, seen, AUDIT, event_digest(body))
    return f"leaf {index} of {seen.size} in {seen.origin}"


def _exact(value: object) -> str:
    """A value so that true and 1 differ."""
    return "" if value is ... else json.dumps(value, sort_keys=True)
