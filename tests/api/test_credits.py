"""Credits over HTTP: double entry, exact, never below zero."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from tests.api.used import made_key, made_organisation
from tests.api.wire import error

from prysm.client import Prysm
from prysm.store.ledger import ledger_defects

if TYPE_CHECKING:
    import httpx
    from tests.serving import Served

URL = "/v1/credits"


@pytest.fixture
def org(sandbox: Served) -> str:
    return made_organisation(sandbox, prepaid=True)


def book(gateway: Served, org: str, amount: float, kind: str = "topup", **more: Any) -> httpx.Response:
    return gateway.http.post(URL, json={"organisation": org, "amount_usd": amount, "kind": kind} | more)


def left(gateway: Served, org: str) -> str:
    found = gateway.http.get(URL, params={"organisation": org}).json()
    return str(found["balance"]["credits_usd"])


def defects(gateway: Served, org: str) -> list[str]:
    """What is wrong in the books of an organisation."""

    async def look() -> list[str]:
        connection = await asyncpg.connect(gateway.database_url)
        try:
            return [one for one in await ledger_defects(connection) if org in one]
        finally:
            await connection.close()

    return asyncio.run(look())


def test_credits_are_given_and_taken_to_the_nano_dollar(sandbox: Served, org: str) -> None:
    given = book(sandbox, org, 25.000000001, note="invoice 7")
    assert given.status_code == 201
    assert given.json()["balance"] == {
        "credits_usd": "25.000000001",
        "held_usd": "0.000000000",
        "spent_usd": "0.000000000",
    }
    book(sandbox, org, 0.1, "trial")
    book(sandbox, org, -5.000000001, "adjust")
    found = sandbox.http.get(URL, params={"organisation": org}).json()
    assert found["balance"]["credits_usd"] == "20.100000000"
    assert [(one["kind"], one["from"], one["to"], one["amount_usd"], one["note"]) for one in found["entries"]] == [
        ("adjust", "credits", "funding", "5.000000001", None),
        ("trial", "funding", "credits", "0.100000000", None),
        ("topup", "funding", "credits", "25.000000001", "invoice 7"),
    ]
    assert found["entries"][-1]["request_id"] == given.json()["id"]
    assert defects(sandbox, org) == []


def test_no_more_is_taken_than_there_is(sandbox: Served, org: str) -> None:
    assert error(book(sandbox, org, -0.01, "adjust")) == (422, "invalid_request")
    book(sandbox, org, 1)
    assert error(book(sandbox, org, -1.000000001, "adjust")) == (422, "invalid_request")
    assert book(sandbox, org, -1, "adjust").status_code == 201
    assert left(sandbox, org) == "0.000000000"
    assert defects(sandbox, org) == []


def test_many_at_once_take_no_more_than_there_is(sandbox: Served, org: str) -> None:
    book(sandbox, org, 1)
    with ThreadPoolExecutor(8) as several:
        done = [
            *several.map(lambda i: book(sandbox, org, 0.1 if i % 3 == 0 else -0.3, "adjust").status_code, range(24))
        ]
    given, taken = 8, done.count(201) - 8
    assert set(done) == {201, 422}
    assert left(sandbox, org) == f"{1 + given / 10 - 3 * taken / 10:.9f}"
    assert defects(sandbox, org) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount_usd": 0},
        {"amount_usd": -1},
        {"amount_usd": 2e6},
        {"amount_usd": "1"},
        {"amount_usd": 1e-10},
        {"kind": "hold"},
        {"kind": "settle"},
        {"note": "x" * 501},
        {"note": "two\nlines"},
        {"organisation": None},
    ],
)
def test_a_booking_that_is_none_is_refused(sandbox: Served, org: str, wrong: dict[str, Any]) -> None:
    body = {"organisation": org, "amount_usd": 1, "kind": "topup"} | wrong
    assert error(sandbox.http.post(URL, json=body)) == (422, "invalid_request")
    assert left(sandbox, org) == "0.000000000"


def test_an_admin_sees_its_credits_and_books_none(sandbox: Served, org: str) -> None:
    book(sandbox, org, 3)
    admin, _ = made_key(sandbox, "admin", organisation=org)
    found = sandbox.http.get(URL, headers=admin).json()
    assert (found["organisation"], found["balance"]["credits_usd"]) == (org, "3.000000000")
    body = {"organisation": org, "amount_usd": 1, "kind": "topup"}
    assert error(sandbox.http.post(URL, json=body, headers=admin)) == (403, "forbidden")
    other = made_organisation(sandbox)
    assert error(sandbox.http.get(URL, params={"organisation": other}, headers=admin)) == (404, "not_found")
    member, _ = made_key(sandbox, organisation=org)
    assert error(sandbox.http.get(URL, headers=member)) == (403, "forbidden")
    assert error(book(sandbox, "nobody's", 1)) == (404, "not_found")


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 1001}, {"after": 0}, {"after": 2**63}])
def test_a_page_that_cannot_be_is_refused(sandbox: Served, query: dict[str, int]) -> None:
    assert error(sandbox.http.get(URL, params=query)) == (422, "invalid_request")


@pytest.mark.parametrize("name", ["\x00", "\u202e", "x" * 101, ""])
def test_an_organisation_that_cannot_be_is_refused(sandbox: Served, name: str) -> None:
    assert error(sandbox.http.get(URL, params={"organisation": name})) == (422, "invalid_request")


def test_the_ledger_is_read_page_by_page(sandbox: Served, org: str) -> None:
    for amount in (1, 2, 3):
        book(sandbox, org, amount)
    first = sandbox.http.get(URL, params={"organisation": org, "limit": 2}).json()
    after = first["entries"][-1]["id"]
    rest = sandbox.http.get(URL, params={"organisation": org, "limit": 2, "after": after}).json()
    amounts = [one["amount_usd"][0] for one in (*first["entries"], *rest["entries"])]
    assert (amounts, first["has_more"], rest["has_more"]) == (["3", "2", "1"], True, False)


def test_a_booking_is_on_record(sandbox: Served, org: str) -> None:
    made = book(sandbox, org, 3, note="why").json()
    (event, *_) = sandbox.http.get("/v1/audit").json()["data"]
    assert (event["action"], event["target"]) == ("credits.book", org)
    assert event["detail"] == {"id": made["id"], "kind": "topup", "amount_usd": "3.000000000", "note": "why"}


def test_the_client_books_credits(sandbox: Served, org: str) -> None:
    key = sandbox.http.headers["authorization"].removeprefix("Bearer ")
    with Prysm(key, sandbox.url) as client:
        assert client.credits.book(org, 1.25, "trial").balance["credits_usd"] == "1.250000000"
        assert client.credits.get(org).entries[0]["kind"] == "trial"
