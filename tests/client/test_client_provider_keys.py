"""`client.provider_keys`: what each call sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from prysm import AsyncPrysm, Prysm

if TYPE_CHECKING:
    from tests.scripted_gateway import ScriptedGateway

ID, PATH = "a/b", "/v1/providers/keys"
CALLS: list[tuple[str, tuple[str, ...], dict[str, Any], tuple[str, str, Any]]] = [
    (
        "create",
        ("openai", "sk-x"),
        {"label": "web"},
        ("POST", PATH, {"provider": "openai", "api_key": "sk-x", "label": "web"}),
    ),
    ("list", (), {"limit": 2, "after": ID}, ("GET", f"{PATH}?limit=2&after=a%2Fb", None)),
    ("get", (ID,), {}, ("GET", f"{PATH}/a%2Fb", None)),
    ("revoke", (ID,), {}, ("DELETE", f"{PATH}/a%2Fb", None)),
]


@pytest.mark.parametrize(("name", "given", "fields", "sent"), CALLS)
async def test_each_call_is_one_request(
    gateway: ScriptedGateway,
    name: str,
    given: tuple[str, ...],
    fields: dict[str, Any],
    sent: tuple[str, str, Any],
) -> None:
    gateway.says(sent[1], {"id": "x"})
    with Prysm("a-key", gateway.url) as client:
        assert getattr(client.provider_keys, name)(*given, **fields) == {"id": "x"}
    async with AsyncPrysm("a-key", gateway.url) as waiting:
        assert await getattr(waiting.provider_keys, name)(*given, **fields) == {"id": "x"}
    assert [(asked.method, asked.path, asked.body) for asked in gateway.asked] == [sent, sent]
