"""Every route of the OpenAPI document, tried without a key, with a reader's, and with one of another organisation."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from tests.api.holder import Holder, holder, made, tenant
from tests.api.wire import error

from prysm.accounts.access import ALL, ROOT, need
from prysm.accounts.access import is_public as public

if TYPE_CHECKING:
    from tests.serving import Served

    from prysm.core.caller import Role

BODIES = {"POST": {"overlap_s": 0}, "PATCH": {"name": "x"}}
is_public = partial(public, proofs=True)
EACH: tuple[Role, ...] = ("reader", "member", "admin")


def routes(gateway: Served) -> list[tuple[str, str]]:
    """Method and path of every route, ids and all else filled in."""
    document = gateway.http.get("/openapi.json").json()
    return [
        (method.upper(), re.sub(r"{(\w+)}", lambda found: _value(found[1]), path))
        for path, methods in document["paths"].items()
        for method in methods
    ]


def _value(name: str) -> str:
    return "0" if name == "i" else str(uuid4())


def test_no_route_opens_without_a_key_unless_it_is_public(sandbox: Served) -> None:
    nobody = Holder(sandbox.url)
    stranger = Holder(sandbox.url, f"prysm_sk_{'a' * 12}{'b' * 43}")
    for method, path in routes(sandbox):
        for who in (nobody, stranger):
            status = who.ask(method, path).status_code
            assert (status == 401) is not is_public(path), (method, path, status)


@pytest.mark.parametrize("role", EACH)
def test_a_route_opens_to_the_roles_of_the_table_and_to_no_other(sandbox: Served, role: Role) -> None:
    who = holder(sandbox, role=role)
    for method, path in routes(sandbox):
        if is_public(path):
            continue
        allowed = role in need(method, path).roles
        response = who.ask(method, path)
        assert (response.status_code == 403) is not allowed, (method, path, response.status_code)
        if not allowed and not path.startswith("/v1/messages"):
            assert error(response) == (403, "forbidden")
        if role == "reader" and allowed:
            assert method == "GET"


def test_every_route_is_listed_or_known_to_be_roots(sandbox: Served) -> None:
    alone = {
        re.sub(r"[0-9a-f-]{36}", "ID", f"{method} {path}")
        for method, path in routes(sandbox)
        if not is_public(path) and need(method, path).roles == ROOT
    }
    assert alone >= {"GET /v1/organisations", "POST /v1/organisations", "GET /v1/organisations/ID"}
    who = holder(sandbox, role="admin")
    for line in alone:
        assert error(who.ask(*line.replace("ID", str(uuid4())).split())) == (403, "forbidden")


def test_an_address_that_is_not_there_takes_the_root_key(sandbox: Served) -> None:
    for role in EACH:
        assert error(holder(sandbox, role=role).get("/v1/nowhere")) == (403, "forbidden")
    assert error(sandbox.http.get("/v1/nowhere")) == (404, "not_found")


def test_a_thing_of_another_organisation_is_one_that_is_not_there(sandbox: Served) -> None:
    theirs, other = tenant(sandbox)
    _, admin = tenant(sandbox)
    key = made(sandbox, other, budget_usd=1)["id"]
    foreign = {
        "key_id": key,
        "budget_id": key,  # that of a key has the key's id
        "project_id": other.get("/v1/projects").json()["data"][0]["id"],
        "event_id": sandbox.http.get("/v1/audit?limit=1").json()["data"][0]["id"],
        "response_id": str(uuid4()),  # none is kept here: tests/api/test_responses_kept.py has some
    }
    assert other.get(f"/v1/audit/{foreign['event_id']}").status_code == 200
    tried = set()
    for method, path, name in with_ids(sandbox, "admin"):
        mine, nobodys = (
            admin.ask(method, path.replace(f"{{{name}}}", id_), {} if name == "budget_id" else BODIES.get(method))
            for id_ in (foreign[name], str(uuid4()))
        )
        assert mine.status_code == nobodys.status_code == (400 if path.endswith("/cancel") else 404), (method, path)
        assert mine.json()["error"]["code"] == nobodys.json()["error"]["code"]
        tried.add(name)
    assert tried == foreign.keys()
    assert theirs not in "".join(admin.get(f"/v1/{each}").text for each in ("keys", "projects", "audit"))
    assert other.get(f"/v1/keys/{key}").json()["status"] == "active"


def with_ids(gateway: Served, role: Role) -> list[tuple[str, str, str]]:
    """Method, path and parameter of the routes that take the id of something that is a tenant's."""
    found = []
    for path, methods in gateway.http.get("/openapi.json").json()["paths"].items():
        filled, name = re.sub(r"[{}]", "", path), re.search(r"{(\w+)}", path)
        if name and name[1] != "model_id" and not is_public(filled):
            found += [(each.upper(), path, name[1]) for each in methods if role in need(each.upper(), filled).roles]
    return found


def test_the_table_lists_no_role_that_there_is_not() -> None:
    assert set(EACH) | {"root"} == ALL
