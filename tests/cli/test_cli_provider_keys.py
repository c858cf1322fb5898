"""`prysm keys provider` against a scripted gateway, and on a database of its own."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from prysm.accounts.sealed_key import Belongs, seal
from prysm.cli import app
from prysm.core.caller import DEFAULT_ID
from prysm.store.audit import Event
from prysm.store.database import Database
from prysm.store.isolation import acting_for
from prysm.store.provider_keys import KnownProviderKey
from prysm.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.scripted_gateway import ScriptedGateway
    from typer.testing import Result

    Prysm = Callable[..., Result]

ID = "97d1da70-4f52-4a2e-8e6f-5767e57013cd"
PATH = "/v1/providers/keys"
KEY = "sk-canary-of-a-tenant"
OLD, NEW = "the operator's key until now", "the operator's key from now on"
ITEM: dict[str, Any] = {
    "id": ID,
    "object": "provider_key",
    "provider": "openai",
    "label": None,
    "last4": "nant",
    "organisation": "acme",
    "status": "active",
    "created_at": "2026-11-20T12:00:00.000000Z",
    "revoked_at": None,
}


@pytest.fixture
def prysm(gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch) -> Prysm:
    """Run the command against the scripted gateway."""
    monkeypatch.setenv("PRYSM_BASE_URL", gateway.url)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("PRYSM_API_KEY", "prysm_sk_of_an_admin")
    return lambda *args, **options: CliRunner().invoke(app, ["keys", "provider", *args], **options)


def test_a_key_is_read_from_standard_input_and_not_shown(gateway: ScriptedGateway, prysm: Prysm) -> None:
    gateway.says(PATH, ITEM, 201)
    done = prysm("add", "openai", "--label", "team", "--org", "acme", input=KEY + "\n")
    assert (done.exit_code, done.stdout) == (0, f"openai is called with the key …nant for acme: {ID}\n")
    assert gateway.asked[0].body == {"provider": "openai", "api_key": KEY, "label": "team", "organisation": "acme"}
    assert json.loads(prysm("add", "openai", "--json", input=KEY).stdout) == ITEM
    assert KEY not in done.stdout + done.stderr


def test_all_pages_are_listed(gateway: ScriptedGateway, prysm: Prysm) -> None:
    other = ITEM | {"id": str(uuid4()), "status": "revoked"}
    gateway.says(f"{PATH}?limit=1000", {"data": [ITEM], "has_more": True})
    gateway.says(f"{PATH}?limit=1000&after={ID}", {"data": [other], "has_more": False})
    assert [json.loads(line) for line in prysm("list", "--json").stdout.splitlines()] == [ITEM, other]
    table = prysm("list").stdout
    assert all(word in table for word in (ID, other["id"], "openai", "nant", "acme", "revoked"))


def test_revoking_asks_first_and_says_of_what(gateway: ScriptedGateway, prysm: Prysm) -> None:
    gateway.says(f"{PATH}/{ID}", ITEM)
    refused = prysm("revoke", ID, input="n\n")
    assert (refused.exit_code, [asked.method for asked in gateway.asked]) == (1, ["GET"])
    assert "the key …nant of acme for openai" in refused.stderr
    assert prysm("revoke", ID, "--yes").stdout == f"{ID} is revoked.\n"
    assert gateway.asked[-1].method == "DELETE"


def test_rewrapping_needs_the_key_there_was(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(_store_a_key(database_url))
    monkeypatch.setenv("PRYSM_DATABASE_URL", database_url)
    monkeypatch.setenv("PRYSM_ENCRYPTION_KEY", NEW)
    old, wrong = tmp_path / "old.key", tmp_path / "wrong.key"
    old.write_text(OLD + "\n")
    wrong.write_text("some other key of an operator")
    done = [_rewrap(path) for path in (wrong, old, old, tmp_path / "none")]
    assert [found.exit_code for found in done] == [2, 0, 0, 2]
    assert [json.loads(found.stdout)["provider_keys"]["rewrapped"] for found in done[1:3]] == [1, 0]
    assert "--old-key-file" in done[3].stderr


def _rewrap(path: Path) -> Result:
    return CliRunner().invoke(app, ["keys", "rewrap", "--old-key-file", str(path), "--json"])


async def _store_a_key(url: str) -> None:
    belongs = Belongs(uuid4(), DEFAULT_ID, "openai")
    key = seal(Vault(OLD), KEY, belongs)
    known = KnownProviderKey(belongs.id, belongs.org, belongs.provider, key.wrapped_key, key.sealed)
    database = await Database.open(url)
    with acting_for(DEFAULT_ID):
        event = Event("provider_key.create", str(belongs.id), org=DEFAULT_ID)
        await database.provider_keys.create(event, known, None, KEY[-4:])
    await database.close()
