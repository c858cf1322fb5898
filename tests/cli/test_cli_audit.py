"""`prysm audit`: what administrators did, as pages from a gateway, and checked without one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.proof import made
from tests.proof.test_audited import document
from typer.testing import CliRunner

from prysm.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.scripted_gateway import ScriptedGateway
    from typer.testing import Result

    Prysm = Callable[..., Result]


@pytest.fixture
def prysm(gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch) -> Prysm:
    """Run the command against the scripted gateway."""
    monkeypatch.setenv("PRYSM_BASE_URL", gateway.url)
    monkeypatch.setenv("PRYSM_API_KEY", "prysm_sk_of_a_test")
    return lambda *args: CliRunner().invoke(app, [str(arg) for arg in args])


def event(name: str, index: int | None = None) -> dict[str, Any]:
    """An item of the list."""
    told = {name: value for name, value in document().items() if name != "proof"}
    return told | {"id": name, "log": None if index is None else {"origin": made.ORIGIN, "index": index}}


def two_pages(gateway: ScriptedGateway, limit: int) -> list[dict[str, Any]]:
    rows = [event("c"), event("b", 7), event("a", 5)]
    gateway.says(f"/v1/audit?limit={limit}", {"data": rows[:2], "has_more": True})
    gateway.says(f"/v1/audit?limit={limit}&after=b", {"data": rows[2:], "has_more": False})
    return rows


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """The published keys, saved."""
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [key.listed(made.ORIGIN) for key in made.KEYS]}))
    return path


def test_the_list_says_when_who_what_and_where_it_is_sealed(gateway: ScriptedGateway, prysm: Prysm) -> None:
    rows = two_pages(gateway, 50)
    done = prysm("audit", "list")
    first, *_, last = done.stdout.splitlines()
    assert first == '2026-11-20T15:22:22Z  root  key.create  a key  (waits for the log)  {"rpm": 1}'
    assert "(leaf 5)" in last
    listed = prysm("audit", "list", "--json").stdout.splitlines()
    assert [json.loads(line) for line in listed] == rows


def test_no_more_is_fetched_than_is_wanted(gateway: ScriptedGateway, prysm: Prysm) -> None:
    two_pages(gateway, 2)
    assert len(prysm("audit", "list", "--limit", 2).stdout.splitlines()) == 2
    assert len(gateway.asked) == 1


def test_what_was_exported_verifies_offline(
    gateway: ScriptedGateway, prysm: Prysm, keys: Path, tmp_path: Path
) -> None:
    two_pages(gateway, 1000)
    for name in "abc":
        gateway.says(f"/v1/audit/{name}", document())
    out = tmp_path / "events.jsonl"
    assert json.loads(prysm("audit", "export", "--out", out, "--json").stdout) == {"events": 3, "file": str(out)}
    assert not list(tmp_path.glob(".*"))
    asked = len(gateway.asked)
    done = prysm("audit", "verify", out, "--keys", keys)
    assert (done.exit_code, done.stdout) == (0, "3 of 3 events are in the log as they stand here\n")
    assert len(gateway.asked) == asked


def test_an_event_that_was_altered_or_waits_is_named(prysm: Prysm, keys: Path, tmp_path: Path) -> None:
    waits = document()
    waits["proof"]["log"] |= {"state": "pending"}
    events = [document(), document() | {"target": "another"}, waits]
    (tmp_path / "events").write_text("".join(json.dumps(each) + "\n" for each in events) + "no json\n")
    done = prysm("audit", "verify", tmp_path / "events", "--keys", keys)
    assert done.exit_code == 1
    bad, pending, nothing, sum_ = done.stdout.splitlines()
    assert (bad.split()[0], pending.split()[0], nothing.split()[0]) == ("BAD", "NOT", "BAD")
    assert sum_.startswith("1 of 4")
    listed = prysm("audit", "verify", tmp_path / "events", "--keys", keys, "--json").stdout.splitlines()
    assert [json.loads(line)["ok"] for line in listed] == [True, False, None, False]


def test_what_cannot_be_read_or_written_is_said(
    gateway: ScriptedGateway, prysm: Prysm, keys: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").touch()
    for file in ("empty", "absent"):
        assert prysm("audit", "verify", tmp_path / file, "--keys", keys).exit_code == 2
    two_pages(gateway, 1000)
    done = prysm("audit", "export", "--out", tmp_path / "absent" / "events")
    assert done.exit_code == 2
    assert "choose another --out" in done.stderr
