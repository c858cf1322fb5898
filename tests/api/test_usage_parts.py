"""What each model cost, of runs that asked several."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.api.used import made_key, made_organisation

from prysm.client import Prysm

if TYPE_CHECKING:
    from tests.serving import Served

MODELS = ["sandbox-small", "sandbox-mid", "sandbox-strong"]


@pytest.fixture
def admin(sandbox: Served) -> dict[str, str]:
    """The header of the admin of a new organisation."""
    headers, _ = made_key(sandbox, "admin", organisation=made_organisation(sandbox))
    return headers


def asked(gateway: Served, headers: dict[str, str], **body: Any) -> list[dict[str, Any]]:
    """The calls of a run, as its answer tells them."""
    answer = gateway.http.post("/v2/orchestrate", headers=headers, json={"prompt": "What is 17 * 23?"} | body)
    stages: list[dict[str, Any]] = answer.json()["prysm"]["stages"]
    return [stage for stage in stages if stage["model"]]


@pytest.mark.parametrize("strategy", ["ensemble_moa", "blender", "debate"])
def test_each_model_of_an_orchestrated_run_stands_under_its_own_name_with_its_own_cost(
    sandbox: Served, admin: dict[str, str], strategy: str
) -> None:
    own: defaultdict[str, float] = defaultdict(float)
    for call in asked(sandbox, admin, strategy=strategy, models=MODELS):
        own[call["model"]] += call["cost_usd"]
    found = sandbox.http.get("/v1/usage", headers=admin, params={"by": "model"}).json()
    costs = {name: group["cost_usd"] for name, group in found["by_model"].items()}
    assert costs == pytest.approx(own, abs=1e-12)
    assert set(costs) == set(MODELS)
    assert len(set(costs.values())) == 3
    assert sum(costs.values()) == pytest.approx(found["total_cost_usd"], abs=1e-12)
    assert sum(group["tokens"] for group in found["by_model"].values()) == found["total_tokens"]
    assert {group["requests"] for group in found["by_model"].values()} == {1} == {found["total_requests"]}
    assert found["by_provider"] == {
        "sandbox": {
            "requests": 1,
            "tokens": found["total_tokens"],
            "cost_usd": found["total_cost_usd"],
            "unknown_cost_requests": 0,
        }
    }
    assert {group["name"]: group["cost_usd"] for group in found["groups"]} == costs
    assert found["recent"][0]["cost_usd"] == found["total_cost_usd"]


def test_runs_of_one_model_and_of_several_add_up_in_the_csv_to_the_nano_dollar(
    sandbox: Served, admin: dict[str, str]
) -> None:
    asked(sandbox, admin, strategy="ensemble_moa", models=MODELS)
    sandbox.http.post(
        "/v1/chat/completions",
        headers=admin,
        json={"model": "sandbox-mid", "messages": [{"role": "user", "content": "Hi"}]},
    )
    with Prysm(admin["authorization"].removeprefix("Bearer "), sandbox.url) as client:
        rows = {row["model"]: row for row in csv.DictReader(io.StringIO(client.usage_csv("model"), newline=""))}
        (day,) = csv.DictReader(io.StringIO(client.usage_csv("day"), newline=""))
    assert {name: row["requests"] for name, row in rows.items()} == {
        "sandbox-small": "1",
        "sandbox-mid": "2",
        "sandbox-strong": "1",
    }
    assert day["requests"] == "2"
    assert sum(Decimal(row["cost_usd"]) for row in rows.values()) == Decimal(day["cost_usd"])
    for figure in ("tokens_in", "tokens_out"):
        assert sum(int(row[figure]) for row in rows.values()) == int(day[figure])
