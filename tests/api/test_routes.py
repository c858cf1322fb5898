from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from jsonschema import Draft202012Validator
from tests.api.wire import error

if TYPE_CHECKING:
    from tests.serving import Served


def test_the_list_of_models_says_what_each_is(sandbox: Served) -> None:
    listed = sandbox.http.get("/v1/models").json()
    small = next(model for model in listed["data"] if model["id"] == "sandbox-small")
    assert listed["object"] == "list"
    assert small == small | {
        "object": "model",
        "kind": "model",
        "tier": "small",
        "pricing": {"input_per_mtok": 0.1, "output_per_mtok": 0.4},
        "quality": {"default": 0.55},
        "live": True,
        "simulated": True,
    }
    assert {"display", "capabilities", "created", "owned_by"} <= set(small)


def test_a_model_whose_id_has_a_slash_can_be_read(sandbox: Served) -> None:
    assert sandbox.http.get("/v1/models/team/with-slash").json()["id"] == "team/with-slash"
    assert sandbox.http.get("/v1/models/team%2Fwith-slash").json()["id"] == "team/with-slash"


@pytest.mark.parametrize("unknown", ["sandbox-smal", "", "a/b/c", "%00", "x" * 3000])
def test_an_unknown_model_is_not_found_and_a_near_one_is_named(sandbox: Served, unknown: str) -> None:
    response = sandbox.http.get(f"/v1/models/{unknown}")
    assert error(response) == (404, "model_not_found")
    assert ("Did you mean sandbox-small" in response.text) is (unknown == "sandbox-smal")


def test_routing_is_shown_without_calling_anyone(sandbox: Served) -> None:
    body = {"prompt": "Write a function that reverses a list.", "routing_mode": "quality"}
    found = sandbox.http.post("/v1/route", json=body).json()
    assert found["routing"]["task"] == "code"
    assert found["routing"]["mode"] == "quality"
    assert found["routing"]["model"] == "sandbox-strong"
    assert found["estimated_cost"] == {"est_1k_tokens": 0.015, "input_per_mtok": 3.0, "output_per_mtok": 12.0}
    assert set(found["model_info"]) == {"context_window", "expected_latency_ms", "strengths"}


def test_health_and_readiness_need_no_key(sandbox: Served) -> None:
    assert httpx.get(f"{sandbox.url}/health").json()["status"] == "ok"
    ready = httpx.get(f"{sandbox.url}/ready")
    assert (ready.status_code, ready.json()["database"], ready.json()["live_models"]) == (200, True, 5)


def test_the_openapi_document_is_valid_and_describes_the_bodies(sandbox: Served) -> None:
    document = httpx.get(f"{sandbox.url}/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for path, fields in {
        "/v1/chat/completions": {"model", "messages", "stream", "max_cost_usd"},
        "/v2/orchestrate": {"prompt", "messages", "policy", "strategy", "dry_run"},
        "/v1/route": {"prompt", "messages", "routing_mode"},
    }.items():
        schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        Draft202012Validator.check_schema(schema)
        assert set(schema["properties"]) >= fields
        assert "$ref" not in str(schema)


def test_the_documentation_page_is_served(sandbox: Served) -> None:
    page = httpx.get(f"{sandbox.url}/docs")
    assert page.status_code == 200
    assert "/openapi.json" in page.text


def test_no_route_is_open_unless_it_is_meant_to_be(sandbox: Served) -> None:
    document = httpx.get(f"{sandbox.url}/openapi.json").json()
    opened = {
        (method, path)
        for path, methods in document["paths"].items()
        for method in methods
        if httpx.request(method, sandbox.url + path.replace("{i}", "0")).status_code != 401
    }
    assert opened == {
        ("get", "/health"),
        ("get", "/ready"),
        ("get", "/metrics"),
        ("get", "/v1/proof/{request_id}"),
        ("get", "/v1/proof/{request_id}/stages/{i}"),
        ("post", "/v1/proof/verify"),
        ("get", "/v1/log/checkpoint"),
        ("get", "/v1/log/tile/{path}"),
        ("get", "/v1/log/proof/consistency"),
        ("get", "/.well-known/prysm-keys.json"),
    }


@pytest.mark.parametrize(
    "path", ["/", "/nowhere", "/v1/proof/", "/v1/proof/a/b", "/health/", "/metrics/x", "//health"]
)
def test_even_an_address_that_is_not_there_needs_a_key(sandbox: Served, path: str) -> None:
    response = httpx.get(sandbox.url + path)
    assert error(response) == (401, "invalid_api_key")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Basic {key}", "Bearer {key}x", "Bearer x{key}", "{key}", "Bearer \u00e9", "Bearer {key} {key}"],
)
def test_a_wrong_key_is_refused(sandbox: Served, header: str) -> None:
    key = sandbox.http.headers["authorization"].removeprefix("Bearer ")
    value = header.format(key=key).encode("latin-1")
    response = httpx.get(f"{sandbox.url}/v1/models", headers=[(b"authorization", value)])
    assert error(response) == (401, "invalid_api_key")
    assert key not in response.text


@pytest.mark.parametrize("path", ["/v1/nowhere", "/v3", "/health/", "/v2/orchestrate/", "/v1/chat", "/favicon.ico"])
def test_a_route_that_is_not_there_is_told_in_our_envelope(sandbox: Served, path: str) -> None:
    assert error(sandbox.http.get(path)) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/v2/orchestrate", "POST"), ("DELETE", "/v1/models", "GET"), ("PATCH", "/v1/route", "POST")],
)
def test_a_wrong_method_is_told_in_our_envelope(sandbox: Served, method: str, path: str, allowed: str) -> None:
    response = sandbox.http.request(method, path)
    assert error(response) == (405, "method_not_allowed")
    assert response.headers["allow"] == allowed


def test_every_answer_has_an_id_of_its_own_and_never_the_callers(sandbox: Served) -> None:
    mine = {"x-request-id": "mine"}
    answers = [
        sandbox.http.get("/health", headers=mine),
        sandbox.http.get("/nowhere", headers=mine),
        httpx.get(f"{sandbox.url}/v1/models", headers=mine),
        sandbox.http.post("/v2/orchestrate", json={"prompt": "Hi"}, headers=mine),
    ]
    ids = [answer.headers.get_list("x-request-id") for answer in answers]
    assert all(len(found) == 1 and len(found[0]) == 36 for found in ids)
    assert len({found[0] for found in ids}) == len(answers)
