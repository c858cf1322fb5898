"""Every strategy over HTTP with tools and with a schema, on simulated models that can do both."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from tests.databases import database
from tests.serving import Served, served

from prysm.core.plan import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Iterator

MODELS = "".join(
    f"""
[[models]]
id = "sandbox-{name}"
provider = "sandbox"
tier = "mid"
family = "{name}"
input_usd_per_mtok = 1
output_usd_per_mtok = 4
capabilities = ["tools", "json_schema"]
quality = {{ default = 0.7 }}
"""
    for name in ("small", "mid", "code", "math")
)
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA, "strict": True}}]
FORM = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}
ASKED = "What is the weather in Rome, in °C?"


@pytest.fixture(scope="module")
def able(postgres_url: str) -> Iterator[Served]:
    with (
        tempfile.TemporaryDirectory(prefix="prysm-tools-") as folder,
        database(postgres_url) as url,
        served(Path(folder), MODELS, url) as gateway,
    ):
        yield gateway


def strategy_of(body: dict[str, Any]) -> str:
    return str(body["prysm"]["orchestration"]["strategy"])


def judged(body: dict[str, Any]) -> bool:
    return any(stage["kind"] in {"judge", "rank", "revise"} for stage in body["prysm"]["stages"])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_tool_is_called_by_the_vote(able: Served, strategy: str) -> None:
    answer = able.orchestrate(ASKED, strategy=strategy, tools=TOOLS, temperature=0.7, seed=1)
    body = answer.json()
    assert answer.status_code == 200, body
    choice = body["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    for made in choice["message"]["tool_calls"]:
        assert made["function"]["name"] == "get_weather"
        assert jsonschema_rs.is_valid(SCHEMA, json.loads(made["function"]["arguments"]))
    assert not judged(body)
    told = body["prysm"]["orchestration"]
    assert all(found["answer"].startswith("get_weather({") for found in told["clusters"])
    if strategy == "decompose_and_route":
        assert "strategy_replaced:decompose_and_route" in told["degraded"]
    assert able.outcome(body["prysm"]["proof"]["request_id"]) in {"ok", "degraded"}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_answer_fits_its_schema(able: Served, strategy: str) -> None:
    answer = able.orchestrate(ASKED, strategy=strategy, response_format=FORM, seed=1)
    body = answer.json()
    assert answer.status_code == 200, body
    assert jsonschema_rs.is_valid(SCHEMA, json.loads(body["choices"][0]["message"]["content"]))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("seed", range(3))
def test_models_that_differ_still_give_one_answer_that_fits(able: Served, strategy: str, seed: int) -> None:
    capital = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    form = {"type": "json_schema", "json_schema": {"name": "capital", "schema": capital}}
    named = {"models": ["sandbox-small", "sandbox-mid", "sandbox-code"]}
    answer = able.orchestrate(
        "What is the capital of Switzerland?", strategy=strategy, response_format=form, seed=seed, **named
    )
    assert jsonschema_rs.is_valid(capital, json.loads(answer.json()["choices"][0]["message"]["content"]))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_stream_brings_the_call_that_won(able: Served, strategy: str) -> None:
    answer = able.chat(f"prysm/{strategy}", ASKED, tools=TOOLS, stream=True, seed=1)
    chunks = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk.get("choices", [])]
    made = [call for delta in deltas for call in delta.get("tool_calls", [])]
    assert made[0]["function"]["name"] == "get_weather"
    arguments = "".join(call["function"].get("arguments", "") for call in made if call["index"] == 0)
    assert jsonschema_rs.is_valid(SCHEMA, json.loads(arguments))
    assert answer.text.rstrip().endswith("data: [DONE]")


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_cannot_fit_is_an_error_also_at_the_end_of_a_stream(able: Served, stream: bool) -> None:
    impossible = {"type": "object", "properties": {"n": {"type": "integer", "not": {}}}, "required": ["n"]}
    form = {"type": "json_schema", "json_schema": {"name": "never", "schema": impossible}}
    answer = able.chat("sandbox-small", ASKED, response_format=form, stream=stream)
    if stream:
        assert '"invalid_output"' in answer.text
        assert "[DONE]" not in answer.text
    else:
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "invalid_output")
        assert answer.headers["x-should-retry"] == "false"
    all_of_them = able.orchestrate(ASKED, strategy="ensemble_moa", response_format=form)
    assert (all_of_them.status_code, all_of_them.json()["error"]["code"]) == (502, "all_models_failed")
    assert {attempt["error"] for attempt in all_of_them.json()["attempts"]} == {"invalid_output"}
