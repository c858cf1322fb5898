from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import pytest
from tests.api.wire import completion, error

from prysm.client import Prysm
from prysm.proof import checkpoint, tlog_proof
from prysm.proof.hashing import stage_digest
from prysm.proof.keys import read_keys
from prysm.proof.merkle import verify_consistency
from prysm.proof.verify import verify_document, verify_opening

if TYPE_CHECKING:
    from tests.providers.upstream import Upstream
    from tests.serving import Served


@pytest.fixture
def request_id(sandbox: Served) -> str:
    answer: dict[str, Any] = sandbox.orchestrate(strategy="self_consistency", samples=3).json()
    return str(answer["prysm"]["request_id"])


@pytest.mark.parametrize("prefix", ["", "prysm-"])
def test_a_receipt_is_read_and_checked_without_a_key(sandbox: Served, request_id: str, prefix: str) -> None:
    found = httpx.get(f"{sandbox.url}/v1/proof/{prefix}{request_id}?wait=10").json()
    assert found["verified"] is True
    assert found["request_id"] == request_id
    assert found["entry"] == found["entry"] | {
        "strategy": "self_consistency",
        "policy": "balanced",
        "outcome": "ok",
        "simulated": True,
        "model": "sandbox-small",
        "provider": "sandbox",
    }
    names = ("signature", "proof_hash", "record", "request_id", "entry", "stages", "inclusion")
    assert {check["name"]: check["ok"] for check in found["checks"]} == dict.fromkeys(names, True)


def test_what_is_read_verifies_offline_and_as_a_tlog_proof(sandbox: Served, request_id: str) -> None:
    url = f"/v1/proof/{request_id}"
    found = sandbox.http.get(f"{url}?wait=10").json()
    count = len(json.loads(base64.b64decode(found["proof"]["envelope"]["payload"]))["stages"])
    stages = [sandbox.http.get(f"{url}/stages/{i}").json() for i in range(count)]
    keys = sandbox.http.get("/.well-known/prysm-keys.json").json()
    document = found | {"stages": stages}
    assert verify_document(document, request_id, keys=read_keys(keys)).ok
    judged = httpx.post(f"{sandbox.url}/v1/proof/verify", json=document).json()
    assert (judged["ok"], judged["keys_from"]) == (True, "gateway")
    text = tlog_proof.parse(sandbox.http.get(url, headers={"accept": "text/plain"}).text)
    assert text.index == found["proof"]["log"]["index"]


def test_the_log_grows_and_proves_that_it_only_grew(sandbox: Served, request_id: str) -> None:
    seen = []
    for run in (request_id, sandbox.chat("sandbox-small").json()["prysm"]["request_id"]):
        log = sandbox.http.get(f"/v1/proof/{run}?wait=10").json()["proof"]["log"]
        assert log["size"] > log["index"]
        seen.append(checkpoint.parse(log["checkpoint"].partition("\n\n")[0] + "\n"))
    old, new = seen
    grown = {"from": old.size, "to": new.size}
    proof = sandbox.http.get("/v1/log/proof/consistency", params=grown).json()["proof"]
    path = [base64.b64decode(node) for node in proof]
    verify_consistency(old.size, new.size, old.root, new.root, path)


def test_of_a_receipt_that_was_deleted_the_leaf_is_left(sandbox: Served, request_id: str) -> None:
    log = sandbox.http.get(f"/v1/proof/{request_id}?wait=10").json()["proof"]["log"]
    asyncio.run(_as_superuser(sandbox.database_url, "DELETE FROM receipt WHERE request_id = $1", request_id))
    for path in ("", "/stages/0"):
        response = httpx.get(f"{sandbox.url}/v1/proof/{request_id}{path}")
        assert error(response) == (410, "proof_deleted")
        assert response.json()["index"] == log["index"]
    tile, inside = divmod(log["index"], 256)
    width = min(256, log["size"] - 256 * tile)
    part = "" if width == 256 else f".p/{width}"
    hashes = httpx.get(f"{sandbox.url}/v1/log/tile/0/{tile:03}{part}").content
    assert base64.b64decode(response.json()["leaf"]) == hashes[32 * inside :][:32]


def test_the_hash_is_that_of_the_payload_and_the_payload_has_the_digest_of_every_stage(
    sandbox: Served, request_id: str
) -> None:
    proof = sandbox.proof(request_id)["proof"]
    payload = base64.b64decode(proof["envelope"]["payload"])
    assert proof["proof_hash"] == "sha256:" + hashlib.sha256(payload).hexdigest()
    for i, listed in enumerate(json.loads(payload)["stages"]):
        stage = sandbox.http.get(f"/v1/proof/{request_id}/stages/{i}").json()
        assert stage["digest"] == listed["digest"]
        assert stage["kind"] == listed["kind"]
        assert stage["digest"] == stage_digest(base64.b64decode(stage["body"]))


def test_the_caller_can_open_what_the_receipt_commits_to(sandbox: Served) -> None:
    answer = sandbox.chat("sandbox-small").json()
    envelope = sandbox.proof(answer["prysm"]["request_id"])["proof"]["envelope"]
    payload, opening = base64.b64decode(envelope["payload"]), answer["prysm"]["openings"]["answer"]
    text = answer["choices"][0]["message"]["content"].encode()
    assert verify_opening(payload, "answer", opening, text).ok
    assert verify_opening(payload, "answer", opening, text + b".").ok is False


def test_a_receipt_holds_neither_text_nor_opening(sandbox: Served) -> None:
    answer = sandbox.chat("sandbox-small", "the canary 5b1f").json()
    found = sandbox.proof(answer["prysm"]["request_id"])
    whole = json.dumps(found) + base64.b64decode(found["proof"]["envelope"]["payload"]).decode()
    assert "canary" not in whole
    assert answer["prysm"]["openings"]["prompt"]["salt"] not in whole


def test_a_failed_run_has_a_receipt_too(scripted: Served, left: Upstream) -> None:
    left.plays(completion("", status="500 Internal Server Error"))
    response = scripted.chat("left")
    found = scripted.http.get(response.headers["x-prysm-proof-url"]).json()
    assert (found["verified"], found["entry"]["outcome"], found["entry"]["model"]) == (True, "failed", None)


TAMPERING = {
    "a byte more": ("UPDATE receipt SET payload = payload || ' ' WHERE request_id = $1", "proof_hash"),
    "no signature": ("UPDATE receipt SET kid = NULL, signature = NULL WHERE request_id = $1", "signature"),
    "another signature": ("UPDATE receipt SET signature = sha512('') WHERE request_id = $1", "signature"),
    "no payload": ("UPDATE receipt SET payload = '' WHERE request_id = $1", "record"),
    "another hash": ("UPDATE receipt SET proof_hash = sha256('') WHERE request_id = $1", "proof_hash"),
    "another model": (
        "UPDATE stage SET body = replace(body::text, '6d', '6e')::bytea WHERE request_id = $1",
        "stages",
    ),
    "another order": ("UPDATE stage SET i = i + 9 WHERE i = 0 AND request_id = $1", "stages"),
    "a stage less": ("DELETE FROM stage WHERE i = 0 AND request_id = $1", "stages"),
}


@pytest.mark.parametrize(("statement", "check"), TAMPERING.values(), ids=TAMPERING.keys())
def test_what_was_changed_in_the_database_shows(
    sandbox: Served, request_id: str, statement: str, check: str
) -> None:
    asyncio.run(_as_superuser(sandbox.database_url, statement, request_id))
    found = sandbox.proof(request_id)
    assert found["verified"] is False
    assert check in {item["name"] for item in found["checks"] if item["ok"] is False}


@pytest.mark.parametrize(
    "garbage",
    [
        "x",
        "prysm-",
        "0" * 35,
        "0" * 37,
        "00000000-0000-0000-0000-000000000000",
        "{00000000-0000-0000-0000-00000000000}",
        "%00",
        "%ED%A0%80",
        "..%2F..%2Fetc",
        "a" * 5000,
    ],
)
def test_an_id_that_names_no_receipt_is_not_found(sandbox: Served, garbage: str) -> None:
    response = httpx.get(f"{sandbox.url}/v1/proof/{garbage}")
    assert response.status_code in {404, 401}  # an encoded slash makes it another, unknown address
    if response.status_code == 404:
        assert error(response) == (404, "proof_not_found")


@pytest.mark.parametrize(
    ("i", "status", "code"),
    [
        ("99", 404, "proof_not_found"),
        ("-1", 404, "proof_not_found"),
        ("9" * 30, 404, "proof_not_found"),
        ("one", 422, "invalid_request"),
    ],
)
def test_a_stage_that_is_not_there_is_not_found(
    sandbox: Served, request_id: str, i: str, status: int, code: str
) -> None:
    assert error(httpx.get(f"{sandbox.url}/v1/proof/{request_id}/stages/{i}")) == (status, code)


def test_a_receipt_whose_stages_were_pruned_is_verified_and_says_so(sandbox: Served, request_id: str) -> None:
    for statement in (
        "UPDATE receipt SET sealed_at = '2024-06-01Z' WHERE request_id = $1",
        "DELETE FROM stage WHERE request_id = $1",
        "INSERT INTO pruned SELECT 'stage', '2025-01-01Z' WHERE $1::uuid IS NOT NULL",
    ):
        asyncio.run(_as_superuser(sandbox.database_url, statement, request_id))
    found = sandbox.http.get(f"/v1/proof/{request_id}?wait=10").json()
    stages = next(check for check in found["checks"] if check["name"] == "stages")
    assert (found["verified"], stages["ok"], stages["detail"]) == (True, None, "the stages were pruned")
    answer = httpx.get(f"{sandbox.url}/v1/proof/{request_id}/stages/0")
    assert error(answer) == (404, "proof_not_found")
    assert "all runs before 2025-01-01" in answer.json()["error"]["message"]
    with Prysm("unused", sandbox.url) as client:
        report = client.verify_proof(request_id)
    assert (report.ok, report.failed_level, report.exit_code) == (False, None, 1)


def test_an_address_with_a_slash_more_is_not_there(sandbox: Served, request_id: str) -> None:
    assert error(httpx.get(f"{sandbox.url}/v1/proof/{request_id}/")) == (404, "not_found")


@pytest.mark.parametrize("path", ["/v1/log/checkpoint", "/v1/log/tile/0/000.p/1", "/.well-known/prysm-keys.json"])
def test_what_is_asked_of_the_log_by_head_is_as_by_get_without_a_body(sandbox: Served, path: str) -> None:
    got, asked = httpx.get(sandbox.url + path), httpx.head(sandbox.url + path)
    assert (asked.status_code, asked.content) == (200, b"")
    for name in ("content-type", "cache-control"):
        assert asked.headers[name] == got.headers[name]
    assert httpx.head(f"{sandbox.url}/v1/log/tile/0/999").status_code == 404


async def _as_superuser(url: str, statement: str, request_id: str) -> None:
    """Do what the append-only trigger would refuse."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            done = await connection.execute(statement, request_id)
            assert not done.endswith(" 0"), "the tampering must touch something"
    finally:
        await connection.close()
