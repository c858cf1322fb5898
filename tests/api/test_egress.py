"""One way out, and only to where the operator said."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.api.wire import completion, error
from tests.providers.formats import CALL, FORMATS, KEY, Format
from tests.providers.upstream import answer, running

import prysm
from prysm.core.chat import Message
from prysm.core.content import ImagePart, TextPart
from prysm.errors import ProviderError
from prysm.faults import FaultServer
from prysm.providers.transport import open_transport

if TYPE_CHECKING:
    from tests.providers.upstream import Upstream
    from tests.serving import Served

SOURCE = Path(prysm.__file__).parent
OPENERS = re.compile(
    r"aiohttp\.(?:ClientSession|TCPConnector|request)\b|httpx\.(?:Async)?(?:Client|HTTPTransport)\(|"
    r"httpx\.(?:get|post|request|stream)\(|urllib\.request|http\.client\b|^ *import requests\b|urllib3|"
    r"\bopen_connection\b|\bcreate_connection\b|\bsocket\.socket\(|\bsock_connect\(",
    re.MULTILINE,
)
ALLOWED = {
    "providers/transport.py": "the one way out",
    "client/sync.py": "the SDK, which is not the gateway",
    "client/aio.py": "the same",
    "cli/serve.py": "binds a port to see whether it is free",
    "faults/doors.py": "the fault server",
    "faults/exchange.py": "the same",
}
every_format = pytest.mark.parametrize("form", FORMATS, ids=str)


def test_nothing_but_the_transport_opens_a_connection() -> None:
    openers = {
        str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if OPENERS.search(_code(path.read_text()))
    }
    assert openers <= set(ALLOWED)
    assert "providers/transport.py" in openers


def _code(text: str) -> str:
    """Source without comments, docstrings and annotations of values."""
    return re.sub(r'""".*?"""|#[^\n]*', "", text, flags=re.DOTALL)


def test_the_pattern_finds_what_it_is_looking_for() -> None:
    for opener in ("httpx.AsyncClient()", "urllib.request.urlopen(x)", "await asyncio.open_connection(h, 1)"):
        assert OPENERS.search(opener)


@every_format
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_a_refusal_and_nobody_follows_it(form: Format, status: str) -> None:
    async with running() as upstream, running() as trap, open_transport() as transport:
        provider = form.provider(upstream.url, transport)
        for location in (
            trap.url,
            trap.url.replace("127.0.0.1", "localhost"),
            "http://169.254.169.254/",
            "//x",
            "/",
        ):
            upstream.plays(answer(b"", status, location=location))
            with pytest.raises(ProviderError):
                await provider.complete(CALL)
        assert (len(upstream.seen), trap.connections) == (5, 0)


async def test_the_environments_proxies_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as upstream, running() as trap:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, trap.url)
            monkeypatch.setenv(name.lower(), trap.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        async with open_transport() as transport:
            form = FORMATS[0]
            upstream.plays(answer(form.body()))
            assert (await form.provider(upstream.url, transport).complete(CALL)).text == "Grüß Gott"
        assert trap.connections == 0


async def test_a_proxy_is_asked_where_the_operator_names_one() -> None:
    async with running() as proxy, open_transport() as transport:
        form = FORMATS[0]
        provider = form.provider("http://models.invalid/v1", transport, proxy=proxy.url.removesuffix("/v1"))
        proxy.plays(answer(form.body()))
        assert (await provider.complete(CALL)).text == "Grüß Gott"
        assert proxy.seen[0].target == "http://models.invalid/v1/chat/completions"
        proxy.plays(answer(b"", "407 Proxy Authentication Required"))
        tunnelled = form.provider("https://models.invalid/v1", transport, proxy=proxy.url.removesuffix("/v1"))
        with pytest.raises(ProviderError) as caught:
            await tunnelled.complete(CALL)
        assert (caught.value.kind, proxy.seen[1].target) == ("connect", "models.invalid:443")
        assert KEY not in str(proxy.seen[1])


async def test_a_certificate_of_an_unknown_authority_gets_neither_key_nor_prompt() -> None:
    async with FaultServer.running() as server, open_transport() as transport:
        with pytest.raises(ProviderError) as caught:
            await FORMATS[0].provider(server.door_url("tls-unknown-authority"), transport).complete(CALL)
        assert (caught.value.kind, server.seen) == ("connect", [])


async def test_a_cookie_from_a_provider_is_not_kept() -> None:
    async with running() as upstream, open_transport() as transport:
        upstream.plays(answer(FORMATS[0].body(), set_cookie="session=1"))
        provider = FORMATS[0].provider(upstream.url, transport)
        await provider.complete(CALL)
        await provider.complete(CALL)
        assert "cookie" not in upstream.seen[1].headers


@pytest.mark.parametrize(
    "field", ["api_base", "base_url", "api_key", "organization", "extra_headers", "custom_llm_provider", "proxy"]
)
def test_a_caller_cannot_name_a_host_or_a_key(
    scripted: Served, left: Upstream, right: Upstream, field: str
) -> None:
    before = right.connections
    for refused in (
        scripted.chat("left", **{field: right.url}),
        scripted.orchestrate(models=["left"], **{field: right.url}),
    ):
        assert refused.status_code in {400, 422}
        assert field in refused.json()["error"]["message"] + str(refused.json()["error"]["param"])
    assert (left.seen, right.connections) == ([], before)


def test_a_header_of_the_caller_does_not_choose_the_host_or_travel_on(scripted: Served, left: Upstream) -> None:
    left.plays(completion("Paris"))
    named = {"x-base-url": "http://127.0.0.1:9/", "openai-organization": "callers", "x-forwarded-host": "callers"}
    body = {"model": "left", "messages": [{"role": "user", "content": "hi"}]}
    assert scripted.http.post("/v1/chat/completions", json=body, headers=named).status_code == 200
    assert "callers" not in str(left.seen[0].headers)


def test_the_address_of_an_image_is_passed_on_and_never_fetched(
    scripted: Served, left: Upstream, right: Upstream
) -> None:
    left.plays(completion("a cat"))
    before, url = right.connections, f"{right.url}/cat.png"
    content: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": url}}]
    answered = scripted.http.post(
        "/v1/chat/completions", json={"model": "left", "messages": [{"role": "user", "content": content}]}
    )
    assert answered.status_code == 200, answered.text
    assert left.seen[0].json["messages"][0]["content"][0]["image_url"]["url"] == url
    assert right.connections == before


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://x", "//127.0.0.1/x", "/x"])
def test_an_image_with_no_web_address_is_refused(scripted: Served, left: Upstream, url: str) -> None:
    content = [{"type": "image_url", "image_url": {"url": url}}]
    refused = scripted.http.post(
        "/v1/chat/completions", json={"model": "left", "messages": [{"role": "user", "content": content}]}
    )
    assert error(refused) == (400, "invalid_request")
    assert left.seen == []


@every_format
async def test_no_format_fetches_an_image(form: Format) -> None:
    async with running() as upstream, running() as trap, open_transport() as transport:
        upstream.plays(answer(form.body()))
        turn = Message("user", (TextPart("What is it?"), ImagePart(url=f"{trap.url}/cat.png")))
        call = replace(CALL, messages=(turn,))
        await form.provider(upstream.url, transport).complete(call)
        assert trap.url.encode() in upstream.seen[0].body
        assert trap.connections == 0


async def test_a_key_goes_to_its_own_host_alone() -> None:
    async with running() as upstream, running() as other, open_transport() as transport:
        form = FORMATS[0]
        upstream.plays(answer(b"", "307 Temporary Redirect", location=other.url))
        other.plays(answer(form.body()))
        with pytest.raises(ProviderError):
            await form.provider(upstream.url, transport).complete(CALL)
        request = httpx.Request("GET", other.url)
        await (await transport.handle_async_request(request)).aclose()
        assert KEY in str(upstream.seen[0].headers)
        assert KEY not in str(other.seen[0].headers)
