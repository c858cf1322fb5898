from __future__ import annotations

import gzip
import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api.wire import error

from prysm.api.bodies import ChatBody, Extras, OrchestrateBody, RouteBody

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.serving import Served

CHAT, ORCHESTRATE, ROUTE = "/v1/chat/completions", "/v2/orchestrate", "/v1/route"
REFUSED = {CHAT: 400, ORCHESTRATE: 422, ROUTE: 422}
JSON = {"content-type": "application/json"}
HELLO = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}

MALFORMED = {
    "nothing": b"",
    "blank": b"  ",
    "cut": b'{"model": "auto", "messages": [{"role"',
    "not JSON": b"model=auto",
    "trailing": b'{"model": "auto"} {}',
    "array": b"[]",
    "string": b'"auto"',
    "null": b"null",
    "number": b"1",
    "invalid UTF-8": b'{"model": "auto", "messages": [{"role": "user", "content": "\xff\xfe"}]}',
    "UTF-16": json.dumps(HELLO).encode("utf-16"),
    "NUL bytes": b"\x00" * 64,
    "lone surrogate": b'{"model": "auto", "messages": [{"role": "user", "content": "\\ud800"}]}',
    "deep": b'{"messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep and open": b'{"a":' * 50_000,
}


@pytest.mark.parametrize("path", [CHAT, ORCHESTRATE, ROUTE])
@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_body_that_is_no_json_object_is_refused(sandbox: Served, path: str, body: bytes) -> None:
    response = sandbox.http.post(path, content=body, headers=JSON)
    assert error(response) == (REFUSED[path], "invalid_request")


WRONG: list[tuple[str, Any]] = [
    ("messages", []),
    ("messages", "Hi"),
    ("messages", {}),
    ("messages", None),
    ("messages", [None]),
    ("messages", [{"role": "user"}]),
    ("messages", [{"role": "wizard", "content": "Hi"}]),
    ("messages", [{"role": "user", "content": 5}]),
    ("messages", [{"role": "user", "content": None}]),
    ("messages", [{"role": "user", "content": "Hi"}] * 10_000),
    ("temperature", "hot"),
    ("temperature", 2.1),
    ("temperature", float("nan")),
    ("top_p", float("inf")),
    ("max_tokens", 0),
    ("max_tokens", 1.5),
    ("max_tokens", 10**400),
    ("max_tokens", True),
    ("seed", 2**63),
    ("seed", 1e308),
    ("stop", ["a"] * 5),
    ("stop", 5),
    ("stream", "yes"),
    ("stream_options", []),
    ("k", 0),
    ("k", 9),
    ("samples", 1),
    ("samples", 41),
    ("models", ["a"] * 9),
    ("models", "sandbox-small"),
    ("max_cost_usd", -1),
    ("max_cost_usd", float("nan")),
    ("max_cost_usd", float("inf")),
    ("max_cost_usd", "free"),
    ("deadline_s", 0),
    ("deadline_s", float("inf")),
    ("deadline_s", float("nan")),
    ("retention", "all"),
    ("metadata", {"a": 1}),
    ("metadata", {str(i): "" for i in range(17)}),
    ("metadata", {"a": "no\0"}),
    ("metadata", {"no\0": "a"}),
    ("metadata", {"k" * 65: "a"}),
    ("metadata", {"a": "v" * 513}),
]


@pytest.mark.parametrize("path", [CHAT, ORCHESTRATE])
@pytest.mark.parametrize(("field", "value"), WRONG, ids=lambda item: str(item)[:30])
def test_a_wrong_value_is_refused_and_its_field_named(sandbox: Served, path: str, field: str, value: Any) -> None:
    response = _post(sandbox, path, HELLO | {field: value} if path == CHAT else _without_model() | {field: value})
    assert error(response) == (REFUSED[path], "invalid_request")
    assert response.json()["error"]["param"].startswith(field)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", ""),
        ("model", None),
        ("model", 5),
        ("n", 9),
        ("routing_mode", "fastest"),
    ],
)
def test_a_wrong_value_of_a_chat_is_refused(sandbox: Served, field: str, value: Any) -> None:
    response = _post(sandbox, CHAT, HELLO | {field: value})
    assert (error(response), response.json()["error"]["param"]) == ((400, "invalid_request"), field)


@pytest.mark.parametrize(
    "body",
    [
        {"messages": HELLO["messages"], "prompt": "Hi"},
        {},
        {"prompt": ""},
        {"prompt": 5},
        {"prompt": "Hi", "strategy": "magic"},
        {"prompt": "Hi", "dry_run": "yes"},
        {"prompt": "Hi", "policy": ""},
        {"prompt": "Hi", "aggregator": ""},
    ],
)
def test_a_wrong_orchestration_is_refused(sandbox: Served, body: dict[str, Any]) -> None:
    assert error(_post(sandbox, ORCHESTRATE, body)) == (422, "invalid_request")


@pytest.mark.parametrize("path", [CHAT, ORCHESTRATE, ROUTE])
def test_unknown_fields_are_refused_and_named(sandbox: Served, path: str) -> None:
    body = HELLO if path == CHAT else _without_model()
    response = _post(sandbox, path, body | {"wibble": 1, "wobble": "x"})
    assert error(response) == (REFUSED[path], "unsupported_parameter")
    assert "'wibble'" in response.json()["error"]["message"]


@pytest.mark.parametrize("path", [CHAT, ORCHESTRATE])
def test_a_part_that_nobody_knows_is_refused_by_its_own_name(sandbox: Served, path: str) -> None:
    messages = [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "x"}}]}]
    response = _post(sandbox, path, (HELLO if path == CHAT else {}) | {"messages": messages})
    assert error(response) == (REFUSED[path], "unsupported_parameter")
    assert response.json()["error"]["param"] == "messages[0].content[0].type"


@pytest.mark.parametrize(
    "defaults",
    [
        {"response_format": {"type": "text"}},
        {"tool_choice": "auto", "parallel_tool_calls": True, "tools": []},
        {"service_tier": "auto", "store": False},
    ],
)
def test_the_defaults_of_openais_api_ask_for_nothing(sandbox: Served, defaults: dict[str, Any]) -> None:
    assert sandbox.chat("auto", **defaults).status_code == 200


@pytest.mark.parametrize("value", [0, 0.0, True, [0], {"a": None}, " "])
def test_an_unknown_field_that_asks_for_something_is_refused(sandbox: Served, value: Any) -> None:
    assert error(sandbox.orchestrate(compliance=value)) == (422, "unsupported_parameter")


@pytest.mark.parametrize("model", ["gpt-99", "prysm/", "prysm", "x" * 256, "\u0000", "../etc", "auto "])
def test_an_unknown_model_is_not_found(sandbox: Served, model: str) -> None:
    response = sandbox.chat(model)
    assert (error(response), response.json()["error"]["param"]) == ((404, "model_not_found"), "model")


@pytest.mark.parametrize("more", [{"models": ["gpt-99"]}, {"aggregator": "gpt-99"}])
def test_an_unknown_member_is_not_found(sandbox: Served, more: dict[str, Any]) -> None:
    assert error(sandbox.orchestrate(strategy="ensemble_moa", **more)) == (404, "model_not_found")


def test_a_model_and_others_besides_cannot_both_be_named(sandbox: Served) -> None:
    response = sandbox.chat("sandbox-small", models=["sandbox-mid"])
    assert (error(response), response.json()["error"]["param"]) == ((400, "invalid_request"), "models")
    assert sandbox.chat("sandbox-small", models=["sandbox-small"]).status_code == 200


def test_an_unknown_fallback_is_not_found(sandbox: Served) -> None:
    assert error(sandbox.chat(fallback=["gpt-99"])) == (404, "model_not_found")


def test_an_unknown_policy_is_refused_with_the_known_ones(sandbox: Served) -> None:
    response = sandbox.orchestrate(policy="reckless")
    assert (error(response), response.json()["error"]["param"]) == ((422, "invalid_request"), "policy")
    assert "efficiency, balanced, depth" in response.text


def test_an_unknown_policy_as_the_model_is_a_model_that_is_not_there(sandbox: Served) -> None:
    response = sandbox.chat("prysm/reckless", stream=True)
    assert (error(response), response.json()["error"]["param"]) == ((404, "model_not_found"), "model")
    assert "prysm/efficiency, prysm/balanced, prysm/depth" in response.text


def test_the_last_of_two_equal_keys_counts(sandbox: Served) -> None:
    body = (
        b'{"prompt": "a", "strategy": "debate", "strategy": "single", "prompt": "What is the capital of France?"}'
    )
    answer = sandbox.http.post(ORCHESTRATE, content=body, headers=JSON).json()
    assert "Paris" in answer["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    "text", ["a\u0000b", "\U0001f600" * 100, "\u202e\u200d\ufeff", "e\u0301" * 50, "\ud83d\ude00"]
)
def test_odd_text_is_answered(sandbox: Served, text: str) -> None:
    body = json.dumps(HELLO | {"messages": [{"role": "user", "content": text}]})
    assert sandbox.http.post(CHAT, content=body, headers=JSON).status_code == 200


@pytest.mark.parametrize(
    "prompt", ["word " * 400_000, "x" * 2_000_000, "1+" * 1_000_000, "\n- " * 600_000, "((" * 10**6]
)
@pytest.mark.parametrize("model", ["auto", "prysm/balanced"])
def test_a_prompt_of_two_megabytes_is_answered_soon(sandbox: Served, prompt: str, model: str) -> None:
    began = time.monotonic()
    response = sandbox.chat(model, prompt)
    assert response.status_code in {200, 400}
    assert time.monotonic() - began < 5  # a third of a second on an idle machine
    if response.status_code == 400:
        assert error(response) == (400, "invalid_request")
        assert "context" in response.text


def test_a_prompt_that_no_model_can_hold_is_refused_before_any_call(scripted: Served) -> None:
    response = scripted.chat("auto", "word " * 400_000)
    assert error(response)[0] == 400
    assert "context" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": ""},
        {},
        JSON | {"content-encoding": "gzip"},
        JSON | {"content-encoding": "br"},
    ],
)
def test_a_body_of_another_type_is_refused(sandbox: Served, headers: dict[str, str]) -> None:
    body = gzip.compress(json.dumps(HELLO).encode())
    assert error(sandbox.http.post(CHAT, content=body, headers=headers)) == (415, "unsupported_media_type")


def test_a_charset_beside_the_type_is_fine(sandbox: Served) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert sandbox.http.post(CHAT, content=json.dumps(HELLO), headers=headers).status_code == 200


def test_a_body_over_the_limit_is_refused_when_it_says_so(sandbox: Served) -> None:
    with sandbox.connect() as connection:
        connection.sendall(
            sandbox.raw("POST", CHAT, b"{", content_type="application/json", content_length="99999999999")
        )
        head = connection.recv(65536)
    assert head.startswith(b"HTTP/1.1 413 ")


def test_a_body_over_the_limit_is_refused_when_it_grows(sandbox: Served) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(200):
            yield b" " * 100_000

    try:
        response = sandbox.http.post(CHAT, content=endless(), headers=JSON)
    except httpx.WriteError:
        return  # refused while it was still being sent
    assert error(response) == (413, "request_too_large")


def test_a_ceiling_that_fits_nothing_is_refused_before_any_call(scripted: Served) -> None:
    response = scripted.chat("left", max_cost_usd=1e-6)
    assert error(response) == (402, "budget_exceeded")
    assert response.json()["error"]["param"] == "max_cost_usd"
    assert "x-should-retry" not in response.headers


def test_a_deadline_that_passes_is_told_and_not_retried(sandbox: Served) -> None:
    response = sandbox.chat("sandbox-strong", deadline_s=0.001)
    assert error(response) == (504, "deadline_exceeded")
    assert response.headers["x-should-retry"] == "false"
    assert sandbox.outcome(response.headers["x-request-id"]) == "failed"


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [*ChatBody.model_fields, *OrchestrateBody.model_fields, *RouteBody.model_fields, *Extras.model_fields]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from([CHAT, ORCHESTRATE, ROUTE]),
    odd=st.dictionaries(FIELDS | st.text(max_size=8), VALUES, max_size=3),
)
def test_no_json_object_makes_a_defect(sandbox: Served, path: str, odd: dict[str, Any]) -> None:
    body = (HELLO if path == CHAT else _without_model()) | {"samples": 2} | odd
    response = _post(sandbox, path, {k: v for k, v in body.items() if path != ROUTE or k != "samples"})
    assert response.status_code in {200, 400, 402, 404, 422, 504}, response.text
    if response.status_code != 200:
        error(response)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=64))
def test_no_bytes_make_a_defect(sandbox: Served, body: bytes) -> None:
    assert error(sandbox.http.post(CHAT, content=body, headers=JSON)) == (400, "invalid_request")


def _post(gateway: Served, path: str, body: dict[str, Any]) -> httpx.Response:
    return gateway.http.post(path, content=json.dumps(body), headers=JSON)


def _without_model() -> dict[str, Any]:
    return {"messages": HELLO["messages"]}
