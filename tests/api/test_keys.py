"""Keys over HTTP: what an administrator makes, changes and voids, and what each of them then may."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from tests.api.holder import Holder, holder, made, tenant
from tests.api.wire import error
from tests.serving import ROOT_KEY

if TYPE_CHECKING:
    from tests.serving import Served

UNLIMITED: dict[str, Any] = {
    "scopes": None,
    "budget_usd": None,
    "budget_period": None,
    "rpm": None,
    "tpm": None,
    "concurrency": None,
    "allowed_models": None,
    "allowed_strategies": None,
    "retention": None,
    "cache": False,
    "tags": [],
    "expires_at": None,
    "overlap_until": None,
    "revoked_at": None,
}


def test_a_key_is_shown_once_and_works_at_once(sandbox: Served) -> None:
    key = made(sandbox, name="web")
    text = key.pop("key")
    assert text.startswith(key["prefix"])
    assert (len(key["prefix"]), len(text)) == (21, 64)
    about = {"object": "key", "name": "web", "role": "member", "status": "active"}
    assert key == key | about | UNLIMITED | {"organisation": "default", "project": "default"}
    assert Holder(sandbox.url, text).get("/v1/models").status_code == 200
    found = sandbox.http.get(f"/v1/keys/{key['id']}")
    assert found.json() == key
    assert text not in found.text + sandbox.http.get("/v1/keys").text


def test_all_that_a_key_can_be_given_is_kept(sandbox: Served) -> None:
    given: dict[str, Any] = {
        "role": "reader",
        "scopes": ["chat", "usage"],
        "budget_usd": 12.345678901,
        "budget_period": "month",
        "rpm": 60,
        "tpm": 100_000,
        "concurrency": 3,
        "allowed_models": ["sandbox-small", "team/with-slash"],
        "allowed_strategies": ["single"],
        "retention": "zero",
        "cache": True,
        "tags": ["team=web", "plain"],
        "expires_at": "2091-01-31T12:00:00.000000Z",
    }
    key = made(sandbox, **given)
    assert key == key | given


def test_tags_may_come_as_openai_writes_metadata(sandbox: Served) -> None:
    assert made(sandbox, tags={"team": "web", "a": "b=c"})["tags"] == ["team=web", "a=b=c"]


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": None}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"role": "root"}, "role"),
        ({"budget_usd": -0.01}, "budget_usd"),
        ({"budget_usd": "1"}, "budget_usd"),
        ({"budget_usd": 1e-10}, "budget_usd"),
        ({"budget_usd": 1e10}, "budget_usd"),
        ({"budget_period": "week"}, "budget_period"),
        ({"budget_period": "day"}, "budget_period"),
        ({"rpm": 0}, "rpm"),
        ({"tpm": 2**31}, "tpm"),
        ({"concurrency": 1.5}, "concurrency"),
        ({"allowed_models": ["sandbox-small", "nobody"]}, "allowed_models"),
        ({"allowed_strategies": ["guessing"]}, "allowed_strategies"),
        ({"retention": "30d"}, "retention"),
        ({"cache": 1}, "cache"),
        ({"tags": ["\u0000"]}, "tags[0]"),
        ({"tags": {"a": 1}}, "tags"),
        ({"scopes": ["everything"]}, "scopes[0]"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2091-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": 1999999999}, "expires_at"),
        ({"expires_at": "1999999999"}, "expires_at"),
        ({"expires_at": 3.8e12}, "expires_at"),
        ({"expires_at": True}, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, "expires_at"),
        ({"expires_at": "0001-01-01T00:00:00+14:00"}, "expires_at"),
        ({"digest": "x"}, "digest"),
    ],
)
def test_what_no_key_can_be_given_is_refused_by_name(sandbox: Served, wrong: dict[str, Any], param: str) -> None:
    response = sandbox.http.post("/v1/keys", json={"name": "x"} | wrong)
    assert response.status_code == 422, response.text
    assert response.json()["error"]["param"] == param


def test_what_a_key_may_use_must_be_there_and_is_named_when_not(sandbox: Served) -> None:
    for body in ({"allowed_models": ["auto-x", "sandbox-small"]}, {"allowed_strategies": ["auto-x", "single"]}):
        said = sandbox.http.post("/v1/keys", json={"name": "x"} | body).json()["error"]["message"]
        assert "'auto-x'" in said
        assert "'sandbox-small'" not in said
    assert made(sandbox, allowed_models=[])["allowed_models"] == []


def test_only_what_is_given_changes_and_null_lifts_a_limit(sandbox: Served) -> None:
    key = made(sandbox, rpm=5, tpm=6, budget_usd=1, budget_period="day", tags=["a=b"])
    del key["key"]
    where = f"/v1/keys/{key['id']}"
    for change in (
        {"rpm": None, "name": "other"},
        {"budget_usd": 2.5},
        {"budget_period": "month"},
        {"role": "admin", "tags": [], "cache": True},
        {"budget_usd": None},
        {"budget_usd": 0},
        {},
    ):
        key |= change
        if change == {"budget_usd": None}:
            key["budget_period"] = None
        elif change == {"budget_usd": 0}:
            key["budget_period"] = "month"
        assert sandbox.http.patch(where, json=change).json() == key


@pytest.mark.parametrize("wrong", [{"name": None}, {"name": ""}, {"role": None}, {"cache": None}, {"id": "x"}])
def test_a_change_that_cannot_be_is_refused(sandbox: Served, wrong: dict[str, Any]) -> None:
    assert sandbox.http.patch(f"/v1/keys/{made(sandbox)['id']}", json=wrong).status_code == 422


def test_a_budget_has_a_period_and_a_period_a_budget(sandbox: Served) -> None:
    assert made(sandbox, budget_usd=3)["budget_period"] == "total"
    response = sandbox.http.patch(f"/v1/keys/{made(sandbox)['id']}", json={"budget_period": "day"})
    assert (response.status_code, response.json()["error"]["param"]) == (422, "budget_period")


def test_a_rotated_key_works_under_both_texts_until_the_overlap_is_over(sandbox: Served) -> None:
    key = made(sandbox)
    where = f"/v1/keys/{key['id']}/rotate"
    second = sandbox.http.post(where, json={"overlap_s": 1}).json()
    assert second["prefix"] != key["prefix"]
    assert second["overlap_until"] is not None
    third = sandbox.http.post(where, json={}).json()
    texts = [each["key"] for each in (key, second, third)]
    assert [Holder(sandbox.url, text).get("/v1/models").status_code for text in texts] == [200, 200, 200]
    time.sleep(1.1)
    refused = Holder(sandbox.url, texts[0]).get("/v1/models")
    assert error(refused) == (401, "invalid_api_key")
    assert "expired" in refused.text
    sandbox.http.post(where, json={"overlap_s": 0})
    assert [Holder(sandbox.url, text).get("/v1/models").status_code for text in texts] == [401, 401, 401]


@pytest.mark.parametrize("wrong", [{"overlap_s": -1}, {"overlap_s": 604_801}, {"overlap_s": 1.5}, {"other": 1}])
def test_an_overlap_is_up_to_seven_days(sandbox: Served, wrong: dict[str, Any]) -> None:
    assert sandbox.http.post(f"/v1/keys/{made(sandbox)['id']}/rotate", json=wrong).status_code == 422


def test_a_revoked_key_is_refused_at_once_stays_listed_and_never_comes_back(sandbox: Served) -> None:
    key = made(sandbox)
    where, own = f"/v1/keys/{key['id']}", Holder(sandbox.url, key["key"])
    assert own.get("/v1/models").status_code == 200
    gone = sandbox.http.delete(where).json()
    assert (gone["status"], gone["revoked_at"] is not None) == ("revoked", True)
    assert error(own.get("/v1/models")) == (401, "invalid_api_key")
    assert sandbox.http.delete(where).json() == gone
    assert sandbox.http.get(where).json() == gone
    for response in (sandbox.http.patch(where, json={"name": "y"}), sandbox.http.post(f"{where}/rotate", json={})):
        assert error(response) == (422, "invalid_request")


def test_a_key_ends_when_it_expires(sandbox: Served) -> None:
    at = datetime.now(UTC) + timedelta(seconds=1)
    key = made(sandbox, expires_at=at.isoformat())
    own = Holder(sandbox.url, key["key"])
    assert own.get("/v1/models").status_code == 200
    time.sleep(1.1)
    assert error(own.get("/v1/models")) == (401, "invalid_api_key")
    assert sandbox.http.get(f"/v1/keys/{key['id']}").json()["status"] == "expired"
    later = {"expires_at": (at + timedelta(days=1)).isoformat()}
    assert sandbox.http.patch(f"/v1/keys/{key['id']}", json=later).json()["status"] == "active"
    assert own.get("/v1/models").status_code == 200


def test_keys_are_listed_page_by_page_newest_first(sandbox: Served) -> None:
    _, admin = tenant(sandbox)
    ids = [made(sandbox, admin, name=f"key {i}")["id"] for i in range(3)]
    first = admin.get("/v1/keys?limit=2").json()
    assert ([key["id"] for key in first["data"]], first["has_more"]) == ([ids[2], ids[1]], True)
    rest = admin.get(f"/v1/keys?after={ids[1]}").json()
    assert ([key["id"] for key in rest["data"]][:1], len(rest["data"]), rest["has_more"]) == ([ids[0]], 2, False)


def test_an_admin_meets_only_its_own_organisation(sandbox: Served) -> None:
    mine, admin = tenant(sandbox)
    theirs, other = tenant(sandbox)
    foreign = made(sandbox, other, name="foreign")["id"]
    foreign_project = other.get("/v1/projects").json()["data"][0]["id"]
    assert {key["organisation"] for key in admin.get("/v1/keys").json()["data"]} == {mine}
    for response in (
        admin.get(f"/v1/keys/{foreign}"),
        admin.ask("PATCH", f"/v1/keys/{foreign}", {"name": "mine"}),
        admin.ask("DELETE", f"/v1/keys/{foreign}"),
        admin.post(f"/v1/keys/{foreign}/rotate", {}),
        admin.post("/v1/keys", {"name": "x", "organisation": theirs}),
        admin.post("/v1/keys", {"name": "x", "organisation": "default"}),
        admin.post("/v1/keys", {"name": "x", "project": foreign_project}),
        admin.get(f"/v1/projects/{foreign_project}"),
        admin.ask("PATCH", f"/v1/projects/{foreign_project}", {"name": "mine"}),
        admin.post("/v1/projects", {"name": "x", "organisation": theirs}),
    ):
        assert error(response) == (404, "not_found")
    assert sandbox.http.get(f"/v1/keys/{foreign}").json()["status"] == "active"
    assert made(sandbox, admin)["organisation"] == mine
    for response in (
        admin.get("/v1/organisations"),
        admin.post("/v1/organisations", {"name": "x"}),
        admin.get("/v1/nowhere"),
    ):
        assert error(response) == (403, "forbidden")


@pytest.mark.parametrize("role", ["member", "reader"])
def test_who_is_no_admin_touches_no_key(sandbox: Served, role: str) -> None:
    own = holder(sandbox, role=role)
    for response in (
        own.get("/v1/keys"),
        own.post("/v1/keys", {"name": "x"}),
        own.ask("DELETE", f"/v1/keys/{uuid4()}"),
        own.get("/v1/projects"),
        own.get("/v1/organisations"),
    ):
        assert error(response) == (403, "forbidden")


def test_a_key_with_scopes_does_what_they_say_and_nothing_else(sandbox: Served) -> None:
    chat = {"model": "sandbox-small", "messages": [{"role": "user", "content": "Hi"}]}
    for scopes, status in ((["chat"], 200), (["embeddings", "usage"], 403), ([], 403)):
        own = holder(sandbox, scopes=scopes)
        assert own.post("/v1/chat/completions", chat).status_code == status
        assert own.get("/v1/models").status_code == 200
    narrow = holder(sandbox, role="admin", scopes=["chat"])
    assert error(narrow.post("/v1/keys", {"name": "wider"})) == (403, "forbidden")


def test_organisations_and_projects_are_made_listed_and_changed(sandbox: Served) -> None:
    http, name = sandbox.http, uuid4().hex
    org = http.post("/v1/organisations", json={"name": name, "prepaid": True, "rpm": 7}).json()
    about = {"object": "organisation", "name": name, "prepaid": True, "rpm": 7, "tpm": None, "concurrency": None}
    assert org == org | about
    where = f"/v1/organisations/{org['id']}"
    assert http.patch(where, json={"rpm": None, "tpm": 9}).json() == org | {"rpm": None, "tpm": 9}
    assert http.get(where).json()["tpm"] == 9
    assert org["id"] in [each["id"] for each in http.get("/v1/organisations").json()["data"]]
    assert error(http.post("/v1/organisations", json={"name": name})) == (422, "invalid_request")
    assert error(http.patch(where, json={"name": "default"})) == (422, "invalid_request")
    assert error(http.get(f"/v1/organisations/{uuid4()}")) == (404, "not_found")

    project = http.post("/v1/projects", json={"name": "site", "organisation": name}).json()
    assert project == project | {"object": "project", "name": "site", "organisation": name}
    renamed = http.patch(f"/v1/projects/{project['id']}", json={"name": "shop"}).json()
    assert renamed == project | {"name": "shop"} == http.get(f"/v1/projects/{project['id']}").json()
    again = {"name": "shop", "organisation": org["id"]}
    assert error(http.post("/v1/projects", json=again)) == (422, "invalid_request")
    key = made(sandbox, organisation=name, project="shop")
    assert (key["organisation"], key["project"]) == (name, "shop")
    unknown = http.post("/v1/keys", json={"name": "x", "organisation": name, "project": "nowhere"})
    assert (error(unknown), unknown.json()["error"]["param"]) == ((404, "not_found"), "project")


@pytest.mark.parametrize("path", ["keys", "organisations", "projects"])
def test_an_id_that_is_none_is_no_failure_of_ours(sandbox: Served, path: str) -> None:
    for id_ in ("x", "%00", "a" * 3000, str(uuid4())):
        assert sandbox.http.get(f"/v1/{path}/{id_}").status_code in {404, 422}


def test_the_root_key_is_no_key_that_can_be_listed_or_voided(sandbox: Served) -> None:
    listed = sandbox.http.get("/v1/keys?limit=1000").text
    assert ROOT_KEY not in listed
    assert '"root"' not in listed
