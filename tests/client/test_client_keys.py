"""`client.keys`: what each call sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from prysm import AsyncPrysm, Prysm

if TYPE_CHECKING:
    from tests.scripted_gateway import ScriptedGateway

ID = "a/b"
CALLS: list[tuple[str, tuple[str, ...], dict[str, Any], tuple[str, str, Any]]] = [
    ("create", ("web",), {"rpm": 5, "tags": []}, ("POST", "/v1/keys", {"name": "web", "rpm": 5, "tags": []})),
    ("list", (), {"limit": 2, "after": ID}, ("GET", "/v1/keys?limit=2&after=a%2Fb", None)),
    ("get", (ID,), {}, ("GET", "/v1/keys/a%2Fb", None)),
    ("update", (ID,), {"rpm": None}, ("PATCH", "/v1/keys/a%2Fb", {"rpm": None})),
    ("rotate", (ID,), {"overlap_s": 0}, ("POST", "/v1/keys/a%2Fb/rotate", {"overlap_s": 0})),
    ("revoke", (ID,), {}, ("DELETE", "/v1/keys/a%2Fb", None)),
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
        assert getattr(client.keys, name)(*given, **fields) == {"id": "x"}
    async with AsyncPrysm("a-key", gateway.url) as waiting:
        assert await getattr(waiting.keys, name)(*given, **fields) == {"id": "x"}
    assert [(asked.method, asked.path, asked.body) for asked in gateway.asked] == [sent, sent]
