"""One request carries one key: where several came that differ, nobody guesses which tenant is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from tests.api.holder import made, tenant
from tests.api.wire import error
from tests.serving import ROOT_KEY

from prysm.accounts.keys import new_key

if TYPE_CHECKING:
    from tests.serving import Served

CHAT = {"model": "sandbox-small", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}


def ask(gateway: Served, *headers: tuple[str, str], path: str = "/v1/chat/completions") -> httpx.Response:
    """Send a chat with just these headers, in this order."""
    return httpx.post(gateway.url + path, json=CHAT, headers=list(headers), timeout=20, trust_env=False)


@pytest.fixture(scope="module")
def keys(sandbox: Served) -> tuple[str, str]:
    """The keys of two organisations' members."""
    first, second = (made(sandbox, tenant(sandbox)[1])["key"] for _ in range(2))
    return first, second


def several(first: str, second: str) -> list[tuple[tuple[str, str], ...]]:
    """Every way to send two keys."""
    return [
        (("authorization", f"Bearer {first}"), ("authorization", f"Bearer {second}")),
        (("x-api-key", first), ("x-api-key", second)),
        (("authorization", f"Bearer {first}"), ("x-api-key", second)),
        (("x-api-key", first), ("authorization", f"Bearer {second}")),
        (("authorization", f"Bearer {first}"), ("x-api-key", first), ("x-api-key", second)),
    ]


def test_keys_that_differ_are_refused_whichever_came_first(sandbox: Served, keys: tuple[str, str]) -> None:
    for pair in (keys, keys[::-1], (keys[0], new_key(bytes(32)).text)):
        for headers in several(*pair):
            refused = ask(sandbox, *headers)
            assert error(refused) == (400, "invalid_request"), headers
            assert "x-api-key" in refused.text
            assert not [key for key in pair if key in refused.text]


def test_the_refusal_has_the_shape_of_its_surface(sandbox: Served, keys: tuple[str, str]) -> None:
    headers = several(*keys)[2]
    refused = ask(sandbox, *headers, path="/v1/messages")
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error")
    assert error(httpx.get(f"{sandbox.url}/v1/usage", headers=list(headers))) == (400, "invalid_request")


def test_another_scheme_beside_a_key_is_another_credential(sandbox: Served, keys: tuple[str, str]) -> None:
    assert ask(sandbox, ("authorization", "Basic dTpw"), ("x-api-key", keys[0])).status_code == 400


def test_a_vendors_key_beside_a_bearer_is_passed_over(sandbox: Served, keys: tuple[str, str]) -> None:
    bearer, vendors = ("authorization", f"Bearer {keys[0]}"), ("x-api-key", "sk-ant-none-of-ours")
    assert ask(sandbox, vendors, bearer).status_code == 200
    assert ask(sandbox, ("x-api-key", keys[0]), ("authorization", "Bearer sk-none-of-ours")).status_code == 400
    assert ask(sandbox, vendors, ("x-api-key", keys[0])).status_code == 400


def test_no_spelling_hides_a_second_key_of_ours(sandbox: Served, keys: tuple[str, str]) -> None:
    bearer = ("authorization", f"Bearer {keys[0]}")
    for second in (ROOT_KEY, f"Bearer {keys[1]}", f"{keys[1]},{keys[0]}"):
        assert ask(sandbox, bearer, ("x-api-key", second)).status_code == 400, second


def test_one_key_may_be_said_twice(sandbox: Served, keys: tuple[str, str]) -> None:
    for headers in several(keys[0], keys[0]):
        assert ask(sandbox, *headers).status_code == 200, headers
    spelled = ask(sandbox, ("authorization", f"bearer  {keys[0]}"), ("authorization", f"Bearer {keys[0]}"))
    assert spelled.status_code == 200


def test_where_no_key_is_asked_for_none_is_looked_at(sandbox: Served, keys: tuple[str, str]) -> None:
    for headers in several(*keys):
        assert httpx.get(f"{sandbox.url}/health", headers=list(headers)).status_code == 200
