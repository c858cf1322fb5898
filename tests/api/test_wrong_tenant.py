"""One organisation with a thing of every kind, and another that tries all their ids wherever the OpenAPI takes one."""

from __future__ import annotations

import re
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.api.conftest import provider
from tests.api.holder import Holder, made, tenant
from tests.databases import database
from tests.serving import PROMPT, SANDBOX, Served, served

from prysm.accounts.access import is_public

if TYPE_CHECKING:
    from collections.abc import Iterator

BODIES: dict[str, dict[str, Any]] = {
    "/v1/keys/{key_id}": {"name": "x"},
    "/v1/keys/{key_id}/rotate": {"overlap_s": 0},
    "/v1/projects/{project_id}": {"name": "x"},
    "/v1/budgets/{budget_id}": {"hard": False},
    "/v1/organisations/{organisation_id}": {"name": "x"},
}
NAMING: dict[str, list[dict[str, Any]]] = {
    "/v1/feedback": [{"request_id": ..., "score": 1}],
    "/v1/keys": [{"name": "x", "organisation": ...}, {"name": "x", "project": ...}],
    "/v1/projects": [{"name": "x", "organisation": ...}],
    "/v1/budgets": [
        {"limit_usd": 1, "period": "day"} | {field: ...} for field in ("organisation", "project", "key")
    ],
    "/v1/providers/keys": [{"provider": "left-host", "api_key": "sk-own-canary", "organisation": ...}],
    "/v1/credits": [{"amount_usd": 1, "kind": "topup", "organisation": ...}],
    "/v1/responses": [{"model": "sandbox-small", "input": PROMPT, "previous_response_id": ...}],
}
"""What to send where a body can name a thing of a tenant's."""


@dataclass(frozen=True)
class Tenant:
    """An organisation, those who hold its keys, and the ids of its things."""

    admin: Holder
    member: Holder
    things: dict[str, str]

    def told(self) -> list[str]:
        """Everything that it can read about itself, but for what everybody's requests change."""
        paths = ("keys", "projects", "budgets", "providers/keys", "credits", "usage", "feedback", "audit")
        kept = f"responses/{self.things['response']}"
        return [self.admin.get(f"/v1/{path}").text for path in paths] + [self.member.get(f"/v1/{kept}").text]


@pytest.fixture(scope="module")
def gateway(postgres_url: str) -> Iterator[Served]:
    """Text is kept, and there is a provider to bring keys for."""
    toml = '[retention]\ncontent = "1h"\n' + SANDBOX + provider("left", "http://127.0.0.1:9/v1")
    with (
        tempfile.TemporaryDirectory(prefix="prysm-api-") as folder,
        database(postgres_url) as url,
        served(Path(folder), toml, url) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def theirs(gateway: Served) -> Tenant:
    name, admin = tenant(gateway)
    key = made(gateway, admin, name=f"key-{name}")
    member = Holder(gateway.url, key["key"])

    def make(path: str, body: dict[str, Any], by: Holder = admin) -> dict[str, Any]:
        response = by.post(path, body)
        assert response.status_code in (200, 201), response.text
        item: dict[str, Any] = response.json()
        return item

    def two(path: str, **body: Any) -> str:
        """The id of the newer of two: what comes after it is theirs as well."""
        made_ids = [make(path, body | ({"name": f"{name}-{i}"} if "name" in body else {}))["id"] for i in (0, 1)]
        return str(made_ids[1])

    run = make(
        "/v1/chat/completions", {"model": "sandbox-small", "messages": [{"role": "user", "content": name}]}, member
    )
    make("/v1/feedback", {"request_id": run["id"], "score": 0.5}, member)
    booked = {"organisation": name, "amount_usd": 1, "kind": "topup", "note": f"note-{name}"}
    assert gateway.http.post("/v1/credits", json=booked).status_code == 201
    listed = gateway.http.get("/v1/organisations?limit=1000").json()["data"]
    things = {
        "organisation": next(one["id"] for one in listed if one["name"] == name),
        "key": key["id"],
        "prefix": key["prefix"],
        "project": two("/v1/projects", name=...),
        "budget": two("/v1/budgets", tag=f"of={name}", limit_usd=7, period="day"),
        "provider key": two("/v1/providers/keys", provider="left-host", api_key="sk-own-canary-of-theirs"),
        "run": run["prysm"]["request_id"],
        "response": make("/v1/responses", {"model": "sandbox-small", "input": name}, member)["id"],
        "event": admin.get("/v1/audit").json()["data"][0]["id"],
        "name": name,
    }
    return Tenant(admin, member, things)


@pytest.fixture(scope="module")
def ours(gateway: Served) -> Iterator[list[httpx.Client]]:
    """An admin and a member of another organisation, each over one connection: they ask thousands of times."""
    _, admin = tenant(gateway)
    with ExitStack() as opened:
        yield [
            opened.enter_context(
                httpx.Client(base_url=gateway.url, headers={"authorization": f"Bearer {key}"}, trust_env=False)
            )
            for key in (admin.key, made(gateway, admin)["key"])
        ]


@pytest.fixture
def untouched(theirs: Tenant) -> Iterator[None]:
    before = theirs.told()
    assert "" not in before
    yield
    assert theirs.told() == before


def like(id_: str) -> str:
    """What nobody has, in the same form."""
    if id_.startswith("resp_"):
        return f"resp_{uuid4().hex}"
    try:
        return str(uuid4()) if UUID(id_) else id_
    except ValueError:
        return f"{id_[:-12]}{uuid4().hex[:12]}"


def same(who: httpx.Client, theirs: Tenant, id_: str, asked: tuple[str, str], body: object = None) -> None:
    """A thing of theirs is answered as one that nobody has, and nothing of theirs is in the answer."""
    (method, path), other = asked, like(id_)
    answers = [ask_for(who, method, path, body, each) for each in (id_, other)]
    told = [(each.status_code, each.text.replace(id_, "").replace(other, "")) for each in answers]
    assert told[0][0] == told[1][0], (method, path, body, told)
    assert told[0][0] < 500
    for thing in theirs.things.values():
        assert thing not in told[0][1], (method, path, body, thing)


def ask_for(who: httpx.Client, method: str, path: str, body: object, id_: str) -> httpx.Response:
    """Ask with the id wherever the path and the body leave room for one."""
    filled = (
        {name: id_ if value is ... else value for name, value in body.items()} if isinstance(body, dict) else None
    )
    return who.request(method, re.sub(r"{\w+}", id_, path), json=filled)


@pytest.mark.usefixtures("untouched")
def test_no_route_that_takes_an_id_tells_or_changes_a_thing_of_another_organisation(
    gateway: Served, theirs: Tenant, ours: list[httpx.Client]
) -> None:
    tried = set()
    for path, methods in gateway.http.get("/openapi.json").json()["paths"].items():
        if "{" not in path or is_public(re.sub(r"{\w+}", "0", path), proofs=True):
            continue
        for method in methods:
            tried.add((method, path))
            for id_ in theirs.things.values():
                for who in ours:
                    same(who, theirs, id_, (method.upper(), path), BODIES.get(path))
    assert len(tried) >= 19


@pytest.mark.usefixtures("untouched")
def test_no_list_tells_a_thing_of_another_organisation_whatever_it_is_asked_with(
    gateway: Served, theirs: Tenant, ours: list[httpx.Client]
) -> None:
    for path, methods in gateway.http.get("/openapi.json").json()["paths"].items():
        if "get" not in methods or "{" in path or is_public(path, proofs=True):
            continue
        queries = [each["name"] for each in methods["get"].get("parameters", ()) if each["in"] == "query"]
        for who in ours:
            assert not [thing for thing in theirs.things.values() if thing in who.get(path).text], path
            for query in queries:
                for id_ in theirs.things.values():
                    same(who, theirs, id_, ("GET", f"{path}?{query}={{id}}"))


@pytest.mark.usefixtures("untouched")
def test_no_body_that_names_a_thing_of_another_organisation_gets_anywhere(
    theirs: Tenant, ours: list[httpx.Client]
) -> None:
    for path, bodies in NAMING.items():
        for body in bodies:
            for id_ in theirs.things.values():
                for who in ours:
                    same(who, theirs, id_, ("POST", path), body)
                    assert ask_for(who, "POST", path, body, id_).status_code in (400, 403, 404, 422), (
                        path,
                        body,
                    )


def test_what_was_tried_works_for_those_whose_it_is(gateway: Served, theirs: Tenant) -> None:
    for thing, path in (
        *(("key", "/v1/keys/"), ("project", "/v1/projects/"), ("budget", "/v1/budgets/")),
        *(("provider key", "/v1/providers/keys/"), ("event", "/v1/audit/"), ("run", "/v1/proof/")),
    ):
        assert theirs.admin.get(path + theirs.things[thing]).status_code == 200, thing
    assert theirs.member.get(f"/v1/responses/{theirs.things['response']}").status_code == 200
    assert gateway.http.get(f"/v1/organisations/{theirs.things['organisation']}").status_code == 200
