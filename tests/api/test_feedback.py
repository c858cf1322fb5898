"""Feedback over HTTP, and what routing makes of it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from tests.api.holder import Holder, holder, made, tenant
from tests.api.wire import error
from tests.serving import SANDBOX, served

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving import Served

REQUEST = "Write a function that reverses a list."
LOST = "pg_terminate_backend(pg_backend_pid())"


def say(gateway: Served, **body: Any) -> httpx.Response:
    return gateway.http.post("/v1/feedback", json=body)


@pytest.fixture
def run(sandbox: Served) -> str:
    """An answer that can be judged."""
    return str(sandbox.chat("sandbox-small").json()["prysm"]["request_id"])


@pytest.mark.parametrize("prefix", ["", "prysm-"])
def test_feedback_is_kept_and_a_second_word_replaces_the_first(sandbox: Served, run: str, prefix: str) -> None:
    kept = {"object": "feedback", "request_id": run, "score": 1.0, "replaced": False, "comment_stored": False}
    assert say(sandbox, request_id=prefix + run, correct=True).json() == kept
    again = say(sandbox, request_id=run, score=0.25, comment="a canary")
    assert again.json() == kept | {"score": 0.25, "replaced": True}


def test_a_comment_is_stored_nowhere(sandbox: Served, run: str) -> None:
    say(sandbox, request_id=run, score=0, comment="a canary")
    said = sandbox.http.get("/v1/feedback").text
    assert run in said
    assert "canary" not in said


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"score": 0.5, "correct": True},
        {"score": 1.01},
        {"score": -0.01},
        {"score": "1"},
        {"score": True},
        {"correct": 1},
        {"score": None, "correct": None},
        {"correct": True, "comment": 1},
        {"correct": True, "rating": 5},
        {"correct": True, "request_id": None},
        {"correct": True, "request_id": 7},
    ],
)
def test_a_judgement_that_is_not_one_is_refused(sandbox: Served, run: str, wrong: dict[str, Any]) -> None:
    status, code = error(say(sandbox, **({"request_id": run} | wrong)))
    assert (status, code) == (422, "unsupported_parameter" if "rating" in wrong else "invalid_request")


@pytest.mark.parametrize("unknown", [str(UUID(int=1)), "", "prysm-", "x" * 10_000, "\x00", "\u202e"])
def test_a_run_nobody_knows_is_not_found(sandbox: Served, unknown: str) -> None:
    assert error(say(sandbox, request_id=unknown, correct=True)) == (404, "proof_not_found")


def test_feedback_needs_a_key(sandbox: Served, run: str) -> None:
    url = f"{sandbox.url}/v1/feedback"
    assert error(httpx.post(url, json={"request_id": run, "correct": True})) == (401, "invalid_api_key")
    assert error(httpx.get(url)) == (401, "invalid_api_key")


def test_what_was_said_is_listed_page_by_page_with_what_the_receipts_say(sandbox: Served, run: str) -> None:
    voted = sandbox.orchestrate(strategy="self_consistency", samples=3).json()["prysm"]
    for request_id in (run, voted["request_id"]):
        say(sandbox, request_id=request_id, correct=True)
    first = sandbox.http.get("/v1/feedback?limit=1").json()
    second = sandbox.http.get(f"/v1/feedback?limit=1&after={first['data'][0]['id']}").json()
    assert (first["object"], first["has_more"]) == ("list", True)
    newest, before = first["data"][0], second["data"][0]
    assert newest == newest | {
        "request_id": voted["request_id"],
        "score": 1.0,
        "strategy": "self_consistency",
        "simulated": True,
        "confidence": pytest.approx(voted["orchestration"]["confidence"], abs=0.001),
        "agreement": pytest.approx(voted["orchestration"]["agreement"], abs=0.001),
    }
    assert (before["request_id"], before["model"], before["strategy"]) == (run, "sandbox-small", "single")


def asked_by(who: Holder) -> str:
    """An answer to whoever asks."""
    chat = {"model": "sandbox-small", "messages": [{"role": "user", "content": "Hi"}]}
    return str(who.post("/v1/chat/completions", chat).json()["prysm"]["request_id"])


def judge(who: Holder, request_id: str, score: float) -> httpx.Response:
    return who.post("/v1/feedback", {"request_id": request_id, "score": score})


def listed(who: Holder) -> dict[str, float]:
    return {one["request_id"]: one["score"] for one in who.get("/v1/feedback").json()["data"]}


def test_a_key_sees_what_was_said_of_its_runs_and_what_it_said_an_admin_what_its_organisation_did(
    sandbox: Served,
) -> None:
    org, admin = tenant(sandbox)
    one, other, reader = (
        Holder(sandbox.url, made(sandbox, admin, role=role)["key"]) for role in ("member", "member", "reader")
    )
    of_one, of_other, third = asked_by(one), asked_by(other), asked_by(other)
    assert judge(one, of_one, 1).status_code == 200
    assert judge(other, of_other, 0).status_code == 200
    assert judge(one, third, 0.5).status_code == 200  # who was told the id may judge it
    assert listed(one) == {of_one: 1, third: 0.5}
    assert listed(other) == {of_other: 0, third: 0.5}
    assert listed(reader) == {}
    assert listed(admin) == {of_one: 1, of_other: 0, third: 0.5}
    assert org not in one.get("/v1/feedback").text


def test_a_judgement_is_replaced_by_who_gave_it_or_an_admin_and_by_no_other(sandbox: Served) -> None:
    _, admin = tenant(sandbox)
    one, other = (Holder(sandbox.url, made(sandbox, admin)["key"]) for _ in range(2))
    run = asked_by(one)
    assert judge(other, run, 1).json()["replaced"] is False
    refused = judge(one, run, 0)
    assert error(refused) == (403, "forbidden")
    assert "admin" in refused.text
    assert listed(admin) == {run: 1}
    assert judge(other, run, 0.75).json()["replaced"] is True
    assert judge(admin, run, 0.5).json()["replaced"] is True
    assert error(judge(other, run, 1)) == (403, "forbidden")
    root = say(sandbox, request_id=run, score=0.25)
    assert (root.status_code, root.json()["replaced"]) == (200, True)
    assert listed(admin) == {run: 0.25}


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "after=0", f"after={2**63}", "after=x"])
def test_a_page_that_cannot_be_is_refused(sandbox: Served, query: str) -> None:
    assert error(sandbox.http.get(f"/v1/feedback?{query}")) == (422, "invalid_request")


def test_routing_follows_what_was_learnt_and_the_prior_stays_visible(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prysm.upkeep.LEARN_EVERY_S", 0.02)
    with served(tmp_path, SANDBOX, database_url) as gateway:
        assert routed(gateway) == "sandbox-strong"
        for _ in range(20):
            judged(gateway, "sandbox-strong", correct=False)
        strong = shown(gateway, "sandbox-strong", 20)
        assert strong["quality"] == {"default": 0.95}
        assert strong["learnt"] == {"code": {"quality": 0.475, "n": 20}}
        assert strong in gateway.http.get("/v1/models").json()["data"]
        assert routed(gateway) == "sandbox-mid"


def test_what_was_learnt_outlives_a_restart_and_a_database_that_goes_away(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prysm.upkeep.LEARN_EVERY_S", 0.02)
    with served(tmp_path, SANDBOX, database_url) as gateway:
        judged(gateway, "sandbox-mid")
    with served(tmp_path, SANDBOX, database_url) as gateway:
        learnt = shown(gateway, "sandbox-mid", 1)
        with monkeypatch.context() as away:
            away.setattr("prysm.store.feedback.NEWEST", "SELECT $1::bigint, $2::int, $3::uuid, $4::uuid, " + LOST)
            away.setattr("prysm.store.feedback.PATIENCE_S", 0.01)
            assert error(gateway.http.get("/v1/feedback")) == (503, "proof_unavailable")
            time.sleep(0.1)  # long enough to look for new figures and find none
            assert shown(gateway, "sandbox-mid", 1) == learnt
        judged(gateway, "sandbox-mid")
        assert shown(gateway, "sandbox-mid", 2) != learnt


def test_a_run_whose_usage_was_pruned_is_not_said_to_have_no_receipt(sandbox: Served) -> None:
    member = holder(sandbox)
    run = member.post(
        "/v1/chat/completions", {"model": "sandbox-small", "messages": [{"role": "user", "content": "Hi"}]}
    )

    async def pruned() -> None:
        connection = await asyncpg.connect(sandbox.database_url)
        await connection.execute("DELETE FROM usage WHERE request_id = $1", UUID(run.headers["x-request-id"]))
        await connection.close()

    asyncio.run(pruned())
    said = {"request_id": run.headers["x-request-id"], "correct": True}
    refused = member.post("/v1/feedback", said)
    assert error(refused) == (404, "proof_not_found")
    assert "no run under this id whose usage is still kept" in refused.json()["error"]["message"]
    assert say(sandbox, **said).status_code == 200


def judged(gateway: Served, model: str, *, correct: bool = True) -> None:
    """Have a model answer, and judge it."""
    run = gateway.chat(model, REQUEST).json()["prysm"]["request_id"]
    assert say(gateway, request_id=run, correct=correct).status_code == 200


def shown(gateway: Served, model: str, n: int, within_s: float = 10.0) -> dict[str, Any]:
    """The model as it is listed once it has learnt from `n` judgements."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found: dict[str, Any] = gateway.http.get(f"/v1/models/{model}").json()
        if any(learnt["n"] == n for learnt in found["learnt"].values()):
            return found
        time.sleep(0.02)
    pytest.fail(f"{model} has not learnt from {n} judgements")


def routed(gateway: Served) -> str:
    body = {"prompt": REQUEST, "routing_mode": "quality"}
    return str(gateway.http.post("/v1/route", json=body).json()["routing"]["model"])
