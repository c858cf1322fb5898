"""Receipts over HTTP as they get into the log, stay there, and are deleted."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from tests.api.told_log import Stands, place_of, sealed_of, told
from tests.api.wire import error
from tests.proof import made, runs

from prysm.proof import checkpoint, tlog_proof
from prysm.proof.merkle import leaf_hash, verify_inclusion
from prysm.proof.verify import verify_document

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.api.told_log import Told

CASE = made.sealed(*runs.ensemble())
DOCUMENT = CASE["document"]
ENTRY = made.entry(made.RECEIPT, made.PAYLOAD_TYPE, sealed_of(DOCUMENT).payload)
TEXT = {"accept": "text/plain"}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Told]:
    async with told(tmp_path, made.log_entries(ENTRY)) as served:
        yield served


def checks(found: dict[str, Any]) -> dict[str, bool | None]:
    return {check["name"]: check["ok"] for check in found["checks"]}


async def test_a_receipt_comes_with_its_place_in_the_log_and_verifies_offline(gateway: Told) -> None:
    url = f"/v1/proof/{gateway.keep(CASE)}"
    found = (await gateway.http.get(url)).json()
    assert found["verified"] is True
    assert set(checks(found).values()) == {True}
    assert found["proof"] == DOCUMENT["proof"]
    stages = [(await gateway.http.get(f"{url}/stages/{i}")).json() for i in range(5)]
    keys = (await gateway.http.get("/.well-known/prysm-keys.json")).json()
    assert verify_document(found | {"stages": stages, "keys": keys}).ok


async def test_a_receipt_that_the_log_has_not_taken_up_is_pending_and_verified_as_far_as_it_goes(
    gateway: Told,
) -> None:
    found = (await gateway.http.get(f"/v1/proof/{gateway.keep(CASE, Stands())}")).json()
    nothing = {"index": None, "size": None, "inclusion": None, "checkpoint": None}
    assert found["proof"]["log"] == {"state": "pending", "origin": made.ORIGIN} | nothing
    assert (found["verified"], checks(found)["inclusion"]) == (True, None)


async def test_who_waits_gets_the_receipt_as_soon_as_it_is_in_the_log(gateway: Told) -> None:
    id_ = gateway.keep(CASE, Stands(), Stands(), place_of(DOCUMENT))
    began = time.monotonic()
    found = (await gateway.http.get(f"/v1/proof/{id_}?wait=10")).json()
    assert found["proof"]["log"]["state"] == "included"
    assert gateway.log.looks == 3
    assert time.monotonic() - began < 5


async def test_a_wait_ends(gateway: Told) -> None:
    id_ = gateway.keep(CASE, Stands())
    began = time.monotonic()
    assert (await gateway.http.get(f"/v1/proof/{id_}?wait=0.15")).json()["proof"]["log"]["state"] == "pending"
    assert 0.15 <= time.monotonic() - began < 5


async def test_there_is_room_for_so_many_who_wait_and_others_are_answered_at_once(gateway: Told) -> None:
    id_ = gateway.keep(CASE, Stands())
    for _ in range(64):
        await gateway.services.waiting.acquire()
    async with asyncio.timeout(5):
        assert (await gateway.http.get(f"/v1/proof/{id_}?wait=10")).status_code == 200
    assert gateway.log.looks == 1


@pytest.mark.parametrize("wait", ["-1", "10.1", "nan", "inf", "x", ""])
async def test_a_wait_that_cannot_be_is_refused(gateway: Told, wait: str) -> None:
    id_ = gateway.keep(CASE)
    assert error(await gateway.http.get(f"/v1/proof/{id_}?wait={wait}")) == (422, "invalid_request")


async def test_as_text_it_is_a_tlog_proof_that_verifies_alone(gateway: Told) -> None:
    response = await gateway.http.get(f"/v1/proof/{gateway.keep(CASE)}", headers=TEXT)
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["vary"] == "accept"
    proof = tlog_proof.parse(response.text)
    envelope = json.loads(proof.extra or b"")
    payload = base64.b64decode(envelope["payload"])
    made.NEW_KEY.private.public_key().verify(
        base64.b64decode(envelope["signatures"][0]["sig"]), made.pae(envelope["payloadType"], payload)
    )
    leaf = leaf_hash(made.entry(made.RECEIPT, envelope["payloadType"], payload))
    seen = checkpoint.opened(proof.note, made.ORIGIN, [made.LOG_KEY.public])
    verify_inclusion(proof.index, seen.size, leaf, proof.path, seen.root)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/plain", "text/plain; charset=utf-8"),
        ("Text/Plain;q=0.5 , text/html", "text/plain; charset=utf-8"),
        ("text/plain, application/json", "application/json"),
        ("*/*", "application/json"),
        ("", "application/json"),
        (",;,;q=" + "x" * 1000, "application/json"),
    ],
)
async def test_json_is_told_unless_text_alone_is_asked_for(gateway: Told, accept: str, kind: str) -> None:
    response = await gateway.http.get(f"/v1/proof/{gateway.keep(CASE)}", headers={"accept": accept})
    assert (response.status_code, response.headers["content-type"]) == (200, kind)


async def test_text_that_is_asked_for_too_early_is_to_be_asked_for_again(gateway: Told) -> None:
    response = await gateway.http.get(f"/v1/proof/{gateway.keep(CASE, Stands())}", headers=TEXT)
    assert error(response) == (503, "proof_unavailable")
    assert response.headers["retry-after"] == "1"
    assert "x-should-retry" not in response.headers


async def test_a_receipt_from_before_there_was_a_log_says_so(gateway: Told) -> None:
    id_ = gateway.keep(CASE)
    gateway.log.places.clear()
    held = gateway.receipts.held
    held[UUID(id_)] = replace(held[UUID(id_)], kid=None, signature=None)
    found = (await gateway.http.get(f"/v1/proof/{id_}")).json()
    assert (found["proof"]["log"], found["proof"]["envelope"]["signatures"]) == (None, [])
    assert found["verified"] is False
    assert checks(found) == checks(found) | {"signature": None, "inclusion": None, "stages": True}
    assert error(await gateway.http.get(f"/v1/proof/{id_}", headers=TEXT)) == (404, "proof_not_found")


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        ({"kid": None, "signature": None}, "signature"),
        ({"signature": b"\x00" * 64}, "signature"),
        ({"kid": made.STRANGER.kid}, "signature"),
        ({"kid": made.LOG_KEY.kid}, "signature"),
        ({"kid": made.OLD_KEY.kid}, "signature"),
        ({"stages": ()}, "stages"),
        ({"payload": b"{}"}, "record"),
        ({"proof_hash": b"\x00" * 32}, "proof_hash"),
        ({"request_id": UUID(int=1)}, "request_id"),
    ],
)
async def test_a_receipt_that_was_changed_is_not_verified(
    gateway: Told, broken: dict[str, Any], check: str
) -> None:
    id_ = gateway.keep(CASE)
    held = gateway.receipts.held
    held[UUID(id_)] = replace(held[UUID(id_)], **broken)
    found = (await gateway.http.get(f"/v1/proof/{id_}")).json()
    assert (found["verified"], checks(found)[check]) == (False, False)


@pytest.mark.parametrize(
    "broken", [{"index": 3}, {"size": 99}, {"inclusion": ()}, {"origin": "prysm/other"}, {"note": "?"}]
)
async def test_a_place_in_the_log_that_was_changed_is_not_verified(gateway: Told, broken: dict[str, Any]) -> None:
    id_ = gateway.keep(CASE, replace(place_of(DOCUMENT), **broken))
    found = (await gateway.http.get(f"/v1/proof/{id_}")).json()
    assert (found["verified"], checks(found)["inclusion"]) == (False, False)


@pytest.mark.parametrize("path", ["", "/stages/0"])
async def test_of_a_deleted_receipt_index_and_leaf_are_left(gateway: Told, path: str) -> None:
    id_ = gateway.keep(CASE, Stands("deleted", index=made.INDEX))
    gateway.receipts.held.clear()
    response = await gateway.http.get(f"/v1/proof/{id_}{path}")
    assert error(response) == (410, "proof_deleted")
    assert response.json()["index"] == made.INDEX
    assert base64.b64decode(response.json()["leaf"]) == leaf_hash(ENTRY)


async def test_of_a_receipt_that_was_deleted_before_it_was_logged_nothing_is_left(gateway: Told) -> None:
    id_ = gateway.keep(CASE, Stands("deleted"))
    gateway.receipts.held.clear()
    response = await gateway.http.get(f"/v1/proof/{id_}")
    assert error(response) == (410, "proof_deleted")
    assert (response.json()["index"], response.json()["leaf"]) == (None, None)


async def test_a_receipt_that_never_was_is_not_found(gateway: Told) -> None:
    for path in ("", "/stages/0"):
        assert error(await gateway.http.get(f"/v1/proof/{UUID(int=7)}{path}")) == (404, "proof_not_found")
