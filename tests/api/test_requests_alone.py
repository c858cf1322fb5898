"""Requests that make no run, and the limits of whoever sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.api.used import made_key, made_organisation
from tests.api.wire import error
from tests.serving import PROMPT

from prysm.store.postgres_rates import PostgresRates

if TYPE_CHECKING:
    import httpx
    from tests.serving import Served

SAID = [{"role": "user", "content": PROMPT}]
ALONE: dict[str, dict[str, Any]] = {
    "/v1/route": {"prompt": PROMPT},
    "/v2/orchestrate": {"prompt": PROMPT, "dry_run": True},
    "/v1/messages/count_tokens": {"model": "sandbox-mid", "messages": SAID},
}


def asked(gateway: Served, headers: dict[str, str], path: str, **more: Any) -> httpx.Response:
    return gateway.http.post(path, headers=headers, json=ALONE[path] | more)


@pytest.mark.parametrize("path", ALONE)
def test_it_takes_one_request_and_says_what_is_left(sandbox: Served, path: str) -> None:
    headers, _ = made_key(sandbox, rpm=2, tpm=1000, concurrency=1)
    answers = [asked(sandbox, headers, path) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    told = {name: value for name, value in answers[0].headers.items() if name.startswith("x-ratelimit-")}
    assert told.keys() == {f"x-ratelimit-{of}-requests" for of in ("limit", "remaining", "reset")}
    assert (told["x-ratelimit-limit-requests"], told["x-ratelimit-remaining-requests"]) == ("2", "1")
    assert answers[2].headers["x-ratelimit-remaining-requests"] == "0"
    assert 1 <= int(answers[2].headers["retry-after"]) <= 30


def test_it_is_refused_as_a_run_is_and_takes_from_the_same_meter(sandbox: Served) -> None:
    headers, _ = made_key(sandbox, rpm=2)
    sandbox.http.post("/v1/chat/completions", headers=headers, json={"model": "sandbox-mid", "messages": SAID})
    assert asked(sandbox, headers, "/v1/route").is_success
    run = sandbox.http.post("/v1/chat/completions", headers=headers, json={"model": "auto", "messages": SAID})
    assert error(asked(sandbox, headers, "/v2/orchestrate")) == error(run) == (429, "rate_limit_exceeded")
    told = asked(sandbox, headers, "/v1/messages/count_tokens").json()
    assert (told["type"], told["error"]["type"]) == ("error", "rate_limit_error")
    used = sandbox.http.get("/v1/usage", headers=headers).json()
    assert used["total_requests"] == 1


def test_it_counts_for_the_organisation_too(sandbox: Served) -> None:
    org = made_organisation(sandbox, rpm=1)
    headers = [made_key(sandbox, organisation=org)[0] for _ in range(2)]
    assert [asked(sandbox, each, "/v1/route").status_code for each in headers] == [200, 429]


def test_what_cannot_be_understood_is_not_counted(sandbox: Served) -> None:
    headers, _ = made_key(sandbox, rpm=1)
    assert asked(sandbox, headers, "/v1/route", policy=7).status_code == 422
    assert asked(sandbox, headers, "/v1/route").is_success


@pytest.mark.parametrize("path", ALONE)
def test_who_is_not_limited_asks_no_database(sandbox: Served, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(PostgresRates, "request")
    answer = asked(sandbox, made_key(sandbox)[0], path)
    assert answer.is_success
    assert not [name for name in answer.headers if name.startswith("x-ratelimit-")]
