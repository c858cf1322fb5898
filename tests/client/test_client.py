"""Both clients against a real server: what they send, what they return, how they fail."""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import prysm
from prysm import AsyncPrysm, Prysm, PrysmClientError
from prysm.client import BadAnswer, GatewayError, GatewayUnreachable, Reply
from prysm.errors import ConfigError, InvalidRequest, PrysmError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.scripted_gateway import ScriptedGateway

KEY = "prysm_sk_very_secret"
ANSWER = {"choices": [{"message": {"content": "4"}}], "prysm": {"orchestration": {"models_used": ["a", "b"]}}}
CHUNKS = [
    {"choices": [], "prysm_event": {"type": "plan"}},
    {"choices": [{"delta": {"content": "4"}}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}], "prysm": {}},
]


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest, gateway: ScriptedGateway) -> Callable[..., Any]:
    """Call a method by its dotted name on either client; a stream comes back as a list."""

    def blocking(name: str, *args: Any, **kwargs: Any) -> Any:
        with Prysm(KEY, gateway.url + "/v1/", timeout=5) as client:
            found = method(client, name)(*args, **kwargs)
            return list(found) if kwargs.get("stream") else found

    async def waiting(name: str, *args: Any, **kwargs: Any) -> Any:
        async with AsyncPrysm(KEY, gateway.url + "/v1/", timeout=5) as client:
            found = await method(client, name)(*args, **kwargs)
            return [chunk async for chunk in found] if kwargs.get("stream") else found

    return blocking if request.param == "sync" else lambda *a, **kw: asyncio.run(waiting(*a, **kw))


def method(client: Any, name: str) -> Any:
    for part in name.split("."):
        client = getattr(client, part)
    return client


def test_orchestrate_sends_the_fields_that_were_given(gateway: ScriptedGateway, call: Callable[..., Any]) -> None:
    gateway.says("/v2/orchestrate", ANSWER)
    reply = call("orchestrate", "2+2", policy="depth", k=3, samples=None, extra_body={"cache": False})
    assert reply == ANSWER
    assert reply.prysm.orchestration.models_used == ["a", "b"]
    assert gateway.asked[0].body == {"prompt": "2+2", "policy": "depth", "k": 3, "cache": False}
    assert gateway.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert gateway.asked[0].headers["content-type"] == "application/json"


def test_a_list_is_sent_as_messages(gateway: ScriptedGateway, call: Callable[..., Any]) -> None:
    gateway.says("/v2/orchestrate", ANSWER)
    messages = [{"role": "user", "content": "2+2 \ud800 ✓"}]
    call("orchestrate", messages)
    assert gateway.asked[0].body == {"messages": messages}


def test_chat_is_called_as_in_the_openai_client(gateway: ScriptedGateway, call: Callable[..., Any]) -> None:
    gateway.says("/v1/chat/completions", ANSWER)
    messages = [{"role": "user", "content": "hi"}]
    call("chat.completions.create", model="prysm/depth", messages=messages, extra_body={"deadline_s": 3}, seed=1)
    sent = {"model": "prysm/depth", "messages": messages, "deadline_s": 3, "seed": 1}
    assert gateway.asked[0].body == sent


def test_tools_and_the_messages_of_answers_are_passed_on_as_they_are(
    gateway: ScriptedGateway, call: Callable[..., Any]
) -> None:
    said = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function"}]}
    gateway.says("/v1/chat/completions", {"choices": [{"message": said}]})
    fields = {
        "tools": [{"type": "function"}],
        "tool_choice": "required",
        "n": 2,
        "response_format": {"type": "text"},
    }
    answer = call("chat.completions.create", model="auto", messages=[], **fields)
    call("chat.completions.create", model="auto", messages=[answer.choices[0].message], **fields)
    assert gateway.asked[1].body == {"model": "auto", "messages": [said], **fields}


@pytest.mark.parametrize(
    ("name", "args", "asked"),
    [
        ("route", ("hi", "quality"), ("POST", "/v1/route", {"prompt": "hi", "routing_mode": "quality"})),
        ("models_catalog", (), ("GET", "/v1/models", None)),
        ("usage", (), ("GET", "/v1/usage", None)),
        ("usage", ("model",), ("GET", "/v1/usage?by=model", None)),
        ("proof", ("../keys?x",), ("GET", "/v1/proof/..%2Fkeys%3Fx", None)),
        ("outcomes", (), ("GET", "/v1/feedback?limit=1000", None)),
    ],
)
def test_each_method_asks_its_route(
    gateway: ScriptedGateway, call: Callable[..., Any], name: str, args: tuple[str, ...], asked: tuple[Any, ...]
) -> None:
    gateway.says(asked[1], {"ok": True})
    assert call(name, *args) == Reply(ok=True)
    assert [(a.method, a.path, a.body) for a in gateway.asked] == [asked]


@pytest.mark.parametrize("said", [{"correct": False}, {"score": 0.0, "comment": "so so"}])
def test_feedback_is_sent_as_it_was_said(
    gateway: ScriptedGateway, call: Callable[..., Any], said: dict[str, Any]
) -> None:
    gateway.says("/v1/feedback", {"replaced": False})
    assert call("feedback", "prysm-x", **said).replaced is False
    assert (gateway.asked[0].method, gateway.asked[0].body) == ("POST", {"request_id": "prysm-x", **said})


def test_a_stream_yields_the_chunks(gateway: ScriptedGateway, call: Callable[..., Any]) -> None:
    gateway.streams("/v2/orchestrate", *CHUNKS)
    gateway.streams("/v1/chat/completions", *CHUNKS)
    chunks = call("orchestrate", "hi", stream=True)
    assert chunks == CHUNKS
    assert chunks[1].choices[0].delta.content == "4"
    assert call("chat.completions.create", messages=[], stream=True) == CHUNKS
    assert gateway.asked[1].body == {"model": "auto", "messages": [], "stream": True}


def test_a_stream_that_ends_early_raises(gateway: ScriptedGateway, call: Callable[..., Any]) -> None:
    gateway.streams("/v2/orchestrate", *CHUNKS, done=False)
    with pytest.raises(BadAnswer, match="not whole"):
        call("orchestrate", "hi", stream=True)


def test_a_stream_whose_connection_breaks_raises(gateway: ScriptedGateway, call: Callable[..., Any]) -> None:
    gateway.streams("/v2/orchestrate", *CHUNKS, done=False, cut=True)
    with pytest.raises(GatewayUnreachable) as caught:
        call("orchestrate", "hi", stream=True)
    assert caught.value.code == "connection_lost"


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_carries_everything_the_gateway_said(
    gateway: ScriptedGateway, call: Callable[..., Any], stream: bool
) -> None:
    error = {"message": "slow down", "type": "rate_limit_error", "param": "k", "code": "rate_limit_exceeded"}
    gateway.says("/v2/orchestrate", {"error": error}, 429, retry_after="7", x_request_id="run-9")
    with pytest.raises(GatewayError, match="slow down") as caught:
        call("orchestrate", "hi", stream=stream)
    raised = caught.value
    assert (raised.status, raised.code, raised.param) == (429, "rate_limit_exceeded", "k")
    assert (raised.request_id, raised.retry_after_s) == ("run-9", 7)
    assert len(gateway.asked) == 1


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"error": "no credits", "code": "insufficient_credits"}, "insufficient_credits", "no credits"),
        ({"detail": [1]}, "http_402", "gave no reason"),
        ({"error": {"code": 7}}, "7", "gave no reason"),
    ],
)
def test_other_error_bodies_are_read_too(gateway: ScriptedGateway, body: Any, code: str, message: str) -> None:
    gateway.says("/v1/models", body, 402, retry_after="Wed, 21 Oct 2026 07:28:00 GMT")
    with Prysm(KEY, gateway.url) as client, pytest.raises(GatewayError, match=message) as caught:
        client.models_catalog()
    assert (caught.value.code, caught.value.retry_after_s) == (code, None)


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (200, b"[]"), (502, b"Bad gateway"), (302, b"")])
def test_what_no_gateway_says_is_a_bad_answer(
    gateway: ScriptedGateway, call: Callable[..., Any], status: int, body: bytes
) -> None:
    gateway.says("/v1/models", body, status, location="http://elsewhere.invalid/")
    with pytest.raises(BadAnswer, match="is that a Prysm gateway") as caught:
        call("models_catalog")
    assert caught.value.status == status


def test_a_body_that_is_not_gzip_is_a_bad_answer(gateway: ScriptedGateway, call: Callable[..., Any]) -> None:
    gateway.says("/v1/models", b"junk", content_encoding="gzip")
    with pytest.raises(BadAnswer, match="decompressed"):
        call("models_catalog")


def test_nobody_listening_says_how_to_start_a_gateway() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can answer there
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with Prysm(KEY, url) as client, pytest.raises(GatewayUnreachable, match="`prysm serve`") as caught:
            client.models_catalog()
    assert (caught.value.code, caught.value.status) == ("unreachable", None)
    assert isinstance(caught.value, PrysmError)


def test_a_silent_gateway_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Prysm(KEY, url, timeout=0.05) as client, pytest.raises(GatewayUnreachable) as caught:
            client.models_catalog()
    assert caught.value.code == "timeout"


def test_a_stream_that_is_left_early_closes_its_connection(gateway: ScriptedGateway) -> None:
    gateway.streams("/v2/orchestrate", *CHUNKS)
    with Prysm(KEY, gateway.url) as client, client.orchestrate("hi", stream=True) as stream:
        assert next(stream) == CHUNKS[0]
        stream.close()
        assert list(stream) == []


def test_the_key_and_the_address_come_from_the_environment(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRYSM_API_KEY", KEY + "\n")
    monkeypatch.setenv("PRYSM_BASE_URL", gateway.url + "/v1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")  # a loopback call and its key go through no proxy
    gateway.says("/v1/models", {"data": []})
    with Prysm() as client:
        assert client.models_catalog().data == []
    assert gateway.asked[0].headers["authorization"] == f"Bearer {KEY}"


def test_without_a_key_none_is_sent(gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRYSM_API_KEY", raising=False)
    gateway.says("/v1/models", {"data": []})
    with Prysm(base_url=gateway.url) as client:
        client.models_catalog()
    assert "authorization" not in gateway.asked[0].headers


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8080",
        "ftp://h",
        "http://",
        "http://user:pw@h",
        "http://h?a=1",
        "http://h#x",
        "http://h:99999",
        "http://[h",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match="base_url must look like") as caught:
        Prysm(KEY, url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "clé"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ConfigError, match="API key") as caught:
        Prysm(key)
    assert key not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
def test_an_argument_that_is_not_json_is_refused_before_anything_is_sent(value: Any) -> None:
    with Prysm(KEY) as client, pytest.raises(InvalidRequest, match="as JSON"):
        client.orchestrate("hi", k=value)


def test_the_key_shows_nowhere(gateway: ScriptedGateway) -> None:
    gateway.says("/v1/models", {"error": {"message": "no", "code": "invalid_api_key"}}, 401)
    client = Prysm(KEY, gateway.url)
    with client, pytest.raises(PrysmClientError) as caught:
        client.models_catalog()
    shown = [repr(client), str(client), repr(client._target), repr(caught.value), str(caught.value)]
    assert [text for text in shown if KEY in text] == []
    assert repr(client) == f"Prysm(base_url={gateway.url!r})"


def test_both_clients_take_the_same_arguments() -> None:
    for name in ("orchestrate", "route", "models_catalog", "usage", "proof", "proof_document", "verify_proof"):
        ours, theirs = (inspect.signature(getattr(kind, name)) for kind in (Prysm, AsyncPrysm))
        assert ours.parameters == theirs.parameters


def test_importing_prysm_is_light_and_the_client_carries_no_server_code() -> None:
    code = (
        "import sys, json, prysm; light = 'httpx' not in sys.modules; from prysm import Prysm;"
        "print(json.dumps([light, sorted(m for m in sys.modules if m.startswith('prysm'))]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)  # noqa: S603 -- fixed
    light, loaded = json.loads(done.stdout)
    assert light
    assert [m for m in loaded if m.split(".")[1:2] not in ([], ["client"], ["errors"], ["proof"])] == []


def test_an_unknown_name_in_prysm_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Prism"):
        _ = prysm.Prism
