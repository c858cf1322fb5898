"""What answers tell a browser, who may call from one, and whose word on the caller's address counts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.hostile.test_framing import GET, POST
from tests.hostile.wire import say
from tests.serving import AUTHORIZED, SANDBOX

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.conftest import Process

APP, OTHER = "https://app.example.com", "https://evil.example.com"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
}
ROUTES = [
    ("GET", "/health", 200),
    ("GET", "/v1/models", 200),
    ("GET", "/nowhere", 404),
    ("DELETE", "/v1/models", 405),
    ("POST", "/v2/orchestrate", 415),
    ("GET", "/v1/log/checkpoint", 200),
    ("GET", "/metrics", 200),
    ("GET", "/openapi.json", 200),
]


@pytest.mark.parametrize(("method", "path", "status"), ROUTES)
def test_every_answer_is_taken_for_what_it_is_and_is_not_kept(
    live: Process, method: str, path: str, status: int
) -> None:
    answer = httpx.request(method, live.url + path, headers=AUTHORIZED)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["cache-control"] in ({"no-cache"} if path == "/v1/log/checkpoint" else {"no-store"})
    assert "server" not in answer.headers
    assert all(len(answer.headers.get_list(name)) == 1 for name in answer.headers)


@pytest.mark.parametrize("body", [{"prompt": "Hi"}, {"prompt": "Hi", "stream": True}])
def test_an_answer_of_a_model_is_not_kept(live: Process, body: dict[str, object]) -> None:
    answer = live.post("/v2/orchestrate", body)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")


def test_the_page_runs_its_own_script_and_no_other(live: Process) -> None:
    page = httpx.get(live.url + "/docs")
    policy = page.headers["content-security-policy"]
    scripts = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert len(scripts) == policy.count("sha256-") == 1
    script_src = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "unsafe" not in script_src
    assert all(host in policy for host in set(re.findall(r"https://[^/\"]+/npm/[^/\"]+/", page.text)))


def test_no_page_may_call_by_default(live: Process) -> None:
    asked = httpx.options(live.url + "/v1/models", headers=PREFLIGHT | {"origin": APP})
    answer = httpx.get(live.url + "/v1/models", headers=AUTHORIZED | {"origin": APP})
    assert (asked.status_code, answer.status_code) == (401, 200)
    assert not [name for told in (asked, answer) for name in told.headers if name.startswith("access-control")]


def test_only_pages_of_the_origins_that_were_named_may_call_and_documentation_can_be_off(
    serve: Callable[..., Process], database_url: str
) -> None:
    toml = f'[server]\ncors_origins = ["{APP}"]\ndocs = false\nmetrics = false\n{SANDBOX}'
    gateway = serve(toml=toml, PRYSM_DATABASE_URL=database_url).wait_ready()
    allowed = httpx.options(gateway.url + "/v2/orchestrate", headers=PREFLIGHT | {"origin": APP})
    refused = httpx.options(gateway.url + "/v2/orchestrate", headers=PREFLIGHT | {"origin": OTHER})
    assert (allowed.status_code, refused.status_code) == (200, 400)
    assert allowed.headers["access-control-allow-origin"] == APP
    assert "access-control-allow-origin" not in refused.headers
    for origin, told in ((APP, APP), (OTHER, None), (APP + ".evil.test", None), ("null", None)):
        answer = httpx.get(gateway.url + "/v1/models", headers=AUTHORIZED | {"origin": origin})
        assert answer.headers.get("access-control-allow-origin") == told
        assert "access-control-allow-credentials" not in answer.headers
        assert "Origin" in answer.headers["vary"]
    unsaid = httpx.get(gateway.url + "/v1/models", headers={"origin": APP})
    assert (unsaid.status_code, unsaid.headers["access-control-allow-origin"]) == (401, APP)  # a page can read why
    closed = [httpx.get(gateway.url + path, headers=AUTHORIZED) for path in ("/docs", "/openapi.json", "/metrics")]
    assert [answer.status_code for answer in closed] == [404] * 3
    assert "/docs" not in closed[0].text


FORGED = b"x-forwarded-for: 203.0.113.7\r\nx-forwarded-proto: https\r\nx-forwarded-host: evil.test\r\n"


def test_a_stranger_cannot_say_where_a_request_comes_from(live: Process) -> None:
    say(live.url, GET.replace(b"/health", b"/forged-1") + FORGED + b"\r\n")
    assert _client(live, "/forged-1") == "127.0.0.1"


def test_a_trusted_proxy_is_believed_as_far_as_proxies_are_trusted(
    serve: Callable[..., Process], database_url: str
) -> None:
    toml = f'[server]\ntrusted_proxies = ["127.0.0.1", "10.0.0.0/8"]\nkeep_alive_s = 1\n{SANDBOX}'
    gateway = serve(toml=toml, PRYSM_DATABASE_URL=database_url).wait_ready()
    claims = {
        b"203.0.113.7": "203.0.113.7",
        b"198.51.100.1, 203.0.113.7, 10.1.2.3": "203.0.113.7",  # the first one is the caller's own invention
        b"203.0.113.7\r\nx-forwarded-for: 10.1.2.3": "203.0.113.7",
        b"": "127.0.0.1",
        b'"><script>alert(1)</script>' + b"x" * 500: None,
    }
    for i, (claim, shown) in enumerate(claims.items()):
        path = f"/claimed-{i}"
        say(gateway.url, GET.replace(b"/health", path.encode()) + b"x-forwarded-for: " + claim + b"\r\n\r\n")
        assert _client(gateway, path) == shown


def _client(gateway: Process, path: str) -> str | None:
    """The address in the log line of that request."""
    lines = [json.loads(line) for line in gateway.log().splitlines() if line.startswith("{")]
    (found,) = [line["client"] for line in lines if line.get("path") == path]
    return str(found) if found is not None else None


def test_the_limit_of_a_body_holds_however_it_is_sent(live: Process) -> None:
    large = b" " * 600_000
    told = say(live.url, POST + b"content-length: 600000\r\n\r\n").answers
    chunked = say(
        live.url, POST + b"transfer-encoding: chunked\r\n\r\n" + b"%x\r\n%s\r\n" % (len(large), large)
    ).answers
    assert [answer.status for answer in told] == [413]
    assert [answer.status for answer in chunked] in ([413], [])
