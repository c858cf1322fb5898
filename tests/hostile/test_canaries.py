"""A key in every place where a caller or a provider can put one, and a look at everything that comes out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import pytest
from tests.api.wire import completion, streamed
from tests.hostile.conftest import LONG
from tests.providers.upstream import Act, answer, head, running, sse
from tests.serving import AUTHORIZED, ROOT_KEY

from prysm.config import Settings, load_config
from prysm.core.masking import masked, masked_text
from prysm.proof.signing import SigningKey
from prysm.providers.build import build_provider
from prysm.providers.transport import open_transport
from prysm.vault import Vault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator
    from pathlib import Path

    from tests.acceptance.conftest import Process
    from tests.providers.upstream import Upstream

Case = TypeVar("Case")
PROVIDER_KEY = "sk-live-canaryOfTheProvider0123456789"
SECRETS = {
    "ours": ("prysm_sk_abcdefghijkl", "CanaryOfOurs_0123456789-abcdefghijklmnopqrs"),
    "OpenAI": ("sk-proj-", "CanaryOfOpenAI0123456789"),
    "Anthropic": ("sk-ant-api03-", "CanaryOfAnthropic_0123456789"),
    "Google": ("AIza", "SyCanaryOfGoogle0123456789abcdefghijkl"),
    "Groq": ("gsk_", "CanaryOfGroq0123456789"),
    "a token": ("Bearer ", "canary.of~a+token/0123456789=="),
    "a JSON Web Token": ("eyJhbGciOiJIUzI1NiJ9.", "eyJzdWIiOiJjYW5hcnkifQ.Y2FuYXJ5LW9mLWEtand0"),
}
KEYS = {name: begin + rest for name, (begin, rest) in SECRETS.items()}
every_key = pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with running() as server:
        yield server


@pytest.fixture
def gateway(serve: Callable[..., Process], database_url: str, upstream: Upstream) -> Process:
    """A gateway whose one provider says what the test tells it to; it logs all it ever logs."""
    toml = f"""
        [server]
        trusted_proxies = ["127.0.0.1"]
        [[providers]]
        id = "left-host"
        kind = "openai"
        base_url = "{upstream.url}"
        api_key_env = "LEFT_KEY"
        retries = 0
        breaker = false
        [[models]]
        id = "left"
        provider = "left-host"
        tier = "mid"
        capabilities = ["tools", "json_schema"]
    """
    variables = {"PRYSM_DATABASE_URL": database_url, "LEFT_KEY": PROVIDER_KEY, "PRYSM_LOG_LEVEL": "debug"}
    return serve(toml=toml, **variables).wait_ready()


def _user(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "left", "messages": [{"role": "user", "content": text} | more]}


def _requests(key: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Requests with the key in one place each."""
    named = ("x-api-key", "cookie", "user-agent", "referer", "x-request-id", "idempotency-key", "x-forwarded-for")
    for name in (*named, "openai-organization", "anthropic-beta"):
        yield "GET", "/v1/models", {"headers": AUTHORIZED | {name: key}}
    yield "GET", "/v1/models", {"headers": {"authorization": f"Bearer {key}"}}
    yield "GET", "/v1/models", {"headers": {"x-api-key": key}}
    for path in ("/", "/v1/", "/v1/models/", "/v1/proof/", "/v1/keys/", "/v1/responses/", "/v1/log/tile/"):
        yield "GET", path + key.replace("/", "%2F"), {}
    for path in ("/v1/models", "/health", "/v1/log/checkpoint", "/v1/feedback"):
        yield "GET", path, {"params": {"api_key": key, "origin": key, "limit": key}}
    yield "".join(filter(str.isalpha, key)).upper(), "/v1/models", {}
    for path in ("/v1/chat/completions", "/v2/orchestrate", "/v1/messages", "/v1/responses", "/v1/embeddings"):
        yield "POST", path, {"content": f'{{"{key}": "{key}', "headers": {"content-type": "application/json"}}
        yield "POST", path, {"content": key, "headers": {"content-type": key.replace(" ", "")}}
        yield "POST", path, {"json": {"model": key, "max_tokens": 9} | _said(path, "Hi")}
        yield "POST", path, {"json": {"model": "left", "max_tokens": 9, key: key} | _said(path, "Hi")}
        yield "POST", path, {"json": {"model": "left", "max_tokens": 9, "models": [key]} | _said(path, "Hi")}
        yield "POST", path, {"json": {"model": "left", "max_tokens": key} | _said(path, key)}
    schema = {
        "type": "json_schema",
        "json_schema": {"name": "x", "schema": {"$ref": f"#/{key}", "pattern": f"({key}"}},
    }
    tool = {"type": "function", "function": {"name": key, "description": key, "parameters": {"type": key}}}
    call = {"id": key, "type": "function", "function": {"name": key, "arguments": key}}
    turn = {"role": "assistant", "content": None, "tool_calls": [call]}
    for more in (
        {"metadata": {key[:60]: key}},
        {"user": key},
        {"stop": [key]},
        {"tools": [tool]},
        {"tool_choice": {"type": "function", "function": {"name": key}}},
        {"response_format": schema},
        {"routing_mode": key},
        {"fallback": [key]},
        {"judge_model": key},
        {"messages": [{"role": key, "content": "Hi"}]},
        {"messages": [turn, {"role": "tool", "tool_call_id": key + "x", "content": key}]},
        {"messages": [{"role": "user", "content": [{"type": key, "text": key}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": key}}]}]},
        {"stream": True},
    ):
        yield "POST", "/v1/chat/completions", {"json": _user(key, name=key[:60]) | more}
    yield "POST", "/v1/feedback", {"json": {"request_id": key, "score": 1, "comment": key}}
    yield "POST", "/v1/proof/verify", {"json": {"proof": {"proof_hash": key, "envelope": {"payload": key}}}}
    yield "POST", "/v1/responses", {"json": {"model": "left", "input": key, "previous_response_id": key}}
    yield "POST", "/v1/keys", {"json": {"name": key, "role": key}}


def _said(path: str, text: str) -> dict[str, Any]:
    if path in {"/v1/responses", "/v1/embeddings"}:
        return {"input": text}
    return {"messages": [{"role": "user", "content": text}]}


def _answers(key: str) -> list[tuple[bytes | Act, ...]]:
    """What a provider may say with a key in it, besides an answer."""
    said = json.dumps({"error": {"message": f"Incorrect API key provided: {key}", "code": key}}).encode()
    return [
        (completion("fine"),),
        *((answer(said, status),) for status in ("400 Bad", "401 No", "403 No", "404 No", "429 Slow", "500 Oh")),
        (answer(said, f"418 {key}"),),
        (answer(said, "302 Found", location=f"https://{key.replace(' ', '')}.test/{key}"),),
        (answer(said, content_type=key),),
        (answer(said, "429 Slow", retry_after=key),),
        (answer(said),),
        (answer(key.encode()),),
        (sse(b"data: " + said + b"\n\n"),),
        (sse(f"data: {key}\n\n".encode()),),
        (head(content_type="text/event-stream") + f"data: {key}".encode(), Act.CLOSE),
        (f"HTTP/1.1 {key}\r\n\r\n".encode(), Act.CLOSE),
        (f"{key}\r\n\r\n".encode(), Act.CLOSE),
    ]


def _mine(turn: int, cases: Iterable[Case]) -> list[Case]:
    """Each of the cases falls to one of the keys; in `make fuzz` to all of them."""
    return [case for i, case in enumerate(cases) if LONG or i % len(KEYS) == turn]


@pytest.mark.timeout(300)
async def test_no_key_comes_out_wherever_it_was_put_in(gateway: Process, upstream: Upstream) -> None:
    told: list[httpx.Response] = []
    async with httpx.AsyncClient(base_url=gateway.url, headers=AUTHORIZED, timeout=20) as http:
        for turn, key in enumerate(KEYS.values()):
            upstream.plays(streamed("fine"))
            for method, path, request in _mine(turn, _requests(key)):
                told.append(await http.request(method, path, **request))
            for steps in _mine(turn, _answers(key)):
                upstream.plays(*steps)
                told.append(await http.post("/v1/chat/completions", json=_user("Hi")))
                told.append(await http.post("/v1/chat/completions", json=_user("Hi") | {"stream": True}))
        told += [await http.get(path) for path in ("/metrics", "/ready", "/v1/models", "/v1/feedback")]
        proofs = {answer.headers["x-prysm-proof-url"] for answer in told if "x-prysm-proof-url" in answer.headers}
        told += [await http.get(url) for url in sorted(proofs)[:40]]
    assert upstream.seen[0].headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert {answer.status_code for answer in told if answer.status_code >= 500} <= {502, 503, 504, 529}
    shown = gateway.log() + "".join(f"{answer.headers}{answer.text}" for answer in told)
    secrets = [rest for _, rest in SECRETS.values()]
    assert [secret for secret in (*secrets, PROVIDER_KEY, ROOT_KEY) if secret in shown] == []


@every_key
def test_what_looks_like_a_key_is_cut_out_of_a_text(key: str) -> None:
    text = f'"path":"/v1/models/{key}","caller":"root"'
    shown = masked_text(text)
    assert key not in shown
    assert shown.startswith('"path":"/v1/models/')
    assert shown.endswith('...","caller":"root"')


@pytest.mark.parametrize(
    "text",
    [
        "prysm_sk_abcdefghijkl",
        "task-force-of-the-desk-officers-in-charge",
        "Send `Authorization: Bearer <key>` (or `x-api-key: <key>`).",
        "risk_assessment_of_everything_there_is",
        "sk-ip",
        "Pr\u00fcfung",
    ],
)
def test_what_is_no_key_stays(text: str) -> None:
    assert masked(text.encode()) == text.encode()


def test_no_repr_shows_a_secret(tmp_path: Path) -> None:
    secret = "canary-of-a-secret-0123456789"
    variables = {
        "PRYSM_ROOT_KEY": secret,
        "PRYSM_ENCRYPTION_KEY": secret,
        "PRYSM_DATABASE_URL": f"postgresql://u:{secret}@h/d",
        "PRYSM_REDIS_URL": f"redis://:{secret}@h",
        "OPENAI_API_KEY": secret,
        "PRYSM_DATA_DIR": str(tmp_path),
    }
    settings = Settings.from_environment(variables)
    config = load_config(replace(settings, config_path=None), variables)
    private = b"canary of a private key, 32 byte"
    vault = Vault(secret)
    provider = next(spec for spec in config.providers if spec.id == "openai")
    assert provider.api_key == secret
    built = build_provider(provider, open_transport())
    things = [settings, config, provider, built, vars(built) if hasattr(built, "__dict__") else "", vault]
    things += [SigningKey.from_private(private)]
    shown = "".join(f"{thing!r} {thing}" for thing in things)
    assert secret not in shown
    assert private.decode() not in shown
