"""`prysm keys` against a scripted gateway: what is asked, and what is printed where."""

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

ID = "97d1da70-4f52-4a2e-8e6f-5767e57013cd"
TEXT = "prysm_sk_abcdefghijkl" + "x" * 43
ITEM: dict[str, Any] = {
    "id": ID,
    "object": "key",
    "name": "web",
    "prefix": "prysm_sk_abcdefghijkl",
    "role": "member",
    "status": "active",
    "organisation": "default",
    "project": "default",
    "budget_usd": 5,
    "budget_period": "month",
    "rpm": None,
    "allowed_models": ["a", "b"],
    "tags": [],
    "expires_at": None,
    "overlap_until": None,
}


@pytest.fixture
def prysm(gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command against the scripted gateway."""
    monkeypatch.setenv("PRYSM_BASE_URL", gateway.url)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("PRYSM_API_KEY", "prysm_sk_of_an_admin")
    return lambda *args, **options: CliRunner().invoke(app, ["keys", *args], **options)


def test_the_text_of_a_new_key_alone_goes_to_stdout(gateway: ScriptedGateway, prysm: Callable[..., Result]) -> None:
    gateway.says("/v1/keys", {"key": TEXT, **ITEM}, 201)
    done = prysm(
        "create", "web", "--budget", "5", "--period", "month", "--rpm", "60", "--model", "a", "--tag", "k=v"
    )
    assert (done.exit_code, done.stdout) == (0, TEXT + "\n")
    assert "shown once" in done.stderr
    assert TEXT not in done.stderr
    body = {"name": "web", "budget_usd": 5.0, "budget_period": "month", "rpm": 60}
    assert gateway.asked[0].body == body | {"allowed_models": ["a"], "tags": ["k=v"]}
    assert json.loads(prysm("create", "web", "--json").stdout) == {"key": TEXT, **ITEM}
    assert gateway.asked[1].body == {"name": "web"}


def test_a_rotation_prints_the_new_text_once(gateway: ScriptedGateway, prysm: Callable[..., Result]) -> None:
    gateway.says(f"/v1/keys/{ID}/rotate", {"key": TEXT, **ITEM, "overlap_until": "2031-01-31T12:00:00Z"})
    done = prysm("rotate", ID, "--overlap", "60")
    assert (done.exit_code, done.stdout) == (0, TEXT + "\n")
    assert "works until 2031-01-31" in done.stderr
    assert gateway.asked[0].body == {"overlap_s": 60}


def test_keys_are_listed_to_the_last_page(gateway: ScriptedGateway, prysm: Callable[..., Result]) -> None:
    gateway.says("/v1/keys?limit=1000", {"data": [ITEM], "has_more": True})
    other = ITEM | {"id": "other", "status": "revoked", "budget_usd": None}
    gateway.says(f"/v1/keys?limit=1000&after={ID}", {"data": [other], "has_more": False})
    lines = [" ".join(line.split()) for line in prysm("list").stdout.splitlines()]
    assert lines[1:] == [
        f"{ID} web member default prysm_sk_abcdefghijkl active $5.00 / month –",
        "other web member default prysm_sk_abcdefghijkl revoked – –",
    ]
    assert [json.loads(line) for line in prysm("list", "--json").stdout.splitlines()] == [ITEM, other]


def test_a_key_is_shown_with_what_it_may(gateway: ScriptedGateway, prysm: Callable[..., Result]) -> None:
    gateway.says(f"/v1/keys/{ID}", ITEM)
    lines = {" ".join(line.split()) for line in prysm("show", ID).stdout.splitlines()}
    assert {f"id {ID}", "budget_usd 5", "allowed_models a, b"} <= lines
    assert json.loads(prysm("show", ID, "--json").stdout) == ITEM


def test_none_lifts_a_limit_and_what_is_not_said_stays(
    gateway: ScriptedGateway, prysm: Callable[..., Result]
) -> None:
    gateway.says(f"/v1/keys/{ID}", ITEM)
    done = prysm(
        "update", ID, "--rpm", "none", "--budget", "none", "--model", "none", "--tag", "none", "--no-cache"
    )
    assert done.exit_code == 0
    sent: dict[str, Any] = {"rpm": None, "budget_usd": None, "allowed_models": None, "tags": [], "cache": False}
    assert (gateway.asked[0].method, gateway.asked[0].body) == ("PATCH", sent)


def test_revoking_asks_first(gateway: ScriptedGateway, prysm: Callable[..., Result]) -> None:
    gateway.says(f"/v1/keys/{ID}", ITEM | {"status": "revoked"})
    assert prysm("revoke", ID, input="n\n").exit_code == 1
    assert [asked.method for asked in gateway.asked] == ["GET"]
    assert prysm("revoke", ID, "--yes").stdout == f"{ID} is revoked.\n"
    assert gateway.asked[-1].method == "DELETE"


@pytest.mark.parametrize("line", [("update", ID), ("create",), ("create", "x", "--rpm", "many"), ("rotate",), ()])
def test_what_cannot_be_meant_is_not_sent(
    gateway: ScriptedGateway, prysm: Callable[..., Result], line: tuple[str, ...]
) -> None:
    assert prysm(*line).exit_code == 2
    assert gateway.asked == []
