"""The audit log over HTTP, as administrators and auditors read it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.api.wire import error

from prysm.proof.audited import check_event
from prysm.proof.keys import KeyRing, read_keys

if TYPE_CHECKING:
    from tests.serving import Served


def made(gateway: Served, **body: Any) -> dict[str, Any]:
    """A key, made by root."""
    answer = gateway.http.post("/v1/keys", json={"name": uuid4().hex, "role": "member"} | body)
    assert answer.status_code == 201, answer.text
    key: dict[str, Any] = answer.json()
    return key


def as_key(gateway: Served, key: str, path: str) -> httpx.Response:
    return gateway.http.get(path, headers={"authorization": f"Bearer {key}"})


def events_of(gateway: Served, target: str) -> list[dict[str, Any]]:
    found = gateway.http.get("/v1/audit?limit=1000").json()["data"]
    return [event for event in found if event["target"] == target]


def logged(gateway: Served, event_id: str, within_s: float = 15) -> dict[str, Any]:
    """An event once the log holds it."""
    until = time.monotonic() + within_s
    while True:
        found: dict[str, Any] = gateway.http.get(f"/v1/audit/{event_id}").json()
        if found["proof"]["log"]["state"] == "included" or time.monotonic() > until:
            return found
        time.sleep(0.05)


def test_making_and_voiding_a_key_is_on_record_and_its_text_is_not(sandbox: Served) -> None:
    key = made(sandbox, rpm=60)
    assert sandbox.http.delete(f"/v1/keys/{key['id']}").status_code == 200
    voided, created = events_of(sandbox, key["id"])
    assert [created["action"], voided["action"]] == ["key.create", "key.revoke"]
    assert (created["actor"], created["actor_key"], created["detail"]["rpm"]) == ("root", None, 60)
    assert key["key"] not in sandbox.http.get("/v1/audit?limit=1000").text


def test_an_auditor_verifies_an_event_with_the_published_keys(sandbox: Served) -> None:
    (created,) = events_of(sandbox, made(sandbox)["id"])
    whole = logged(sandbox, created["id"])
    keys = httpx.get(f"{sandbox.url}/.well-known/prysm-keys.json").json()
    assert check_event(whole, KeyRing(read_keys(keys), pinned=True)).startswith("leaf ")
    (again,) = [event for event in events_of(sandbox, whole["target"]) if event["id"] == whole["id"]]
    assert again["log"] == {name: whole["proof"]["log"][name] for name in ("origin", "index")}
    assert sandbox.http.get(f"/v1/proof/{whole['id']}").status_code == 404


def test_the_newest_come_first_page_by_page(sandbox: Served) -> None:
    targets = [made(sandbox)["id"] for _ in range(3)]
    first = sandbox.http.get("/v1/audit?limit=2").json()
    assert [event["target"] for event in first["data"]] == targets[:0:-1]
    assert first["has_more"]
    rest = sandbox.http.get("/v1/audit", params={"limit": 1, "after": first["data"][-1]["id"]}).json()
    assert [event["target"] for event in rest["data"]] == targets[:1]


def test_an_admin_reads_what_concerns_its_organisation_only(sandbox: Served) -> None:
    name = uuid4().hex
    assert sandbox.http.post("/v1/organisations", json={"name": name}).status_code == 201
    (ours,) = events_of(sandbox, made(sandbox)["id"])
    admin = made(sandbox, role="admin", organisation=name)
    found = as_key(sandbox, admin["key"], "/v1/audit").json()["data"]
    assert admin["id"] in {event["target"] for event in found}
    assert ours["id"] not in {event["id"] for event in found}
    assert error(as_key(sandbox, admin["key"], f"/v1/audit/{ours['id']}")) == (404, "not_found")
    assert as_key(sandbox, admin["key"], f"/v1/audit?after={ours['id']}").status_code == 422
    assert as_key(sandbox, admin["key"], f"/v1/audit/{found[0]['id']}").status_code == 200


@pytest.mark.parametrize("role", ["member", "reader"])
def test_nobody_else_reads_it(sandbox: Served, role: str) -> None:
    key = made(sandbox, role=role)["key"]
    for path in ("/v1/audit", f"/v1/audit/{uuid4()}"):
        assert as_key(sandbox, key, path).status_code == 403
        assert httpx.get(f"{sandbox.url}{path}").status_code == 401


@pytest.mark.parametrize(
    ("path", "status"),
    [("?limit=0", 422), ("?limit=1001", 422), ("?after=x", 422), (f"/{UUID(int=404)}", 404), ("/x", 422)],
)
def test_what_makes_no_sense_is_refused(sandbox: Served, path: str, status: int) -> None:
    assert sandbox.http.get(f"/v1/audit{path}").status_code == status
