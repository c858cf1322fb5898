"""No key hands out, or gives itself, more than it has: what restricted administrators tried, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from tests.api.holder import Holder, made, tenant
from tests.api.wire import error

if TYPE_CHECKING:
    import httpx
    from tests.serving import Served

FORBIDDEN = (403, "forbidden")
LATER = "2090-01-01T00:00:00.000000Z"
RESTRICTED: dict[str, Any] = {
    "role": "admin",
    "scopes": ["admin", "chat"],
    "allowed_models": ["sandbox-small"],
    "allowed_strategies": ["single"],
    "rpm": 600,
    "tpm": 100_000,
    "concurrency": 8,
    "budget_usd": 5,
    "budget_period": "month",
    "retention": "zero",
    "expires_at": LATER,
}
MORE: list[tuple[str, Any]] = [
    ("scopes", None),
    ("scopes", ["admin", "usage"]),
    ("allowed_models", None),
    ("allowed_models", ["sandbox-small", "sandbox-mid"]),
    ("allowed_strategies", None),
    ("rpm", None),
    ("rpm", 601),
    ("tpm", None),
    ("concurrency", 9),
    ("budget_usd", None),
    ("budget_usd", 5.01),
    ("retention", None),
    ("expires_at", None),
    ("expires_at", "2090-01-01T00:00:01Z"),
]


def admin_of(gateway: Served, org: str, **over: Any) -> tuple[Holder, str]:
    """A new administrator of an organisation, and the id of its key."""
    key = made(gateway, None, organisation=org, **RESTRICTED | over)
    return Holder(gateway.url, key["key"]), key["id"]


def refused(response: httpx.Response, field: str | None) -> None:
    assert error(response) == FORBIDDEN, response.text
    told = response.json()["error"]
    assert told["param"] == field
    assert field is None or f"'{field}'" in told["message"]


def key_of(gateway: Served, id_: str) -> dict[str, Any]:
    found: dict[str, Any] = gateway.http.get(f"/v1/keys/{id_}").json()
    return found


@pytest.fixture
def org(sandbox: Served) -> str:
    return tenant(sandbox)[0]


@pytest.mark.parametrize(("field", "value"), MORE)
def test_a_restricted_admin_makes_no_key_with_more_than_it_has(
    sandbox: Served, org: str, field: str, value: Any
) -> None:
    admin, _ = admin_of(sandbox, org)
    body = RESTRICTED | {"name": "wider", field: value}
    if body["budget_usd"] is None:
        del body["budget_period"]
    refused(admin.post("/v1/keys", body), field)
    left_out = {name: sent for name, sent in body.items() if name != field}
    left_out.pop("budget_period", None)
    refused(admin.post("/v1/keys", left_out), field)


def test_a_restricted_admin_makes_keys_like_itself_and_smaller(sandbox: Served, org: str) -> None:
    admin, _ = admin_of(sandbox, org)
    same = made(sandbox, admin, **RESTRICTED)
    assert same == same | RESTRICTED
    less = RESTRICTED | {"role": "member", "scopes": ["chat"], "budget_usd": 1, "budget_period": "total", "rpm": 1}
    member = Holder(sandbox.url, made(sandbox, admin, **less)["key"])
    chat = {"model": "sandbox-small", "messages": [{"role": "user", "content": "Hi"}]}
    assert member.post("/v1/chat/completions", chat).status_code == 200
    where = f"/v1/keys/{same['id']}"
    assert admin.ask("PATCH", where, {"rpm": 2, "budget_usd": 1}).json()["rpm"] == 2
    assert admin.post(f"{where}/rotate", {}).status_code == 200
    assert admin.ask("DELETE", where).json()["status"] == "revoked"


@pytest.mark.parametrize(("field", "value"), [*MORE, ("budget_period", "day")])
def test_a_restricted_admin_lifts_nothing_from_itself_nor_from_what_it_made(
    sandbox: Served, org: str, field: str, value: Any
) -> None:
    admin, id_ = admin_of(sandbox, org)
    for each in (id_, made(sandbox, admin, **RESTRICTED)["id"]):
        before = key_of(sandbox, each)
        response = admin.ask("PATCH", f"/v1/keys/{each}", {field: value})
        refused(response, "budget_usd" if field == "budget_period" else field)
        assert key_of(sandbox, each) == before


def test_a_restricted_admin_may_tighten_itself(sandbox: Served, org: str) -> None:
    admin, id_ = admin_of(sandbox, org)
    less = {"rpm": 100, "scopes": ["admin"], "expires_at": "2080-01-01T00:00:00Z", "name": "less"}
    assert admin.ask("PATCH", f"/v1/keys/{id_}", less).json()["rpm"] == 100
    refused(admin.ask("PATCH", f"/v1/keys/{id_}", {"rpm": 101}), "rpm")


@pytest.mark.parametrize(
    "body", [{"budget_usd": 3}, {"budget_usd": None}, {"budget_period": "total"}, {"budget_usd": 5, "rpm": 1}]
)
def test_a_key_gives_itself_no_other_budget_were_it_a_smaller_one(
    sandbox: Served, org: str, body: dict[str, Any]
) -> None:
    admin, id_ = admin_of(sandbox, org)
    free = made(sandbox, None, organisation=org, role="admin")
    for key, each in ((admin, id_), (Holder(sandbox.url, free["key"]), free["id"])):
        before = key_of(sandbox, each)
        if before["budget_usd"] is not None or "budget_usd" in body:
            refused(key.ask("PATCH", f"/v1/keys/{each}", body), "budget_usd")
        assert key_of(sandbox, each) == before


def test_a_key_neither_changes_nor_ends_the_budget_over_itself(sandbox: Served, org: str) -> None:
    admin, id_ = admin_of(sandbox, org)
    over = {"limit_usd": 1, "period": "day", "key": id_, "organisation": org}
    second = sandbox.http.post("/v1/budgets", json=over).json()["id"]
    for budget in (id_, second):
        for method, body in (("DELETE", None), ("PATCH", {"limit_usd": 9}), ("PATCH", {"hard": False})):
            refused(admin.ask(method, f"/v1/budgets/{budget}", body), None)
    refused(admin.post("/v1/keys", RESTRICTED | {"name": "without the second"}), "budget_usd")
    assert admin.get(f"/v1/budgets/{second}").json()["limit_usd"] == 1


def test_the_budget_of_another_key_stays_within_that_of_the_key_that_asks(sandbox: Served, org: str) -> None:
    admin, _ = admin_of(sandbox, org)
    where = f"/v1/budgets/{made(sandbox, admin, **RESTRICTED)['id']}"
    for method, body in (("DELETE", None), ("PATCH", {"limit_usd": 5.5}), ("PATCH", {"hard": False})):
        refused(admin.ask(method, where, body), "budget_usd")
    assert admin.ask("PATCH", where, {"limit_usd": 4}).json()["limit_usd"] == 4
    assert admin.ask("PATCH", where, {"limit_usd": 5}).json()["limit_usd"] == 5


def test_of_two_equal_budgets_over_another_key_one_can_go(sandbox: Served, org: str) -> None:
    admin, _ = admin_of(sandbox, org)
    child = made(sandbox, admin, **RESTRICTED)["id"]
    equal = {"limit_usd": 5, "period": "month", "key": child}
    second = admin.post("/v1/budgets", equal).json()["id"]
    assert admin.ask("PATCH", f"/v1/budgets/{second}", {"limit_usd": 9}).json()["limit_usd"] == 9
    assert admin.ask("PATCH", f"/v1/budgets/{second}", {"limit_usd": 5}).json()["limit_usd"] == 5
    assert admin.ask("DELETE", f"/v1/budgets/{second}").status_code == 200
    refused(admin.ask("DELETE", f"/v1/budgets/{child}"), "budget_usd")


@pytest.mark.parametrize("hard", [True, False])
@pytest.mark.parametrize("over", [{"project": "default"}, {"tag": "team=x"}])
def test_a_restricted_admin_keeps_no_budget_over_a_project_or_a_tag(
    sandbox: Served, over: dict[str, str], hard: bool
) -> None:
    org, free = tenant(sandbox)
    free.post("/v1/projects", {"name": "apart"})
    body = {"limit_usd": 5, "period": "total", "hard": hard} | over
    found = sandbox.http.post("/v1/budgets", json=body | {"organisation": org}).json()["id"]
    rotated = made(sandbox, None, organisation=org, role="admin", project="apart")
    sandbox.http.post(f"/v1/keys/{rotated['id']}/rotate", json={"overlap_s": 600})
    limited: list[tuple[dict[str, Any], str]] = [
        ({"rpm": 5}, "rpm"),
        ({"budget_usd": 1}, "budget_usd"),
        ({"allowed_models": ["sandbox-small"]}, "allowed_models"),
    ]
    apart = {"organisation": org, "role": "admin", "project": "apart"}
    weak = [*((made(sandbox, None, **apart | how), by) for how, by in limited), (rotated, "expires_at")]
    for key, by in weak:
        admin = Holder(sandbox.url, key["key"])
        for method, where, sent in (
            ("POST", "/v1/budgets", body | {"limit_usd": 0}),
            ("PATCH", f"/v1/budgets/{found}", {"limit_usd": 0}),
            ("DELETE", f"/v1/budgets/{found}", None),
        ):
            refused(admin.ask(method, where, sent), by)
    strong = Holder(sandbox.url, made(sandbox, None, organisation=org, role="admin", project="apart")["key"])
    assert strong.post("/v1/budgets", body).status_code == 201
    assert strong.ask("PATCH", f"/v1/budgets/{found}", {"limit_usd": 9}).json()["limit_usd"] == 9
    assert strong.ask("DELETE", f"/v1/budgets/{found}").status_code == 200


def test_a_restricted_admin_does_not_touch_a_key_that_may_more(sandbox: Served, org: str) -> None:
    admin, _ = admin_of(sandbox, org)
    text = made(sandbox, None, organisation=org, **RESTRICTED | {"rpm": None})
    where = f"/v1/keys/{text['id']}"
    before = key_of(sandbox, text["id"])
    refused(admin.post(f"{where}/rotate", {"overlap_s": 0}), "rpm")
    refused(admin.ask("DELETE", where), "rpm")
    refused(admin.ask("PATCH", where, {"name": "mine"}), "rpm")
    refused(admin.ask("PATCH", where, {"rpm": 1}), "rpm")
    refused(admin.post("/v1/budgets", {"limit_usd": 0, "period": "day", "key": text["id"]}), "rpm")
    assert key_of(sandbox, text["id"]) == before
    assert Holder(sandbox.url, text["key"]).get("/v1/models").status_code == 200


def test_admins_without_restrictions_keep_each_other(sandbox: Served) -> None:
    org, admin = tenant(sandbox)
    other = made(sandbox, admin, role="admin")
    assert admin.ask("PATCH", f"/v1/keys/{other['id']}", {"rpm": 5}).status_code == 200
    assert admin.ask("PATCH", f"/v1/keys/{other['id']}", {"rpm": None}).status_code == 200
    assert admin.post(f"/v1/keys/{other['id']}/rotate", {}).status_code == 200
    assert admin.ask("DELETE", f"/v1/keys/{other['id']}").status_code == 200
    assert sandbox.http.delete(f"/v1/keys/{made(sandbox, None, organisation=org)['id']}").status_code == 200


def test_a_text_that_was_rotated_away_gives_itself_no_longer_life(sandbox: Served, org: str) -> None:
    key = made(sandbox, None, organisation=org, role="admin")
    old, where = Holder(sandbox.url, key["key"]), f"/v1/keys/{key['id']}"
    new = Holder(sandbox.url, sandbox.http.post(f"{where}/rotate", json={"overlap_s": 600}).json()["key"])
    refused(old.post(f"{where}/rotate", {}), "expires_at")
    refused(old.ask("DELETE", where), "expires_at")
    refused(old.post("/v1/keys", {"name": "for ever", "role": "admin"}), "expires_at")
    assert new.post(f"{where}/rotate", {}).status_code == 200


def test_a_budget_over_its_project_binds_what_an_admin_makes_and_is_not_its_own_to_change(sandbox: Served) -> None:
    org, admin = tenant(sandbox)
    project, elsewhere = (
        admin.post("/v1/projects", {"name": name}).json()["id"] for name in ("bound", "elsewhere")
    )
    bound = Holder(sandbox.url, made(sandbox, admin, role="admin", project="bound")["key"])
    over = {"limit_usd": 5, "period": "month", "project": project}
    where = f"/v1/budgets/{admin.post('/v1/budgets', over).json()['id']}"
    for method, body in (("DELETE", None), ("PATCH", {"limit_usd": 6}), ("PATCH", {"hard": False})):
        refused(bound.ask(method, where, body), "project")
    refused(bound.post("/v1/keys", {"name": "outside", "project": elsewhere}), "project")
    free = made(sandbox, admin, project="elsewhere")["id"]
    refused(bound.ask("DELETE", f"/v1/keys/{free}"), "project")
    assert made(sandbox, bound, project="bound")["organisation"] == org
    assert admin.ask("PATCH", where, {"limit_usd": 6}).json()["limit_usd"] == 6


def test_a_budget_over_a_tag_of_an_admin_binds_what_it_makes(sandbox: Served) -> None:
    _, admin = tenant(sandbox)
    tag = f"team={uuid4().hex}"
    admin.post("/v1/budgets", {"limit_usd": 5, "period": "month", "tag": tag})
    key = made(sandbox, admin, role="admin", tags=[tag])
    tagged = Holder(sandbox.url, key["key"])
    refused(tagged.post("/v1/keys", {"name": "without"}), "tags")
    refused(tagged.ask("PATCH", f"/v1/keys/{key['id']}", {"tags": []}), "tags")
    assert made(sandbox, tagged, tags=["more=1", tag])["tags"] == ["more=1", tag]


def test_root_is_bound_by_nothing(sandbox: Served, org: str) -> None:
    _, id_ = admin_of(sandbox, org)
    lifted = {name: None for name in RESTRICTED if name not in ("role", "budget_period")}
    assert sandbox.http.patch(f"/v1/keys/{id_}", json=lifted).json()["rpm"] is None


def test_a_budget_given_with_a_key_refuses_however_the_one_before_was(sandbox: Served, org: str) -> None:
    _, id_ = admin_of(sandbox, org)
    sandbox.http.patch(f"/v1/budgets/{id_}", json={"hard": False})
    sandbox.http.patch(f"/v1/keys/{id_}", json={"budget_usd": 4})
    assert sandbox.http.get(f"/v1/budgets/{id_}").json()["hard"] is True
