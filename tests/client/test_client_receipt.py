"""A receipt is recomputed on this side, whatever the gateway says of it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from prysm import AsyncPrysm, Prysm
from prysm.client import BadAnswer, GatewayError, verify_document

if TYPE_CHECKING:
    from tests.scripted_gateway import ScriptedGateway, Sealed

    from prysm.proof.verify import Report

RUN = "0b8e7f0c-6b1f-4ef7-9d0a-3f1f5f3d2a11"


def verdicts(report: Report) -> dict[str, bool | None]:
    return {check.name: check.ok for check in report.checks}


@pytest.mark.parametrize("spelling", [RUN, f"prysm-{RUN}", RUN.upper()])
def test_a_receipt_that_holds_is_ok(gateway: ScriptedGateway, receipt: Sealed, spelling: str) -> None:
    receipt.served_by(gateway, spelling)
    with Prysm(base_url=gateway.url) as client:
        report = client.verify_proof(spelling)
    assert report.ok
    assert verdicts(report) | {"signature": None, "inclusion": None} == verdicts(report)
    assert [name for name, ok in verdicts(report).items() if ok] == [
        "proof_hash",
        "record",
        "stages",
        "request_id",
        "entry",
    ]


async def test_the_async_client_gives_the_same_report(gateway: ScriptedGateway, receipt: Sealed) -> None:
    receipt.served_by(gateway)
    async with AsyncPrysm(base_url=gateway.url) as client:
        assert await client.verify_proof(RUN) == verify_document({**receipt.document, "stages": receipt.stages})


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
    assert report.ok


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
