"""Own provider keys over HTTP: each organisation's runs call a provider with its key, and nobody else's do."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from tests.api.conftest import PROVIDER_KEY
from tests.api.holder import Holder, holder, tenant
from tests.api.test_credits import book, defects, left
from tests.api.used import made_organisation
from tests.api.wire import completion, error, streamed
from tests.databases import database
from tests.providers.upstream import answer
from tests.serving import PROMPT, Served, served

from prysm.store.connection import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from httpx import Response
    from tests.providers.upstream import Upstream

    Starts = Callable[..., AbstractContextManager[Served]]

PATH = "/v1/providers/keys"
HELLO = completion("hello")
TOLD_OPEN = 'prysm_breaker_state{model="",provider="left-host"} 2.0'
REFUSED = answer(b'{"error": {"message": "sk-canary is wrong"}}', "401 Unauthorized")


@pytest.fixture(scope="module")
def scene(
    postgres_url: str, upstreams: dict[str, Upstream]
) -> Iterator[Callable[[], AbstractContextManager[Served]]]:
    """Starts gateways on one database. The operator has a key for `left-host`, and none for `right-host`."""
    toml = _host("left", upstreams["left"].url) + _host("right", upstreams["right"].url)
    with tempfile.TemporaryDirectory(prefix="prysm-api-") as folder, database(postgres_url) as url:
        yield lambda **keys: served(Path(folder), toml, url, os.environ | keys)


@pytest.fixture(scope="module")
def _gateways(scene: Starts) -> Iterator[tuple[Served, Served]]:
    with scene(LEFT_KEY=PROVIDER_KEY) as one, scene(LEFT_KEY=PROVIDER_KEY) as other:
        yield one, other


@pytest.fixture
def gateways(_gateways: tuple[Served, Served], upstreams: dict[str, Upstream]) -> tuple[Served, Served]:
    """Two gateways, and two upstreams that greet."""
    for upstream in upstreams.values():
        upstream.plays(HELLO)
        upstream.seen.clear()
    return _gateways


@pytest.fixture
def gateway(gateways: tuple[Served, Served]) -> Served:
    """The first of them."""
    return gateways[0]


@pytest.fixture
def fresh(gateway: Served, scene: Starts) -> Iterator[Served]:
    """One for this test alone, whose breakers may open."""
    with scene(LEFT_KEY=PROVIDER_KEY) as started:
        assert started.database_url == gateway.database_url
        yield started


def _host(name: str, url: str) -> str:
    return f"""
[[providers]]
id = "{name}-host"
kind = "openai"
base_url = "{url}"
api_key_env = "{name.upper()}_KEY"
retries = 0

[[models]]
id = "{name}"
provider = "{name}-host"
tier = "small"
input_usd_per_mtok = 1
output_usd_per_mtok = 10
quality = {{ default = {0.9 if name == "right" else 0.8} }}
"""


def bring(admin: Holder, provider: str = "right-host", **more: Any) -> tuple[str, dict[str, Any]]:
    """A new key for a provider, and what the gateway says of it."""
    text = f"sk-own-canary-{uuid4().hex}"
    response = admin.post(PATH, {"provider": provider, "api_key": text} | more)
    assert response.status_code == 201, response.text
    assert text not in response.text
    item: dict[str, Any] = response.json()
    return text, item


def ask(who: Holder, model: str = "right", **more: Any) -> Response:
    """Ask a model."""
    return who.post(
        "/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": PROMPT}]} | more
    )


def keys_seen(upstream: Upstream) -> list[str]:
    """The keys that came to an upstream, in order."""
    return [seen.headers["authorization"].removeprefix("Bearer ") for seen in upstream.seen]


def test_an_own_key_makes_a_provider_live_for_its_organisation_alone(
    gateway: Served, left: Upstream, right: Upstream
) -> None:
    _, admin = tenant(gateway)
    _, stranger = tenant(gateway)
    assert error(ask(admin)) == (503, "no_provider_available")
    text, _ = bring(admin)
    done = ask(admin)
    assert done.status_code == 200, done.text
    assert done.json()["prysm"]["calls"][0]["byok"] is True
    assert (keys_seen(right), keys_seen(left)) == ([text], [])
    assert error(ask(stranger)) == (503, "no_provider_available")
    assert error(ask(Holder(gateway.url, _root(gateway)))) == (503, "no_provider_available")
    assert len(right.seen) == 1


def test_an_own_key_is_used_always_and_goes_to_its_provider_alone(
    gateway: Served, left: Upstream, right: Upstream
) -> None:
    _, admin = tenant(gateway)
    of_left, _ = bring(admin, "left-host")
    of_right, _ = bring(admin, "right-host")
    assert [ask(admin, name).status_code for name in ("left", "right", "left")] == [200] * 3
    panel = {"prompt": PROMPT, "strategy": "ensemble_moa", "models": ["left", "right"]}
    assert admin.post("/v2/orchestrate", panel).status_code == 200
    assert set(keys_seen(left)) == {of_left}
    assert set(keys_seen(right)) == {of_right}
    for upstream, other in ((left, of_right), (right, of_left)):
        assert other not in "".join(f"{seen.target}{seen.headers}{seen.body!r}" for seen in upstream.seen)


def test_of_one_provider_each_organisation_sends_its_own_key_and_others_the_operators(
    gateway: Served, left: Upstream
) -> None:
    (_, one), (_, other), (_, without) = tenant(gateway), tenant(gateway), tenant(gateway)
    (first, _), (second, _) = bring(one, "left-host"), bring(other, "left-host")
    plain = [ask(who, "left") for who in (one, other, without, one)]
    assert keys_seen(left) == [first, second, PROVIDER_KEY, first]
    assert ["byok" in done.json()["prysm"]["calls"][0] for done in plain] == [True, True, False, True]


def test_a_stream_is_asked_for_with_the_own_key_too(gateway: Served, right: Upstream) -> None:
    _, admin = tenant(gateway)
    text, _ = bring(admin)
    right.plays(streamed("hel", "lo"))
    done = ask(admin, stream=True)
    assert "hel" in done.text
    assert '"byok":true' in done.text
    assert keys_seen(right) == [text]


def test_routing_knows_what_is_live_for_whom(gateway: Served) -> None:
    _, admin = tenant(gateway)
    body = {"prompt": PROMPT, "routing_mode": "quality"}
    assert admin.post("/v1/route", body).json()["routing"]["model"] == "left"
    bring(admin)
    assert admin.post("/v1/route", body).json()["routing"]["model"] == "right"
    assert admin.get("/v1/models/right").json()["live"] is True
    assert gateway.http.get("/v1/models/right").json()["live"] is False
    assert gateway.http.post("/v1/route", json=body).json()["routing"]["model"] == "left"


@pytest.mark.usefixtures("gateways")
def test_a_gateway_whose_keys_are_all_tenants_is_ready(scene: Starts) -> None:
    with scene() as keyless:
        _, admin = tenant(keyless)
        found = [item["id"] for item in keyless.http.get(PATH).json()["data"] if item["status"] == "active"]
        for key in found:
            keyless.http.delete(f"{PATH}/{key}")
        assert keyless.http.get("/ready").status_code == 503
        _, item = bring(admin)
        assert keyless.http.get("/ready").status_code == 200
        assert ask(admin).status_code == 200
        admin.ask("DELETE", f"{PATH}/{item['id']}")
        assert keyless.http.get("/ready").status_code == 503


def test_a_refused_own_key_switches_the_provider_off_for_its_organisation_alone(
    gateway: Served, left: Upstream
) -> None:
    (_, bad), (_, good), (_, without) = tenant(gateway), tenant(gateway), tenant(gateway)
    bring(bad, "left-host")
    bring(good, "left-host")
    left.plays(REFUSED)
    assert ask(bad, "left").status_code == 502
    left.plays(HELLO)
    left.seen.clear()
    refused = ask(bad, "left")
    assert (refused.status_code, left.seen) == (503, [])
    assert "sk-" not in refused.text
    assert [ask(who, "left").status_code for who in (good, without)] == [200, 200]
    assert gateway.http.get("/v1/models/left").json()["breaker"] == "closed"
    assert bad.get("/v1/models/left").json()["breaker"] == "open"
    assert TOLD_OPEN not in gateway.http.get("/metrics").text
    text, _ = bring(bad, "left-host")  # a new key is not held to what became of the old one
    assert ask(bad, "left").status_code == 200
    assert keys_seen(left)[-1] == text


def test_a_refused_operators_key_does_not_concern_who_has_an_own_one(fresh: Served, left: Upstream) -> None:
    (_, own), (_, without) = tenant(fresh), tenant(fresh)
    text, _ = bring(own, "left-host")
    left.plays(REFUSED)
    assert ask(without, "left").status_code == 502
    left.plays(HELLO)
    assert ask(without, "left").status_code == 503
    assert TOLD_OPEN in fresh.http.get("/metrics").text
    left.seen.clear()
    assert ask(own, "left").status_code == 200
    assert keys_seen(left) == [text]


def test_a_new_key_takes_the_place_of_the_one_before(gateway: Served, right: Upstream) -> None:
    _, admin = tenant(gateway)
    (first, old), (second, new) = bring(admin, label="old"), bring(admin, label="new")
    assert ask(admin).status_code == 200
    assert keys_seen(right) == [second]
    assert first != second
    listed = admin.get(PATH).json()
    assert [(key["id"], key["status"]) for key in listed["data"]] == [(new["id"], "active"), (old["id"], "revoked")]
    assert listed["has_more"] is False


def test_what_is_said_of_a_key_is_its_last_four_characters(gateway: Served) -> None:
    name, admin = tenant(gateway)
    text, item = bring(admin, label="of the team")
    about = {"object": "provider_key", "provider": "right-host", "label": "of the team", "organisation": name}
    assert item == item | about | {"last4": text[-4:], "status": "active", "revoked_at": None}
    assert admin.get(f"{PATH}/{item['id']}").json() == item
    everywhere = [admin.get(path).text for path in (PATH, f"{PATH}/{item['id']}", "/v1/audit?limit=100")]
    assert text[:-4] not in "".join(everywhere)
    assert "provider_key.create" in everywhere[2]


def test_a_change_is_in_force_in_every_gateway_within_a_second(
    gateways: tuple[Served, Served], right: Upstream
) -> None:
    _, admin = tenant(gateways[0])
    elsewhere = Holder(gateways[1].url, admin.key)
    text, item = bring(admin)
    _within_a_second(lambda: ask(elsewhere).status_code == 200)
    assert set(keys_seen(right)) == {text}
    gone = admin.ask("DELETE", f"{PATH}/{item['id']}")
    assert (gone.status_code, gone.json()["status"]) == (200, "revoked")
    assert ask(admin).status_code == 503
    _within_a_second(lambda: ask(elsewhere).status_code == 503)
    assert admin.ask("DELETE", f"{PATH}/{item['id']}").json() == gone.json()


def test_a_key_of_another_organisation_is_not_there(gateway: Served) -> None:
    (_, one), (name, other) = tenant(gateway), tenant(gateway)
    _, item = bring(one)
    for method in ("GET", "DELETE"):
        assert error(other.ask(method, f"{PATH}/{item['id']}")) == (404, "not_found")
    assert other.get(PATH).json()["data"] == []
    body = {"provider": "right-host", "api_key": "x" * 16, "organisation": name}
    assert error(one.post(PATH, body)) == (404, "not_found")
    assert gateway.http.get(f"{PATH}/{item['id']}").json() == item
    assert ask(one).status_code == 200


@pytest.mark.parametrize("role", ["member", "reader"])
def test_only_administrators_keep_keys(gateway: Served, role: str) -> None:
    who = holder(gateway, role=role)
    for method, path in (
        ("GET", PATH),
        ("POST", PATH),
        ("GET", f"{PATH}/{uuid4()}"),
        ("DELETE", f"{PATH}/{uuid4()}"),
    ):
        assert error(who.ask(method, path, {} if method == "POST" else None)) == (403, "forbidden")
    assert error(Holder(gateway.url).get(PATH)) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"provider": "nobody"}, "provider"),
        ({"provider": None}, "provider"),
        ({"api_key": "sk-canary"}, "api_key"),
        ({"api_key": "sk-canary " * 60}, "api_key"),
        ({"api_key": "sk-canary-with a space"}, "api_key"),
        ({"api_key": "sk-canary-with\r\nx-header: 1"}, "api_key"),
        ({"api_key": "sk-canary-with-ünïcode"}, "api_key"),
        ({"api_key": 17}, "api_key"),
        ({"label": ""}, "label"),
        ({"key": "sk-canary"}, "key"),
    ],
)
def test_a_key_that_no_provider_has_is_refused_and_not_repeated(
    gateway: Served, wrong: dict[str, Any], param: str
) -> None:
    sent = {"provider": "right-host", "api_key": "sk-canary-long-enough"} | wrong
    refused = gateway.http.post(PATH, json=sent)
    assert refused.status_code in {400, 422}
    assert refused.json()["error"]["param"] == param
    assert "canary" not in refused.text


def _root(gateway: Served) -> str:
    return gateway.http.headers["authorization"].removeprefix("Bearer ")


def _within_a_second(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 1
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_key_whose_row_was_altered_is_sent_to_nobody(fresh: Served, right: Upstream) -> None:
    (_, one), (_, other) = tenant(fresh), tenant(fresh)
    (_, first), (_, second) = bring(one), bring(other)
    swapped = """
        UPDATE provider_key k SET wrapped_key = o.wrapped_key, sealed = o.sealed, changed_at = now()
        FROM provider_key o WHERE k.id <> o.id AND ARRAY[k.id, o.id] <@ $1::uuid[]
    """
    asyncio.run(_execute(fresh.database_url, swapped, [first["id"], second["id"]]))
    _within_a_second(lambda: ask(one).status_code == 502)
    right.seen.clear()
    for who in (one, other):
        refused = ask(who)
        assert error(refused) == (502, "provider_error")
        assert "an admin can store it anew" in refused.json()["error"]["message"]
    assert right.seen == []


def test_nothing_that_operators_see_holds_a_key(
    fresh: Served, right: Upstream, capfd: pytest.CaptureFixture[str]
) -> None:
    _, admin = tenant(fresh)
    bring(admin)
    assert ask(admin).status_code == 200
    right.plays(REFUSED)
    assert ask(admin).status_code == 502
    assert ask(admin).status_code == 503
    rows = "string_agg(k::text, '') FROM provider_key k"
    events = "string_agg(convert_from(body, 'UTF8'), '') FROM audit_event"
    kept = "".join(asyncio.run(_fetch(fresh.database_url, f"SELECT {what}")) for what in (rows, events))
    printed = capfd.readouterr()
    assert "request" in printed.out
    assert "canary" not in printed.out + printed.err + fresh.http.get("/metrics").text + kept


async def _execute(url: str, statement: str, *values: object) -> None:
    connection = await connect(url)
    await connection.execute(statement, *values)
    await connection.close()


async def _fetch(url: str, statement: str) -> str:
    connection = await connect(url)
    found = await connection.fetchval(statement)
    await connection.close()
    return str(found)


@pytest.fixture
def prepaid(gateway: Served) -> str:
    return made_organisation(gateway, prepaid=True)


@pytest.fixture
def payer(gateway: Served, prepaid: str) -> Holder:
    return holder(gateway, role="admin", organisation=prepaid)


def test_without_credits_a_run_on_own_keys_goes_on_and_any_other_does_not(
    gateway: Served, prepaid: str, payer: Holder
) -> None:
    bring(payer)
    done = ask(payer, max_tokens=20)
    assert done.status_code == 200, done.text
    assert error(ask(payer, "left", max_tokens=20)) == (402, "insufficient_credits")
    cost = done.json()["prysm"]["cost"]["total_usd"]
    assert cost == 30 / 1e6
    usage = payer.get("/v1/usage").json()
    assert (usage["total_cost_usd"], usage["total_requests"]) == (cost, 1)
    assert left(gateway, prepaid) == "0.000000000"
    assert defects(gateway, prepaid) == []


def test_of_a_run_on_both_credits_pay_the_operators_part(gateway: Served, prepaid: str, payer: Holder) -> None:
    bring(payer)
    book(gateway, prepaid, 1)
    panel = {"prompt": PROMPT, "strategy": "ensemble_moa", "models": ["left", "right"], "max_tokens": 20}
    done = payer.post("/v2/orchestrate", panel)
    assert done.status_code == 200, done.text
    calls = done.json()["prysm"]["calls"]
    theirs = sum(call["cost_usd"] for call in calls if "byok" not in call)
    assert 0 < theirs < done.json()["prysm"]["cost"]["total_usd"]
    assert left(gateway, prepaid) == f"{1 - theirs:.9f}"
    assert defects(gateway, prepaid) == []


def test_budgets_count_runs_on_own_keys(gateway: Served, prepaid: str, payer: Holder) -> None:
    bring(payer)
    body = {"limit_usd": 0.00001, "period": "total", "organisation": prepaid}
    made = gateway.http.post("/v1/budgets", json=body)
    assert made.status_code == 201, made.text
    assert error(ask(payer, max_tokens=300)) == (402, "budget_exceeded")
