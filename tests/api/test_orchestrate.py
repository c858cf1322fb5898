from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.api.wire import chunks, completion, error

from prysm.core.plan import STRATEGIES

if TYPE_CHECKING:
    from tests.providers.upstream import Upstream
    from tests.serving import Served

BLOCK = {
    "policy",
    "strategy",
    "reason",
    "forced",
    "models_used",
    "confidence",
    "agreement",
    "confidence_method",
    "bar",
    "bar_cleared",
    "degraded",
    "clusters",
}
STAGE = {
    "i",
    "kind",
    "model",
    "provider",
    "status",
    "started_ms",
    "ended_ms",
    "tokens_in",
    "tokens_out",
    "cost_usd",
    "parents",
    "error",
}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_strategy_answers_with_its_block_and_its_stages(sandbox: Served, strategy: str) -> None:
    answer = sandbox.orchestrate(strategy=strategy).json()
    block, stages = answer["prysm"]["orchestration"], answer["prysm"]["stages"]
    assert answer["object"] == "orchestration"
    assert set(block) >= BLOCK
    assert (block["strategy"], block["forced"]) == (strategy, True)
    assert 0 <= block["confidence"] <= 1
    assert all(set(stage) >= STAGE for stage in stages)
    assert [stage["i"] for stage in stages] == list(range(len(stages)))
    assert all(parent < stage["i"] for stage in stages for parent in stage["parents"])


def test_a_strategy_that_is_not_there_is_refused_and_not_faked(sandbox: Served) -> None:
    response = sandbox.orchestrate(strategy="oracle")
    assert error(response) == (422, "invalid_request")
    assert response.json()["error"]["param"] == "strategy"


@pytest.mark.parametrize(
    ("field", "value", "strategy"),
    [("rounds", 3, "debate"), ("layers", 2, "ensemble_moa"), ("judge_model", "sandbox-strong", "blender")],
)
def test_the_width_of_a_strategy_is_the_callers_to_set(
    sandbox: Served, field: str, value: Any, strategy: str
) -> None:
    def calls(**more: Any) -> int:
        told = sandbox.orchestrate(strategy=strategy, k=2, dry_run=True, **more)
        return int(told.json()["prysm"]["estimate"]["calls_max"])

    assert calls(**{field: value}) >= calls() > 0
    nothing: dict[str, Any] = {field: "" if field == "judge_model" else 0}
    assert error(sandbox.orchestrate(strategy=strategy, **nothing)) == (422, "invalid_request")


def test_a_list_of_tasks_is_answered_part_by_part_and_its_receipt_holds(sandbox: Served) -> None:
    answer = sandbox.orchestrate("1. What is 17 * 23?\n2. What is the capital of France?", policy="depth").json()
    text, block = answer["choices"][0]["message"]["content"], answer["prysm"]["orchestration"]
    assert (block["strategy"], block["forced"], block["agreement"]) == ("decompose_and_route", False, None)
    assert text.index("What is 17 * 23?") < text.index("What is the capital of France?")
    assert [stage["kind"] for stage in answer["prysm"]["stages"]] == ["subtask", "subtask", "aggregate"]
    assert sandbox.proof(answer["id"])["verified"] is True


def test_the_policy_sets_bar_and_width(sandbox: Served) -> None:
    block = sandbox.orchestrate(policy="depth").json()["prysm"]["orchestration"]
    assert (block["policy"], block["bar"], block["strategy"]) == ("depth", 0.85, "ensemble_moa")
    assert block["bar_cleared"] is (block["confidence"] >= 0.85)


def test_agreement_is_unknown_for_one_answer_and_a_share_for_several(sandbox: Served) -> None:
    one = sandbox.orchestrate(strategy="single").json()["prysm"]["orchestration"]
    several = sandbox.orchestrate(strategy="self_consistency", samples=3).json()["prysm"]["orchestration"]
    assert one["agreement"] is None
    heaviest = max(cluster["weight"] for cluster in several["clusters"])
    assert several["agreement"] == pytest.approx(heaviest, abs=1e-3)


def test_exactly_the_named_models_are_used(sandbox: Served) -> None:
    named = ["sandbox-strong", "team/with-slash"]
    answer = sandbox.orchestrate(strategy="ensemble_moa", models=named, aggregator="sandbox-mid").json()
    used = {(stage["kind"], stage["model"]) for stage in answer["prysm"]["stages"]}
    assert {model for kind, model in used if kind == "propose"} == set(named)
    assert {model for kind, model in used if kind == "aggregate"} <= {"sandbox-mid"}


def test_proposers_work_at_the_same_time(scripted: Served, left: Upstream, right: Upstream) -> None:
    left.plays(0.2, completion("Paris"))
    right.plays(0.2, completion("Paris"))
    stages = scripted.orchestrate(strategy="ensemble_moa").json()["prysm"]["stages"]
    first, second = (stage for stage in stages if stage["kind"] == "propose")
    assert first["started_ms"] < second["ended_ms"]
    assert second["started_ms"] < first["ended_ms"]


def test_one_failing_member_does_not_fail_the_run(scripted: Served, left: Upstream, right: Upstream) -> None:
    left.plays(completion("", status="500 Internal Server Error"))
    right.plays(completion("Paris"))
    answer = scripted.orchestrate(strategy="ensemble_moa").json()
    assert answer["choices"][0]["message"]["content"] == "Paris"
    assert answer["prysm"]["orchestration"]["models_used"] == ["right"]
    assert answer["prysm"]["orchestration"]["degraded"]
    assert "failed" in {stage["status"] for stage in answer["prysm"]["stages"]}


def test_the_trace_can_be_left_out(sandbox: Served) -> None:
    assert "stages" not in sandbox.orchestrate(include_trace=False).json()["prysm"]


def test_a_dry_run_shows_plan_and_price_and_leaves_no_receipt(sandbox: Served) -> None:
    response = sandbox.orchestrate(strategy="ensemble_moa", dry_run=True)
    plan = response.json()
    assert (plan["object"], plan["choices"]) == ("orchestration.plan", [])
    assert set(plan["prysm"]) == {"orchestration", "estimate"}
    assert set(plan["prysm"]["orchestration"]) >= BLOCK
    assert plan["prysm"]["orchestration"]["confidence"] is plan["prysm"]["orchestration"]["agreement"] is None
    estimate = plan["prysm"]["estimate"]
    assert set(estimate) == {"calls_max", "cost_usd_expected", "cost_usd_max", "latency_ms_expected"}
    assert estimate["calls_max"] > 1
    assert "x-prysm-proof-url" not in response.headers
    assert sandbox.http.get(f"/v1/proof/{response.headers['x-request-id']}").status_code == 404


def test_a_dry_run_calls_nobody(scripted: Served, left: Upstream, right: Upstream) -> None:
    assert scripted.orchestrate(dry_run=True).status_code == 200
    assert left.seen == right.seen == []


def test_a_stream_tells_the_plan_and_every_stage(sandbox: Served) -> None:
    events = chunks(sandbox.orchestrate(strategy="ensemble_moa", stream=True))
    progress = [event["prysm_event"] for event in events if "prysm_event" in event]
    assert progress[0]["type"] == "plan"
    assert progress[0]["strategy"] == "ensemble_moa"
    started = [event for event in progress if event["type"] == "stage_started"]
    ended = [event for event in progress if event["type"] == "stage"]
    assert len(started) == len([event for event in ended if event["stage"]["model"]]) > 1
    assert [event["stage"] for event in ended] == events[-1]["prysm"]["stages"]
    assert all(set(event["stage"]) >= STAGE for event in ended)
    assert events[-1]["choices"][0]["finish_reason"] == "stop"
    assert events[-1]["prysm"]["stages"]


def test_events_and_trace_of_a_stream_can_be_switched_off(sandbox: Served) -> None:
    events = chunks(sandbox.orchestrate(stream=True, prysm_events=False, include_trace=False))
    assert all(event["choices"] for event in events)
    assert "stages" not in events[-1]["prysm"]


def test_messages_stand_in_for_a_prompt(sandbox: Served) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [_part("What is the capital "), _part("of France?")]},
    ]
    answer = sandbox.http.post("/v2/orchestrate", json={"messages": messages, "strategy": "single"}).json()
    assert "Paris" in answer["choices"][0]["message"]["content"]


def _part(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}
