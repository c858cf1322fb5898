"""Under a retention of zero the caller's own id of a request is not logged, since it is text of the caller's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest
from structlog.testing import capture_logs
from tests.api.holder import made
from tests.serving import AUTHORIZED, SANDBOX, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.serving import Served

SAID = "canary-of-the-caller"
CHAT = {"model": "sandbox-small", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
ZERO = CHAT | {"retention": "zero"}
ESCAPED = b'{"model": "sandbox-small", "messages": [{"role": "user", "content": "Hi"}], "\\u0072etention": "zero"}'


class Logged:
    """A gateway whose log is read once it has stopped."""

    def __init__(self, gateway: Served, lines: list[Any]) -> None:
        self.gateway = gateway
        self.lines = lines

    def ask(self, path: str, key: str | None = None, **sent: Any) -> int:
        """Send a request with an id of the caller's; its status."""
        headers = AUTHORIZED if key is None else {"authorization": f"Bearer {key}"}
        headers = headers | {"x-request-id": SAID, "content-type": "application/json"} | sent.pop("headers", {})
        method = sent.pop("method", "POST")
        return httpx.request(
            method, self.gateway.url + path, headers=headers, timeout=20, trust_env=False, **sent
        ).status_code


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with capture_logs() as lines:
        yield lines


def told(lines: list[Any]) -> list[str | None]:
    """The callers' ids in the log."""
    return [line["client_request_id"] for line in lines if line["event"] == "request"]


def test_no_id_of_the_callers_is_logged_where_a_request_or_its_key_has_a_retention_of_zero(
    database_url: str, tmp_path: Path, logs: list[Any]
) -> None:
    with served(tmp_path, SANDBOX, database_url) as gateway:
        it, key = Logged(gateway, logs), made(gateway, retention="zero")["key"]
        twice = {"idempotency-key": str(uuid4())}
        statuses = [
            it.ask("/v1/chat/completions", json=ZERO),
            it.ask("/v1/chat/completions", json=ZERO | {"stream": True}),
            it.ask("/v1/chat/completions", content=ESCAPED),
            it.ask("/v1/chat/completions", json=ZERO, headers=twice),
            it.ask("/v1/chat/completions", json=ZERO, headers=twice),
            it.ask("/v1/chat/completions", json=ZERO | {"model": "nobody"}),
            it.ask("/v1/chat/completions", json=ZERO | {"temperature": "hot"}),
            it.ask("/v1/chat/completions", content=b'{"retention": "zero", '),
            it.ask("/v1/messages", json=ZERO),
            it.ask("/v1/responses", json={"model": "sandbox-small", "input": "Hi", "retention": "zero"}),
            it.ask("/v2/orchestrate", json={"prompt": "Hi", "retention": "zero"}),
            it.ask("/v1/route", json={"prompt": "Hi", "retention": "zero"}),
            it.ask("/v1/embeddings", json={"model": "sandbox-embedding", "input": "Hi", "retention": "zero"}),
            it.ask("/v1/chat/completions", key, json=CHAT),
            it.ask("/v1/chat/completions", key, json=CHAT | {"temperature": "hot"}),
            it.ask("/v1/keys", key, json={"name": "x"}),
            it.ask("/v1/models", key, method="GET"),
        ]
    assert statuses.count(200) >= 10
    assert SAID not in str(logs)


def test_elsewhere_it_is(database_url: str, tmp_path: Path, logs: list[Any]) -> None:
    with served(tmp_path, SANDBOX, database_url) as gateway:
        it = Logged(gateway, logs)
        it.ask("/v1/chat/completions", json=CHAT)
        it.ask("/v1/chat/completions", json=CHAT | {"retention": None})
        it.ask("/v1/chat/completions", content=b'{"model": "\\u00e9"}')
        it.ask("/v1/models", method="GET")
        it.ask("/v1/models", "unknown", method="GET")
    assert told(logs) == [SAID] * 5
