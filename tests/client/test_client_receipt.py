"""A receipt is recomputed on this side, whatever the gateway says of it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from tests.scripted_gateway import Sealed
from tests.signed_receipts import LISTED, RECORD, Log, unlogged

from prysm import AsyncPrysm, Prysm
from prysm.client import BadAnswer, GatewayError, GatewayUnreachable, allowance, verify_document
from prysm.proof.canonical import canonical
from prysm.proof.keys import read_keys
from prysm.proof.trust import Remembered, Trust

if TYPE_CHECKING:
    from tests.scripted_gateway import ScriptedGateway

    from prysm.proof.report import Report

RUN = "0b8e7f0c-6b1f-4ef7-9d0a-3f1f5f3d2a11"


def verdicts(report: Report) -> dict[str, bool | None]:
    return {check.name: check.ok for check in report.checks}


@pytest.mark.parametrize("spelling", [RUN, f"prysm-{RUN}", RUN.upper()])
def test_a_receipt_that_holds_is_ok(gateway: ScriptedGateway, receipt: Sealed, spelling: str) -> None:
    receipt.served_by(gateway, spelling)
    with Prysm(base_url=gateway.url) as client:
        report = client.verify_proof(spelling)
    assert report.ok
    assert report.checks[0].detail.endswith("the key came with the receipt: pin it with --keys")
    assert [name for name, ok in verdicts(report).items() if ok] == [
        "signature",
        "proof_hash",
        "record",
        "request_id",
        "entry",
        "stages",
        "inclusion",
    ]


async def test_the_async_client_gives_the_same_report(gateway: ScriptedGateway, receipt: Sealed) -> None:
    receipt.served_by(gateway)
    async with AsyncPrysm(base_url=gateway.url) as client:
        whole = {**receipt.document, "stages": receipt.stages, "keys": receipt.keys}
        assert await client.verify_proof(RUN) == verify_document(whole)


def other_hash(sealed: Sealed) -> None:
    sealed.document["proof"]["proof_hash"] = "sha256:" + "0" * 64


def other_payload(sealed: Sealed) -> None:
    envelope = sealed.document["proof"]["envelope"]
    envelope["payload"] = base64.b64encode(base64.b64decode(envelope["payload"]) + b" ").decode()


def no_base64(sealed: Sealed) -> None:
    sealed.document["proof"]["envelope"]["payload"] = "é"


def other_stage(sealed: Sealed) -> None:
    sealed.stages[1]["body"] = sealed.stages[0]["body"]


def broken_stage(sealed: Sealed) -> None:
    sealed.stages[1]["body"] = None


@pytest.mark.parametrize("tamper", [other_hash, other_payload, no_base64, other_stage, broken_stage])
def test_a_receipt_that_was_changed_is_not_ok(gateway: ScriptedGateway, receipt: Sealed, tamper: Any) -> None:
    tamper(receipt)
    receipt.served_by(gateway)
    with Prysm(base_url=gateway.url) as client:
        assert not client.verify_proof(RUN).ok


def test_a_valid_receipt_of_another_run_proves_nothing(gateway: ScriptedGateway, receipt: Sealed) -> None:
    receipt.served_by(gateway, "another")
    with Prysm(base_url=gateway.url) as client:
        report = client.verify_proof("another")
    assert [name for name, ok in verdicts(report).items() if ok is False] == ["request_id"]


def test_a_stage_that_is_gone_leaves_the_stages_unchecked(gateway: ScriptedGateway, receipt: Sealed) -> None:
    receipt.stages = receipt.stages[:1]
    receipt.served_by(gateway)
    with Prysm(base_url=gateway.url) as client:
        report = client.verify_proof(RUN)
    assert verdicts(report)["stages"] is None
    assert (report.ok, report.failed_level) == (False, None)


def test_a_stage_that_fails_to_come_is_an_error_not_a_verdict(gateway: ScriptedGateway, receipt: Sealed) -> None:
    gateway.says(f"/v1/proof/{RUN}", receipt.document)
    gateway.says(f"/v1/proof/{RUN}/stages/0", {"error": {"message": "busy", "code": "overloaded"}}, 503)
    with Prysm(base_url=gateway.url) as client, pytest.raises(GatewayError, match="busy"):
        client.verify_proof(RUN)


@pytest.mark.parametrize("document", [{}, {"proof": None}, {"proof": {"envelope": {}}}, {"proof": []}])
def test_what_is_no_receipt_is_a_bad_answer(document: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer, match="no receipt"):
        verify_document(document)


def test_a_summary_that_says_otherwise_than_the_payload_is_forged(receipt: Sealed) -> None:
    forged = {
        **receipt.document,
        "entry": {**receipt.document["entry"], "model": "gpt-5"},
        "stages": receipt.stages,
    }
    assert not verify_document(forged).ok
    assert verdicts(verify_document(forged))["entry"] is False


def test_a_gateway_that_publishes_no_keys_leaves_the_signatures_unchecked(
    gateway: ScriptedGateway, receipt: Sealed
) -> None:
    receipt.served_by(gateway)
    gateway.script["/.well-known/prysm-keys.json"].clear()
    with Prysm(base_url=gateway.url) as client:
        report = client.verify_proof(RUN)
        pinned = client.verify_proof(RUN, keys=read_keys(receipt.keys))
    assert (verdicts(report)["signature"], verdicts(report)["inclusion"], report.exit_code) == (None, None, 1)
    assert pinned.ok


def test_a_fresh_receipt_is_waited_for(gateway: ScriptedGateway, receipt: Sealed) -> None:
    receipt.served_by(gateway)
    with Prysm(base_url=gateway.url) as client:
        client.proof_document(RUN)
        client.proof(RUN)
    asked = [each.path for each in gateway.asked]
    assert (asked[0], asked[-1]) == (f"/v1/proof/{RUN}?wait=2", f"/v1/proof/{RUN}")


def remembered(document: dict[str, Any]) -> Trust:
    """What a verifier knows after it has seen this receipt."""
    seen = verify_document(document).seen
    assert seen is not None
    (signer,) = seen.signers
    return Trust({(seen.origin, signer): Remembered(seen.size, seen.root, seen.note)})


async def test_a_log_that_grew_is_asked_to_prove_it(gateway: ScriptedGateway) -> None:
    log = Log()
    trust = remembered(log.document())
    log.grow(6)
    late = log.document()
    sizes = (2, 9)
    where = f"/v1/log/proof/consistency?from=2&to=9&origin={quote(log.origin, safe='')}"
    Sealed(log, late, late.pop("stages"), late.pop("keys")).served_by(gateway)
    gateway.says(where, log.consistency(*sizes))
    with Prysm(base_url=gateway.url) as client:
        report = client.verify_proof(RUN, trust=trust)
    assert (report.ok, verdicts(report)["consistency"]) == (True, True)
    async with AsyncPrysm(base_url=gateway.url) as client:
        assert await client.verify_proof(RUN, trust=trust) == report
    gateway.script[where].clear()
    with Prysm(base_url=gateway.url) as client:
        assert client.verify_proof(RUN, trust=trust, consistency=log.consistency(*sizes)).ok


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"error": {"message": "no", "code": "x"}}),
        (422, {"error": "no"}),
        (500, b"oops"),
        (200, b"null"),
        (200, b"garbage"),
        (200, b"[" * 100_000),
        (200, {}),
        (200, {"origin": "x", "from": 2, "to": 9, "proof": []}),
        (200, {"proof": 7}),
    ],
)
async def test_a_gateway_that_does_not_prove_that_its_log_only_grew_fails_level_4(
    gateway: ScriptedGateway, status: int, body: Any
) -> None:
    log = Log()
    trust = remembered(log.document())
    log.grow(6)
    late = log.document()
    Sealed(log, late, late.pop("stages"), late.pop("keys")).served_by(gateway)
    gateway.says("/v1/log/proof/consistency", body, status)
    with Prysm(base_url=gateway.url) as client:
        report = client.verify_proof(RUN, trust=trust)
    assert (report.exit_code, verdicts(report)["consistency"]) == (14, False)
    async with AsyncPrysm(base_url=gateway.url) as aclient:
        assert await aclient.verify_proof(RUN, trust=trust) == report


async def test_a_gateway_that_goes_on_and_on_is_left(gateway: ScriptedGateway, monkeypatch: Any) -> None:
    monkeypatch.setattr(allowance, "MAX_BYTES", 100_000)
    gateway.says(f"/v1/proof/{RUN}", b'"' + b"x" * 200_000)
    with Prysm(base_url=gateway.url) as client, pytest.raises(BadAnswer, match="sent more than"):
        client.verify_proof(RUN)
    async with AsyncPrysm(base_url=gateway.url) as aclient:
        with pytest.raises(BadAnswer, match="sent more than"):
            await aclient.verify_proof(RUN)


def test_a_gateway_that_takes_for_ever_is_left(
    gateway: ScriptedGateway, receipt: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt.served_by(gateway)
    monkeypatch.setattr(allowance, "DEADLINE_S", 0)
    with Prysm(base_url=gateway.url) as client, pytest.raises(GatewayUnreachable, match="took longer") as raised:
        client.verify_proof(RUN)
    assert raised.value.code == "timeout"


@pytest.mark.parametrize("count", [10_001, 3])
def test_no_more_stages_are_asked_for_than_a_verifier_takes_and_none_after_one_that_is_gone(
    gateway: ScriptedGateway, count: int
) -> None:
    payload = canonical({**RECORD, "stages": [LISTED[0]] * count})
    document = unlogged(payload, (), None)
    gateway.says(f"/v1/proof/{RUN}", document)
    with Prysm(base_url=gateway.url) as client:
        assert not client.verify_proof(RUN).ok
    assert sum("/stages/" in each.path for each in gateway.asked) == (1 if count == 3 else 0)
