"""What a key may not do in one step it does not do in two at the same moment either, at one gateway or at two."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import asyncpg
import httpx
import pytest
from tests.databases import database
from tests.serving import AUTHORIZED, SANDBOX, Served, served
from tests.store.waiting import eventually

from prysm.store import alone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from prysm.store.connection import Connection

ROUNDS = 6
SECOND = {"limit_usd": 0.9, "period": "total"}
ONE_DOLLAR = {"name": "of a race", "role": "admin", "budget_usd": 1, "budget_period": "total"}
LOCKED_BY_ANOTHER = """
    SELECT pg_advisory_xact_lock(hashtextextended('keys:' || id, 0)) FROM organisation WHERE name = $1
"""
HAPPENED = "SELECT action FROM audit_event WHERE target = ANY ($1::text[]) ORDER BY at"
ORDER = ["key.create", "key.revoke"]
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'api_secret'::regclass"


class Asked(NamedTuple):
    """One request of the key `key`."""

    method: str
    path: str
    body: dict[str, Any] | None
    key: str


class Racers:
    """Clients that are connected already, one for each request of a race, each of a gateway in turn."""

    def __init__(self, clients: list[httpx.AsyncClient]) -> None:
        self.clients = clients

    async def root(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """What the first gateway answers the root key."""
        response = await self.clients[0].request(method, path, json=body, headers=AUTHORIZED)
        assert response.is_success, response.text
        found: dict[str, Any] = response.json()
        return found

    async def race(self, *requests: Asked) -> list[httpx.Response]:
        """The answers to one request of each client, sent at the same moment."""
        return await asyncio.gather(*map(self._ask, self.clients, requests))

    async def ask(self, request: Asked) -> dict[str, Any]:
        """What the first gateway answers."""
        response = await self._ask(self.clients[0], request)
        assert response.is_success, response.text
        found: dict[str, Any] = response.json()
        return found

    async def _ask(self, client: httpx.AsyncClient, request: Asked) -> httpx.Response:
        headers = {"authorization": f"Bearer {request.key}"}
        return await client.request(request.method, request.path, json=request.body, headers=headers)


@pytest.fixture(scope="module")
def gateways(postgres_url: str) -> Iterator[list[Served]]:
    """Two gateways on one database."""
    with (
        tempfile.TemporaryDirectory(prefix="prysm-api-") as one,
        tempfile.TemporaryDirectory(prefix="prysm-api-") as two,
        database(postgres_url) as url,
        served(Path(one), SANDBOX, url) as first,
    ):
        shutil.copy(Path(one) / "encryption.key", two)
        with served(Path(two), SANDBOX, url) as second:
            yield [first, second]


@pytest.fixture(params=["one gateway", "two gateways"])
async def racers(request: pytest.FixtureRequest, gateways: list[Served]) -> AsyncIterator[Racers]:
    urls = [gateways[0].url, gateways[request.param == "two gateways"].url]
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=20, trust_env=False))
            for url in urls
        ]
        await asyncio.gather(*(client.get("/health") for client in clients))
        yield Racers(clients)


@pytest.fixture
async def database_of_both(gateways: list[Served]) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(gateways[0].database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def org(racers: Racers) -> str:
    found = await racers.root("POST", "/v1/organisations", {"name": f"org-{uuid4().hex}"})
    return str(found["name"])


@pytest.fixture
async def makers(racers: Racers, org: str) -> list[dict[str, Any]]:
    """Two admins of one dollar each."""
    return [await _maker(racers, org) for _ in range(2)]


@pytest.fixture
def maker(makers: list[dict[str, Any]]) -> dict[str, Any]:
    """One of them."""
    return makers[0]


async def _maker(racers: Racers, org: str) -> dict[str, Any]:
    return await _known(racers, await racers.root("POST", "/v1/keys", ONE_DOLLAR | {"organisation": org}))


async def _known(racers: Racers, key: dict[str, Any]) -> dict[str, Any]:
    """The key, once every gateway knows it."""
    headers = {"authorization": f"Bearer {key['key']}"}

    async def everywhere() -> bool:
        answers = [await client.get("/v1/models", headers=headers) for client in racers.clients]
        return all(answer.is_success for answer in answers)

    await eventually(everywhere)
    return key


async def _two_budgets(racers: Racers, by: str) -> tuple[str, str]:
    """A new key with a dollar and another budget of 90 cents: the ids of both."""
    child = await racers.ask(Asked("POST", "/v1/keys", ONE_DOLLAR, by))
    second = await racers.ask(Asked("POST", "/v1/budgets", SECOND | {"key": child["id"]}, by))
    return child["id"], second["id"]


def _pair(name: str, child: str, second: str, one: str, by: str) -> tuple[Asked, Asked]:
    delete = Asked("DELETE", f"/v1/budgets/{second}", None, one)
    return delete, {
        "lifted with the key": Asked("PATCH", f"/v1/keys/{child}", {"budget_usd": None}, by),
        "raised with the key": Asked("PATCH", f"/v1/keys/{child}", {"budget_usd": 9}, by),
        "ended": Asked("DELETE", f"/v1/budgets/{child}", None, by),
        "made soft": Asked("PATCH", f"/v1/budgets/{child}", {"hard": False}, by),
    }[name]


@pytest.mark.parametrize("who", [(0, 0), (0, 1)], ids=["by one key", "by two keys"])
@pytest.mark.parametrize("name", ["lifted with the key", "raised with the key", "ended", "made soft"])
async def test_of_two_budgets_over_a_key_one_stays_though_both_are_taken_away_at_once(
    racers: Racers, makers: list[dict[str, Any]], name: str, who: tuple[int, int]
) -> None:
    one, other = (makers[n]["key"] for n in who)
    for _ in range(ROUNDS):
        child, second = await _two_budgets(racers, one)
        answers = await racers.race(*_pair(name, child, second, one, other))
        assert sorted(answer.status_code for answer in answers) == [200, 403], [each.text for each in answers]
        budgets = (await racers.root("GET", "/v1/budgets?limit=50"))["data"]
        assert any(each["hard"] and each["limit_usd"] <= 1 for each in budgets if each["key"] == child)


async def test_what_a_key_made_it_made_before_it_was_revoked(
    racers: Racers, org: str, database_of_both: Connection
) -> None:
    root_made = {"name": "of a race", "role": "admin", "organisation": org}
    other = await _known(racers, await racers.root("POST", "/v1/keys", root_made))
    for _ in range(ROUNDS):
        key = await _known(racers, await racers.root("POST", "/v1/keys", root_made))
        made, revoked = await racers.race(
            Asked("POST", "/v1/keys", {"name": "late", "role": "admin"}, key["key"]),
            Asked("DELETE", f"/v1/keys/{key['id']}", None, other["key"]),
        )
        assert revoked.status_code == 200
        assert made.status_code in (201, 401)
        if made.status_code == 201:
            ids = [made.json()["id"], key["id"]]
            assert [row["action"] for row in await database_of_both.fetch(HAPPENED, ids)][1:] == ORDER


async def test_a_key_that_is_restricted_meanwhile_gives_what_it_has_by_then(racers: Racers, org: str) -> None:
    root_made = {"name": "of a race", "role": "admin", "organisation": org}
    other = await _known(racers, await racers.root("POST", "/v1/keys", root_made))
    for restriction, refusal in (({"rpm": 5}, "rpm"), ({"scopes": ["chat"]}, None), ({"role": "member"}, None)):
        for _ in range(ROUNDS // 2):
            key = await _known(racers, await racers.root("POST", "/v1/keys", root_made))
            made, changed = await racers.race(
                Asked("POST", "/v1/keys", {"name": "late", "role": "admin"}, key["key"]),
                Asked("PATCH", f"/v1/keys/{key['id']}", restriction, other["key"]),
            )
            assert changed.status_code == 200
            assert made.status_code == 201 or made.json()["error"]["param"] == refusal


async def test_a_key_that_root_revoked_does_nothing_after_the_answer(
    racers: Racers, maker: dict[str, Any], database_of_both: Connection
) -> None:
    async with database_of_both.transaction():
        await database_of_both.execute("LOCK api_secret IN EXCLUSIVE MODE")
        making = asyncio.create_task(racers.ask(Asked("POST", "/v1/keys", ONE_DOLLAR, maker["key"])))
        await eventually(lambda: database_of_both.fetchval(WAITING))
        revoking = asyncio.create_task(racers.root("DELETE", f"/v1/keys/{maker['id']}"))
        await asyncio.wait([revoking], timeout=0.3)
        assert not revoking.done()
    assert (await making)["budget_usd"] == 1
    assert (await revoking)["status"] == "revoked"


async def test_many_changes_at_once_are_all_made_in_turn(racers: Racers, maker: dict[str, Any]) -> None:
    two = [Asked("POST", "/v1/keys", ONE_DOLLAR, maker["key"])] * 2
    answers = await asyncio.gather(*(racers.race(*two) for _ in range(10)))
    assert {answer.status_code for pair in answers for answer in pair} == {201}


async def test_who_does_not_get_its_turn_is_told_to_come_back_and_others_are_served(
    racers: Racers, org: str, maker: dict[str, Any], database_of_both: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alone, "TIMEOUT_S", 0.5)
    crowd = [Asked("POST", "/v1/keys", ONE_DOLLAR, maker["key"])] * 2
    async with database_of_both.transaction():
        await database_of_both.execute(LOCKED_BY_ANOTHER, org)
        answers = await asyncio.gather(*(racers.race(*crowd) for _ in range(5)))
        assert {answer.status_code for pair in answers for answer in pair} == {503}
        assert answers[0][0].json()["error"]["code"] == "overloaded"
        assert (await racers.root("PATCH", f"/v1/keys/{maker['id']}", {"name": "root's"}))["name"] == "root's"
        assert await racers.ask(Asked("GET", "/v1/keys", None, maker["key"]))
    assert (await racers.ask(crowd[0]))["budget_usd"] == 1
