from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from tests.api.wire import completion

if TYPE_CHECKING:
    from tests.providers.upstream import Upstream
    from tests.serving import Served


def test_auto_answers_with_one_model_and_says_why(sandbox: Served) -> None:
    answer = sandbox.chat("auto").json()
    routing = answer["prysm"]["routing"]
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"] == "The capital of France is Paris."
    assert answer["model"] == routing["model"] == "sandbox-small"
    assert routing["task"] == "factual"
    assert routing["signals_detected"] == ["factual"]
    assert "sandbox-small" in routing["why"]
    assert {other["model"] for other in routing["alternatives"]} >= {"sandbox-mid", "sandbox-strong"}


def test_a_catalog_id_pins_that_model(sandbox: Served) -> None:
    answer = sandbox.chat("team/with-slash").json()
    assert answer["model"] == "team/with-slash"
    assert answer["prysm"]["routing"]["mode"] == "direct"


@pytest.mark.parametrize(
    ("model", "strategy"), [("prysm/balanced", "single"), ("prysm/self_consistency", "self_consistency")]
)
def test_a_policy_or_strategy_as_the_model_orchestrates(sandbox: Served, model: str, strategy: str) -> None:
    prysm = sandbox.chat(model).json()["prysm"]
    assert "routing" not in prysm
    assert prysm["orchestration"]["strategy"] == strategy
    assert len(prysm["calls"]) == {"single": 1, "self_consistency": 5}[strategy]


def test_the_id_is_the_request_id_and_names_the_proof(sandbox: Served) -> None:
    response = sandbox.chat()
    prysm = response.json()["prysm"]
    request_id = prysm["request_id"]
    assert response.json()["id"] == f"prysm-{UUID(request_id)}"
    assert response.headers["x-request-id"] == request_id
    assert response.headers["x-prysm-proof-url"] == prysm["proof"]["url"] == f"/v1/proof/{request_id}"
    assert re.fullmatch("sha256:[0-9a-f]{64}", prysm["proof"]["proof_hash"])


def test_usage_and_cost_sum_every_call_losers_too(sandbox: Served) -> None:
    answer = sandbox.chat("prysm/ensemble_moa").json()
    calls = answer["prysm"]["calls"]
    assert len(calls) > 1
    assert answer["usage"]["prompt_tokens"] == sum(call["tokens_in"] for call in calls)
    assert answer["usage"]["completion_tokens"] == sum(call["tokens_out"] for call in calls)
    assert answer["prysm"]["cost"]["total_usd"] == pytest.approx(sum(call["cost_usd"] for call in calls))


def test_an_unknown_price_stays_unknown(sandbox: Served) -> None:
    cost = sandbox.chat("team/with-slash").json()["prysm"]["cost"]
    assert (cost["total_usd"], cost["saved_usd"]) == (None, None)


def test_sampling_parameters_reach_the_model(scripted: Served, left: Upstream) -> None:
    left.plays(completion("Paris"))
    scripted.chat("left", temperature=0.25, top_p=0.5, seed=7, max_completion_tokens=99, stop="END")
    sent = left.seen[0].json
    wanted = {"temperature": 0.25, "top_p": 0.5, "seed": 7, "max_tokens": 99, "stop": ["END"]}
    assert {name: sent.get(name) for name in wanted} == wanted


def test_the_finish_reason_of_a_cut_answer_is_length(sandbox: Served) -> None:
    assert sandbox.chat("sandbox-strong", max_tokens=1).json()["choices"][0]["finish_reason"] == "length"


def test_a_failing_model_is_replaced_and_named(scripted: Served, left: Upstream, right: Upstream) -> None:
    left.plays(completion("", status="500 Internal Server Error"))
    right.plays(completion("Paris"))
    answer = scripted.chat("left", fallback=["right"]).json()
    assert answer["model"] == answer["prysm"]["routing"]["model"] == "right"
    assert [item["model"] for item in answer["prysm"]["routing"]["fallbacks"]] == ["left"]
    assert answer["prysm"]["routing"]["degraded"] == ["fallback"]


@pytest.mark.parametrize(
    "extra",
    [
        {"tools": [], "logit_bias": {}, "parallel_tool_calls": None, "store": False, "n": 1, "user": "u"},
        {"metadata": {"team": "a"}, "routing_mode": "agility", "retention": "zero", "deadline_s": 5},
        {"stream": False, "stream_options": {"include_usage": True, "include_obfuscation": False}},
    ],
)
def test_fields_that_ask_for_nothing_we_lack_are_taken(sandbox: Served, extra: dict[str, Any]) -> None:
    assert sandbox.chat(**extra).status_code == 200
