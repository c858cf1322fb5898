"""An audit event is checked against the log with nothing but the document and pinned keys."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.proof import made

from prysm.proof.audited import check_event, event_digest, event_document
from prysm.proof.canonical import canonical
from prysm.proof.defect import Defect
from prysm.proof.keys import KeyRing, read_keys
from prysm.proof.report import Unchecked

STATEMENT: dict[str, Any] = {
    "v": "prysmaudit/1",
    "id": "0b8e7f0c-6b1f-4ef7-9d0a-3f1f5f3d2a11",
    "at": "2026-11-20T15:22:22.123456Z",
    "org": None,
    "actor": "root",
    "actor_key": None,
    "action": "key.create",
    "target": "a key",
    "detail": {"rpm": 1},
    "nonce": made.b64(made.drawn("nonce")),
}
BODY = canonical(STATEMENT)
RING = KeyRing(read_keys({"keys": [key.listed(made.ORIGIN) for key in made.KEYS]}), pinned=True)


def document(body: bytes = BODY, kind: int = 4) -> dict[str, Any]:
    """An event at its place in a log that is made without a line of the code under test."""
    entries = made.log_entries(made.entry(kind, "application/vnd.prysm.audit.v1+json", body))
    whole: dict[str, Any] = json.loads(json.dumps(event_document(BODY, made.included(entries))))
    return whole


def test_an_event_in_the_log_is_good() -> None:
    assert check_event(document(), RING) == f"leaf {made.INDEX} of {made.SIZE} in {made.ORIGIN}"


def test_the_digest_is_that_of_the_encoding_in_the_specification() -> None:
    assert made.entry(4, "application/vnd.prysm.audit.v1+json", BODY)[-32:] == event_digest(BODY)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"target": "another key"}, "beside the statement"),
        ({"detail": {"rpm": True}}, "beside the statement"),
        ({"org": False}, "beside the statement"),
        ({"proof": None}, "no envelope"),
    ],
)
def test_what_does_not_fit_the_statement_is_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(Defect, match=why):
        check_event(document() | change, RING)


@pytest.mark.parametrize(
    "body", [BODY + b" ", canonical(STATEMENT | {"x": 1}), canonical(STATEMENT | {"v": "2"}), b"[]"]
)
def test_a_statement_of_another_form_is_refused(body: bytes) -> None:
    told = document()
    told["proof"]["envelope"]["payload"] = made.b64(body)
    with pytest.raises(Defect):
        check_event(told, RING)


def test_a_receipt_is_no_event_though_it_has_the_same_digest() -> None:
    with pytest.raises(Defect, match="root"):
        check_event(document(kind=1), RING)


def test_another_statement_is_not_the_leaf() -> None:
    with pytest.raises(Defect, match="root"):
        check_event(document(canonical(STATEMENT | {"target": "another"})), RING)


def test_a_log_of_unknown_keys_proves_nothing() -> None:
    with pytest.raises(Defect, match="cannot be trusted"):
        check_event(document(), KeyRing((), pinned=True))


def test_an_event_that_waits_for_the_log_is_not_proved() -> None:
    told = document()
    told["proof"]["log"] |= {"state": "pending"}
    with pytest.raises(Unchecked):
        check_event(told, RING)
