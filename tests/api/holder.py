"""Somebody with a key, or without one, over a connection of its own for each request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx

if TYPE_CHECKING:
    from tests.serving import Served


@dataclass(frozen=True)
class Holder:
    """Whoever holds `key`."""

    url: str
    key: str | None = field(default=None, repr=False)

    def ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Send one request."""
        headers = {} if self.key is None else {"authorization": f"Bearer {self.key}"}
        return httpx.request(method, self.url + path, json=body, headers=headers, timeout=20, trust_env=False)

    def get(self, path: str) -> httpx.Response:
        """Read."""
        return self.ask("GET", path)

    def post(self, path: str, body: object) -> httpx.Response:
        """Send JSON."""
        return self.ask("POST", path, body)


def made(gateway: Served, by: Holder | None = None, **body: Any) -> dict[str, Any]:
    """Make a key, as root unless by another, and return the answer."""
    path, sent = "/v1/keys", {"name": "a test's"} | body
    response = by.post(path, sent) if by else gateway.http.post(path, json=sent)
    assert response.status_code == 201, response.text
    key: dict[str, Any] = response.json()
    return key


def holder(gateway: Served, **body: Any) -> Holder:
    """Somebody with a new key."""
    return Holder(gateway.url, made(gateway, None, **body)["key"])


def tenant(gateway: Served) -> tuple[str, Holder]:
    """A new organisation, and an admin of it."""
    name = f"org-{uuid4().hex}"
    assert gateway.http.post("/v1/organisations", json={"name": name}).status_code == 201
    return name, holder(gateway, role="admin", organisation=name)
