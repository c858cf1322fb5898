from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from prysm.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.scripted_gateway import ScriptedGateway
    from typer.testing import Result

ID = "0b8e7f0c-6b1f-4ef7-9d0a-3f1f5f3d2a11"
NONE = {"unknown_cost_requests": 0}
USED = {
    "total_requests": 4,
    "total_tokens": 60,
    "total_cost_usd": 0.5,
    "unknown_cost_requests": 2,
    "groups": [
        {"name": "a", "requests": 2, "tokens": 60, "cost_usd": 0.5, "unknown_cost_requests": 1},
        {"name": None, "requests": 2, "tokens": None, "cost_usd": None, "unknown_cost_requests": 1},
    ],
    "has_more": False,
}
BUDGET = {
    "id": ID,
    "organisation": "acme",
    "project": None,
    "key": None,
    "tag": "team=x",
    "period": "day",
    "hard": False,
    "limit_usd": 5.0,
    "spent_usd": 5.25,
    "held_usd": 0.0,
    "unknown_usd": 0.001,
    "left_usd": -0.251,
}
BALANCE = {"credits_usd": "1.500000000", "held_usd": "0.000000000", "spent_usd": "0.250000000"}
ENTRY = {
    "kind": "topup",
    "from": "funding",
    "to": "credits",
    "amount_usd": "1.750000000",
    "request_id": ID,
    "note": "invoice 7",
    "made_at": "2026-11-20T15:00:00.000000Z",
}


@pytest.fixture
def prysm(gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command against the scripted gateway."""
    monkeypatch.setenv("PRYSM_BASE_URL", gateway.url)
    monkeypatch.setenv("PRYSM_API_KEY", "prysm_sk_of_a_test")
    return lambda *args: CliRunner().invoke(app, args)


def rows(done: Result) -> list[list[str]]:
    assert done.exit_code == 0, done.output
    return [line.split() for line in done.stdout.splitlines()]


def test_usage_is_a_table_with_its_total_that_says_what_is_unknown(
    gateway: ScriptedGateway, prysm: Callable[..., Result]
) -> None:
    gateway.says("/v1/usage", USED)
    shown = rows(prysm("usage", "--by", "task", "--since", "2026-01-31"))
    assert shown[:4] == [
        ["task", "requests", "tokens", "cost"],
        ["a", "2", "60", "$0.50", "+", "unknown"],
        ["(none)", "2", "unknown", "unknown"],
        ["total", "4", "60", "$0.50", "+", "unknown"],
    ]
    assert "not known" in " ".join(shown[4])
    assert gateway.asked[0].path == "/v1/usage?by=task&since=2026-01-31"
    assert json.loads(prysm("usage", "--json").stdout) == USED


def test_usage_as_csv_is_what_the_gateway_wrote(gateway: ScriptedGateway, prysm: Callable[..., Result]) -> None:
    text = "day,requests\r\n2026-01-31,1\r\n"
    gateway.says("/v1/usage", text.encode())
    assert prysm("usage", "--by", "day", "--csv").stdout_bytes == text.encode()
    assert gateway.asked[0].path == "/v1/usage?by=day&format=csv"
    assert prysm("usage", "--csv", "--json").exit_code == 2


def test_budgets_are_listed_with_what_is_left(gateway: ScriptedGateway, prysm: Callable[..., Result]) -> None:
    gateway.says("/v1/budgets", {"data": [BUDGET], "has_more": True})
    gateway.says("/v1/budgets", {"data": [BUDGET], "has_more": False})
    line = f"{ID}  acme: tag team=x (day, soft)  "
    line += "limit $5.00 · spent $5.25 · held $0.00 · unknown $0.0010 · left -$0.25\n"
    assert prysm("budgets", "list").stdout == 2 * line
    assert gateway.asked[1].path == f"/v1/budgets?limit=1000&after={ID}"


@pytest.mark.parametrize(
    ("said", "method", "path", "sent"),
    [
        (("create", "5"), "POST", "/v1/budgets", {"limit_usd": 5.0, "period": "month", "hard": True}),
        (
            ("create", "0.5", "--period", "day", "--soft", "--of-key", ID, "--organisation", "acme"),
            "POST",
            "/v1/budgets",
            {"limit_usd": 0.5, "period": "day", "hard": False, "key": ID, "organisation": "acme"},
        ),
        (("update", ID, "--limit", "7"), "PATCH", f"/v1/budgets/{ID}", {"limit_usd": 7.0}),
        (("update", ID, "--soft"), "PATCH", f"/v1/budgets/{ID}", {"hard": False}),
        (("delete", ID), "DELETE", f"/v1/budgets/{ID}", None),
    ],
)
def test_budgets_are_kept(  # noqa: PLR0917 - what is said and what is sent
    gateway: ScriptedGateway, prysm: Callable[..., Result], said: tuple[str, ...], method: str, path: str, sent: Any
) -> None:
    gateway.says(path, BUDGET)
    assert ID in prysm("budgets", *said).stdout
    assert (gateway.asked[0].method, gateway.asked[0].path, gateway.asked[0].body) == (method, path, sent)
    assert json.loads(prysm("budgets", *said, "--json").stdout) == BUDGET


@pytest.mark.parametrize(
    "said", [("update", ID), ("create", "-1"), ("create", "x"), ("create", "1", "--period", "y")]
)
def test_a_budget_that_is_none_is_not_sent(
    gateway: ScriptedGateway, prysm: Callable[..., Result], said: tuple[str, ...]
) -> None:
    assert prysm("budgets", *said).exit_code == 2
    assert gateway.asked == []


def test_credits_are_shown_with_their_ledger(gateway: ScriptedGateway, prysm: Callable[..., Result]) -> None:
    gateway.says("/v1/credits", {"balance": BALANCE, "entries": [ENTRY], "has_more": False})
    first, _, entry = rows(prysm("credits", "show", "acme"))
    assert first[:2] == ["left", "$1.500000000"]
    assert entry == ["2026-11-20T15:00:00Z", "topup", "funding", "credits", "$1.750000000", "invoice", "7"]
    assert gateway.asked[0].path == "/v1/credits?organisation=acme&limit=20"


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        (("10", "--note", "invoice 7"), {"amount_usd": 10.0, "kind": "topup", "note": "invoice 7"}),
        (("-2.5", "--kind", "adjust"), {"amount_usd": -2.5, "kind": "adjust"}),
    ],
)
def test_credits_are_booked(
    gateway: ScriptedGateway, prysm: Callable[..., Result], said: tuple[str, ...], sent: dict[str, Any]
) -> None:
    gateway.says("/v1/credits", {"kind": "topup", "amount_usd": "10.000000000", "balance": BALANCE})
    done = prysm("credits", "book", "acme", *said)
    assert done.stdout == "Booked $10.000000000 (topup): $1.500000000 are left.\n"
    assert gateway.asked[0].body == {"organisation": "acme", **sent}
