"""Budgets over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from tests.api.used import execute, made_key, made_organisation
from tests.api.wire import error

from prysm.client import Prysm

if TYPE_CHECKING:
    import httpx
    from tests.serving import Served

URL = "/v1/budgets"
WINDOW = """
    INSERT INTO budget_window (budget, starts, spent_nano, held_nano, unknown_nano)
    SELECT id, window_start(period), $2, $3, $4 FROM budget WHERE id = $1
"""


@pytest.fixture
def org(sandbox: Served) -> str:
    return made_organisation(sandbox)


@pytest.fixture
def admin(sandbox: Served, org: str) -> dict[str, str]:
    """The header of an admin of `org`, whose key is of a project of its own: no budget over another binds it."""
    sandbox.http.post("/v1/projects", json={"name": "administration", "organisation": org})
    return made_key(sandbox, "admin", organisation=org, project="administration")[0]


def make(gateway: Served, headers: dict[str, str], **over: Any) -> httpx.Response:
    """One over the default project, or over the whole of an organisation (`project=None`), or over what is said."""
    part = {} if over.keys() & {"key", "tag", "project", "organisation"} else {"project": "default"}
    wanted = {"limit_usd": 5, "period": "month"} | part | over
    body = {name: value for name, value in wanted.items() if (name, value) != ("project", None)}
    return gateway.http.post(URL, json=body, headers=headers)


def seen(gateway: Served, headers: dict[str, str]) -> list[str]:
    return [one["id"] for one in gateway.http.get(URL, headers=headers).json()["data"]]


def test_a_budget_is_made_changed_and_ended(sandbox: Served, admin: dict[str, str]) -> None:
    made = make(sandbox, admin)
    assert made.status_code == 201
    budget = made.json()
    assert budget == budget | {
        "object": "budget",
        "period": "month",
        "hard": True,
        "limit_usd": 5.0,
        "spent_usd": 0.0,
        "held_usd": 0.0,
        "unknown_usd": 0.0,
        "left_usd": 5.0,
        "project": "default",
        "key": None,
        "tag": None,
    }
    assert budget["since"].endswith("-01")
    where = f"{URL}/{budget['id']}"
    changed = sandbox.http.patch(where, json={"limit_usd": 7.000000001, "hard": False}, headers=admin).json()
    assert changed == budget | {"limit_usd": 7.000000001, "left_usd": 7.000000001, "hard": False}
    assert sandbox.http.get(where, headers=admin).json() == changed
    ended = sandbox.http.delete(where, headers=admin)
    assert (ended.status_code, ended.json()["deleted"]) == (200, True)
    for answer in (sandbox.http.get(where), sandbox.http.patch(where, json={}), sandbox.http.delete(where)):
        assert error(answer) == (404, "not_found")
    assert seen(sandbox, admin) == []


def test_a_budget_tells_what_its_window_counts(sandbox: Served, admin: dict[str, str]) -> None:
    budget = make(sandbox, admin, period="day").json()
    execute(sandbox, WINDOW, UUID(budget["id"]), 3_000_000_000, 1_500_000_000, 1_000_000_001)
    (found,) = sandbox.http.get(URL, headers=admin).json()["data"]
    told = {name: found[f"{name}_usd"] for name in ("spent", "held", "unknown", "left")}
    assert told == {"spent": 3.0, "held": 1.5, "unknown": 1.000000001, "left": -0.500000001}


def test_a_budget_is_over_a_project_a_key_or_a_tag(sandbox: Served, admin: dict[str, str], org: str) -> None:
    _, key = made_key(sandbox, organisation=org)
    over: list[dict[str, Any]] = [{"project": "default"}, {"key": str(key)}, {"tag": "team=x"}]
    made = [make(sandbox, admin, **one).json() for one in over]
    made.append(make(sandbox, {}, organisation=org, period="total").json())
    assert [(one["project"], one["key"], one["tag"]) for one in made] == [
        ("default", None, None),
        (None, str(key), None),
        (None, None, "team=x"),
        (None, None, None),
    ]
    assert made[-1]["since"] is None
    assert seen(sandbox, admin) == [one["id"] for one in reversed(made)]
    page = sandbox.http.get(URL, params={"limit": 2, "after": made[3]["id"]}, headers=admin).json()
    assert ([one["id"] for one in page["data"]], page["has_more"]) == ([made[2]["id"], made[1]["id"]], True)


def test_the_budget_that_a_key_was_made_with_is_one_of_them(
    sandbox: Served, admin: dict[str, str], org: str
) -> None:
    _, key = made_key(sandbox, organisation=org, budget_usd=2, budget_period="day")
    (found,) = sandbox.http.get(URL, headers=admin).json()["data"]
    assert (found["key"], found["limit_usd"], found["period"]) == (str(key), 2.0, "day")
    sandbox.http.patch(f"{URL}/{found['id']}", json={"limit_usd": 3}, headers=admin)
    assert sandbox.http.get(f"/v1/keys/{key}", headers=admin).json()["budget_usd"] == 3.0


def test_another_organisation_is_not_there(sandbox: Served, admin: dict[str, str]) -> None:
    other = made_organisation(sandbox)
    _, key = made_key(sandbox, organisation=other)
    theirs = make(sandbox, {}, organisation=other).json()["id"]
    assert error(make(sandbox, admin, organisation=other)) == (404, "not_found")
    assert error(make(sandbox, admin, key=str(key))) == (404, "not_found")
    assert error(make(sandbox, admin, key="not an id")) == (404, "not_found")
    assert error(make(sandbox, admin, project=str(uuid4()))) == (404, "not_found")
    where = f"{URL}/{theirs}"
    for method, body in (("GET", None), ("PATCH", {"limit_usd": 0}), ("DELETE", None)):
        assert error(sandbox.http.request(method, where, json=body, headers=admin)) == (404, "not_found")
    assert theirs not in seen(sandbox, admin)
    assert theirs in seen(sandbox, {})


def test_what_a_whole_organisation_may_spend_is_for_the_root_key_to_say(
    sandbox: Served, admin: dict[str, str], org: str
) -> None:
    assert error(make(sandbox, admin, project=None)) == (403, "forbidden")
    where = f"{URL}/{make(sandbox, {}, organisation=org).json()['id']}"
    assert error(sandbox.http.patch(where, json={"limit_usd": 9}, headers=admin)) == (403, "forbidden")
    assert error(sandbox.http.delete(where, headers=admin)) == (403, "forbidden")
    assert sandbox.http.get(where, headers=admin).json()["limit_usd"] == 5.0


@pytest.mark.parametrize("role", ["member", "reader"])
def test_budgets_are_for_admins(sandbox: Served, org: str, role: str) -> None:
    headers, _ = made_key(sandbox, role, organisation=org)
    assert error(make(sandbox, headers)) == (403, "forbidden")
    assert error(sandbox.http.get(URL, headers=headers)) == (403, "forbidden")


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit_usd": -1},
        {"limit_usd": "5"},
        {"limit_usd": 1e10},
        {"limit_usd": 0.0000000001},
        {"limit_usd": None},
        {"period": "week"},
        {"hard": 1},
        {"tag": "no-value"},
        {"tag": "a=1", "project": "default"},
        {"colour": "red"},
    ],
)
def test_a_budget_that_is_none_is_refused(sandbox: Served, admin: dict[str, str], wrong: dict[str, Any]) -> None:
    status, code = error(make(sandbox, admin, **wrong))
    assert (status, code) == (422, "unsupported_parameter" if "colour" in wrong else "invalid_request")
    assert seen(sandbox, admin) == []


def test_what_admins_do_to_budgets_is_on_record(sandbox: Served, admin: dict[str, str]) -> None:
    where = f"{URL}/{make(sandbox, admin, tag='a=b').json()['id']}"
    sandbox.http.patch(where, json={"hard": False}, headers=admin)
    sandbox.http.delete(where, headers=admin)
    events = sandbox.http.get("/v1/audit", headers=admin).json()["data"]
    told = [(one["action"], one["detail"]) for one in events if one["action"].startswith("budget")]
    assert told == [
        ("budget.delete", {}),
        ("budget.update", {"hard": False}),
        ("budget.create", {"hard": True, "limit_usd": "5.000000000", "period": "month", "tag": "a=b"}),
    ]


def test_the_client_keeps_budgets(sandbox: Served, admin: dict[str, str]) -> None:
    with Prysm(admin["authorization"].removeprefix("Bearer "), sandbox.url) as client:
        made = client.budgets.create(1.5, "day", hard=False, project="default")
        assert client.budgets.get(made.id) == client.budgets.list().data[0] == made
        assert client.budgets.update(made.id, limit_usd=2)["limit_usd"] == 2.0
        assert client.budgets.delete(made.id).deleted
