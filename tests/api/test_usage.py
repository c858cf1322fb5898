"""What was used, over HTTP."""

from __future__ import annotations

import asyncio
import csv
import io
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest
from tests.api.used import NOON, made_key, made_organisation, ran, run
from tests.api.wire import error

from prysm.client import AsyncPrysm, GatewayError, Prysm

if TYPE_CHECKING:
    from tests.serving import Served


def used(gateway: Served, headers: dict[str, str] | None = None, **query: Any) -> dict[str, Any]:
    found: dict[str, Any] = gateway.http.get("/v1/usage", params=query, headers=headers).json()
    return found


@pytest.fixture
def tenant(sandbox: Served) -> dict[str, str]:
    """The header of the admin of an organisation of its own, and its `org`."""
    org = made_organisation(sandbox)
    headers, _ = made_key(sandbox, "admin", organisation=org)
    return headers | {"org": org}


def of(tenant: dict[str, str], **over: Any) -> dict[str, Any]:
    return run(org=tenant["org"], **over)


def test_usage_is_added_up_by_what_answered_and_how_it_was_routed(sandbox: Served, tenant: dict[str, str]) -> None:
    ran(
        sandbox,
        of(tenant, cost_nano=1_000_000_000, model="a", mode="quality"),
        of(tenant, cost_nano=1, model="a", tokens_in=0),
        of(tenant, cost_nano=None, model="b", provider="q"),
        of(tenant, cost_nano=7, model=None, provider=None, outcome="failed", tokens_in=None, tokens_out=None),
    )
    found = used(sandbox, tenant)
    assert (found["total_requests"], found["total_tokens"], found["total_cost_usd"]) == (4, 35, 1.000000008)
    assert (found["unknown_cost_requests"], found["plan"], found["object"]) == (1, "postpaid", "usage")
    sums = {"requests": 2, "tokens": 20, "cost_usd": 1.000000001, "unknown_cost_requests": 0}
    assert list(found["by_model"]) == ["a", "(none)", "b"]
    assert found["by_model"]["a"] == sums
    assert found["by_model"]["b"] == {"requests": 1, "tokens": 15, "cost_usd": None, "unknown_cost_requests": 1}
    assert found["by_model"]["(none)"]["tokens"] is None
    assert {name: group["requests"] for name, group in found["by_provider"].items()} == {
        "p": 2,
        "q": 1,
        "(none)": 1,
    }
    assert {name: group["requests"] for name, group in found["by_mode"].items()} == {"quality": 1, "balanced": 3}
    assert len(found["recent"]) == 4


def test_who_used_nothing_paid_nothing(sandbox: Served, tenant: dict[str, str]) -> None:
    found = used(sandbox, tenant)
    assert (found["total_requests"], found["total_tokens"], found["total_cost_usd"]) == (0, 0, 0.0)
    assert (found["by_model"], found["recent"], found["unknown_cost_requests"]) == ({}, [], 0)


def test_a_cost_that_nobody_knows_is_not_nothing(sandbox: Served, tenant: dict[str, str]) -> None:
    ran(sandbox, of(tenant, cost_nano=None))
    found = used(sandbox, tenant)
    assert (found["total_cost_usd"], found["unknown_cost_requests"]) == (None, 1)
    assert found["recent"][0]["cost_usd"] is None


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("model", ["a", "m"]),
        ("strategy", ["debate", "single"]),
        ("task", ["code", "chat"]),
        ("tag", ["team=x", "app=1", None]),
        ("day", ["2026-02-28", "2026-03-01"]),
    ],
)
def test_usage_is_grouped(sandbox: Served, tenant: dict[str, str], by: str, names: list[str | None]) -> None:
    eve = NOON.replace(month=2, day=28, hour=23)
    other = {"model": "a", "strategy": "debate", "task": "code", "tags": ["team=x", "app=1"], "at": eve}
    ran(sandbox, of(tenant, cost_nano=50, **other), of(tenant, cost_nano=20, tags=["team=x"]), of(tenant))
    found = used(sandbox, tenant, by=by)
    groups = {group["name"]: group for group in found["groups"]}
    assert sorted(groups, key=str) == sorted(names, key=str)
    assert found["by"] == by
    assert found["has_more"] is False
    if by == "tag":
        assert groups["team=x"]["cost_usd"] == 7e-8
    else:
        assert sum(group["cost_usd"] for group in groups.values()) == pytest.approx(found["total_cost_usd"])


def test_a_member_sees_what_its_key_used_an_admin_its_organisation_root_everything(sandbox: Served) -> None:
    orgs = [made_organisation(sandbox) for _ in range(2)]
    (member, one), (_, other) = (made_key(sandbox, organisation=orgs[0]) for _ in range(2))
    admin, _ = made_key(sandbox, "admin", organisation=orgs[0])
    reader, _ = made_key(sandbox, "reader", organisation=orgs[0])
    before = used(sandbox)["total_requests"]
    for org, key in ((orgs[0], str(one)), (orgs[0], str(other)), (orgs[1], None)):
        ran(sandbox, run(org=org, key=key))
    seen = [used(sandbox, headers)["total_requests"] for headers in (member, reader, admin)]
    assert (seen, used(sandbox)["total_requests"] - before) == ([1, 0, 2], 3)
    assert used(sandbox, member)["user_id"] == str(one)
    assert used(sandbox)["user_id"] == "root"
    groups = {group["name"]: group["requests"] for group in used(sandbox, admin, by="key")["groups"]}
    assert groups == {str(one): 1, str(other): 1}


def test_usage_is_of_the_time_that_was_asked_for(sandbox: Served, tenant: dict[str, str]) -> None:
    ran(sandbox, *(of(tenant, at=NOON.replace(hour=hour)) for hour in (11, 12, 13)))

    def seen(**query: str) -> int:
        return int(used(sandbox, tenant, **query)["total_requests"])

    assert seen(since="2026-03-01T12:00:00Z") == 2
    assert seen(until="2026-03-01T12:00:00Z") == 1
    assert seen(since="2026-03-01T12:30:00+01:00", until="2026-03-01T13:00:00") == 1
    assert seen(since="2026-03-02") == 0


@pytest.mark.parametrize(
    "query",
    [
        {"by": "colour"},
        {"since": "yesterday"},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"until": "9999-12-31T23:59:59-12:00"},
        {"until": "-1e11"},
        {"until": "0.5"},
        {"until": "1999999999"},
        {"since": ""},
        {"since": "2026-03-01T25:00:00Z"},
        {"since": "\x00"},
        {"format": "xml"},
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(sandbox: Served, query: dict[str, str]) -> None:
    assert error(sandbox.http.get("/v1/usage", params=query)) == (422, "invalid_request")


@pytest.mark.parametrize("number", ["0.5", "1999999999", "-1", "1e3", "20260301"])
def test_a_number_is_no_time_and_the_refusal_says_how_one_is_written(sandbox: Served, number: str) -> None:
    response = sandbox.http.get("/v1/usage", params={"until": number})
    told = response.json()["error"]
    assert (response.status_code, told["param"]) == (422, "until")
    assert "RFC 3339" in told["message"]
    assert number not in told["message"].replace("2031-01-31T12:00:00Z", "")


def test_usage_needs_a_key(sandbox: Served) -> None:
    assert error(httpx.get(f"{sandbox.url}/v1/usage")) == (401, "invalid_api_key")


def lines(gateway: Served, headers: dict[str, str], **query: str) -> list[dict[str, str]]:
    found = gateway.http.get("/v1/usage", params=query, headers=headers)
    assert found.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(found.text, newline="")))


def test_csv_has_exact_amounts_and_leaves_what_is_unknown_empty(sandbox: Served, tenant: dict[str, str]) -> None:
    amounts = [9_007_199_254_740_993, 1, 42]
    ran(sandbox, *(of(tenant, cost_nano=nano, model="a") for nano in amounts), of(tenant, cost_nano=None))
    rows = lines(sandbox, tenant, by="model", format="csv")
    assert [row["cost_usd"] for row in rows] == ["9007199.254741036", ""]
    assert Decimal(rows[0]["cost_usd"]) * 10**9 == sum(amounts)
    assert rows[1] == {
        "model": "m",
        "requests": "1",
        "tokens_in": "10",
        "tokens_out": "5",
        "cost_usd": "",
        "unknown_cost_requests": "1",
    }


def test_csv_is_given_to_whoever_accepts_it_by_day(sandbox: Served, tenant: dict[str, str]) -> None:
    ran(sandbox, of(tenant), of(tenant, at=NOON.replace(day=2)))
    rows = lines(sandbox, tenant | {"accept": "text/csv"})
    assert [(row["day"], row["cost_usd"]) for row in rows] == [
        ("2026-03-01", "0.000000042"),
        ("2026-03-02", "0.000000042"),
    ]


@pytest.mark.parametrize("tag", ['x="a,b"\r\n1', "=1+1", "@cmd", "-2+3", "ключ=значение"])
def test_a_tag_is_one_cell_and_no_formula(sandbox: Served, tenant: dict[str, str], tag: str) -> None:
    ran(sandbox, of(tenant, tags=[tag]))
    (row,) = lines(sandbox, tenant, by="tag", format="csv")
    assert row["tag"] == (f"'{tag}" if tag[0] in "=@-" else tag)


def test_the_clients_ask_the_live_route(sandbox: Served) -> None:
    ran(sandbox, run(model=uuid4().hex))
    key = sandbox.http.headers["authorization"].removeprefix("Bearer ")
    with Prysm(key, sandbox.url) as client:
        found, text = client.usage("task", since="2026-01-01"), client.usage_csv("task")
        with pytest.raises(GatewayError, match="of the wrong type"):
            client.usage_csv("colour")
    assert "chat" in {group["name"] for group in found.groups}
    assert text.startswith("task,requests,")

    async def again() -> Any:
        async with AsyncPrysm(key, sandbox.url) as other:
            assert await other.usage_csv("task") == text
            return await other.usage("task", since="2026-01-01")

    assert asyncio.run(again()).groups == found.groups
