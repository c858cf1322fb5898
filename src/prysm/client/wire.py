"""Requests as values and responses as replies: all of the client but the I/O."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode, urlsplit

import httpx

import prysm
from prysm.client.errors import BadAnswer, GatewayError
from prysm.client.reply import Reply, parse_object
from prysm.errors import ConfigError, InvalidRequest

DEFAULT_URL = "http://127.0.0.1:8080"
DEFAULT_TIMEOUT = httpx.Timeout(600, connect=5)
Prompt: TypeAlias = str | Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Target:
    """Where the gateway is, and the key for it. The key is never shown."""

    base_url: str
    api_key: str | None = field(repr=False)

    @classmethod
    def resolve(cls, api_key: str | None, base_url: str | None) -> Target:
        """Fill in from PRYSM_API_KEY and PRYSM_BASE_URL. Raises `ConfigError` for what cannot be used."""
        url = (base_url or os.environ.get("PRYSM_BASE_URL") or DEFAULT_URL).strip()
        key = (api_key or os.environ.get("PRYSM_API_KEY") or "").strip()
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise ConfigError("The API key holds a character that no key has: copy it again (PRYSM_API_KEY).")
        return cls(_base(url), key or None)

    @property
    def loopback(self) -> bool:
        """Whether the gateway is on this machine."""
        host = urlsplit(self.base_url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def options(self, timeout: float | httpx.Timeout | None) -> dict[str, Any]:
        """Arguments for an httpx client. The key for this machine's gateway goes through no proxy."""
        headers = {"user-agent": f"prysm-python/{prysm.__version__}", "accept": "application/json"}
        if self.api_key:
            headers["authorization"] = f"Bearer {self.api_key}"
        return {
            "base_url": self.base_url,
            "headers": headers,
            "timeout": timeout,
            "trust_env": not self.loopback,
        }


def _base(url: str) -> str:
    wrong = ConfigError("base_url must look like http://host:port, without a user, a query or a fragment.")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        raise wrong from None
    if not usable or parts.username is not None or parts.query or parts.fragment or not url.isprintable():
        raise wrong
    return url.rstrip("/").removesuffix("/v1").rstrip("/")


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the gateway."""

    method: str
    path: str
    content: bytes | None = None

    def request(
        self, client: httpx.Client | httpx.AsyncClient, timeout: httpx.Timeout | None = None
    ) -> httpx.Request:
        """Build it with a client's address, headers and, unless one is given, timeouts."""
        headers = {"content-type": "application/json"} if self.content is not None else {}
        patience = client.timeout if timeout is None else timeout
        return client.build_request(self.method, self.path, content=self.content, headers=headers, timeout=patience)


def orchestrate(prompt: Prompt, fields: Mapping[str, Any]) -> Call:
    """`POST /v2/orchestrate`: a string is the prompt, a list the messages."""
    name = "prompt" if isinstance(prompt, str) else "messages"
    return _post("/v2/orchestrate", {name: prompt, **_merged(fields)})


def chat(model: str, messages: Sequence[Mapping[str, Any]], fields: Mapping[str, Any]) -> Call:
    """`POST /v1/chat/completions`."""
    return _post("/v1/chat/completions", {"model": model, "messages": messages, **_merged(fields)})


def route(prompt: Prompt, fields: Mapping[str, Any]) -> Call:
    """`POST /v1/route`."""
    name = "prompt" if isinstance(prompt, str) else "messages"
    return _post("/v1/route", {name: prompt, **_merged(fields)})


def models() -> Call:
    """`GET /v1/models`."""
    return Call("GET", "/v1/models")


def usage(**query: str | None) -> Call:
    """`GET /v1/usage`."""
    return asking("/v1/usage", **query)


def proof(request_id: str, *, wait_s: int | None = None) -> Call:
    """`GET /v1/proof/{request_id}`; the gateway may wait up to `wait_s` seconds until the receipt is in the log."""
    return Call("GET", f"/v1/proof/{quote(request_id, safe='')}" + ("" if wait_s is None else f"?wait={wait_s}"))


def feedback(request_id: str, fields: Mapping[str, Any]) -> Call:
    """`POST /v1/feedback`."""
    return _post("/v1/feedback", {"request_id": request_id, **_merged(fields)})


def outcomes(limit: int, after: int | None) -> Call:
    """`GET /v1/feedback`."""
    return Call("GET", f"/v1/feedback?limit={limit}" + ("" if after is None else f"&after={after}"))


def audit(limit: int, after: str | None) -> Call:
    """`GET /v1/audit`."""
    return Call("GET", f"/v1/audit?limit={limit}" + ("" if after is None else f"&after={quote(after, safe='')}"))


def audit_event(event_id: str) -> Call:
    """`GET /v1/audit/{id}`."""
    return Call("GET", f"/v1/audit/{quote(event_id, safe='')}")


def stage(request_id: str, i: int) -> Call:
    """`GET /v1/proof/{request_id}/stages/{i}`."""
    return Call("GET", f"/v1/proof/{quote(request_id, safe='')}/stages/{i}")


def keys() -> Call:
    """`GET /.well-known/prysm-keys.json`."""
    return Call("GET", "/.well-known/prysm-keys.json")


def consistency(origin: str, smaller: int, larger: int) -> Call:
    """`GET /v1/log/proof/consistency`."""
    query = f"from={smaller}&to={larger}&origin={quote(origin, safe='')}"
    return Call("GET", f"/v1/log/proof/consistency?{query}")


def asking(path: str, **query: str | int | None) -> Call:
    """A GET with those of the parameters that are given."""
    given = {name: value for name, value in query.items() if value is not None}
    return Call("GET", f"{path}?{urlencode(given)}" if given else path)


def _merged(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields that were given, `extra_body` laid over them as in OpenAI's client; None means not given."""
    plain = {name: value for name, value in fields.items() if value is not None and name != "extra_body"}
    return {**plain, **(fields.get("extra_body") or {})}


def _post(path: str, body: Mapping[str, Any]) -> Call:
    return sending("POST", path, body)


def sending(method: str, path: str, body: Mapping[str, Any]) -> Call:
    """A request with a JSON body. Raises `InvalidRequest` for what is none."""
    try:
        content = json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"An argument cannot be sent as JSON: {error}") from error
    return Call(method, path, content)


def read(response: httpx.Response, body: bytes) -> Reply:
    """Parse a response and its body. Raises `GatewayError` or `BadAnswer`."""
    request_id = response.headers.get("x-request-id")
    try:
        reply = parse_object(body)
    except ValueError as error:
        raise BadAnswer(
            f"{response.url.copy_with(query=None)} answered {response.status_code} with something that is not a "
            "JSON object: is that a Prysm gateway?",
            status=response.status_code,
            request_id=request_id,
        ) from error
    if response.is_success:
        return reply
    refusal = error_of(reply, status=response.status_code, request_id=request_id)
    refusal.retry_after_s = _seconds(response.headers.get("retry-after"))
    raise refusal


def read_text(response: httpx.Response) -> str:
    """The text of a response. Raises as `read` does."""
    if not response.is_success:
        read(response, response.content)
    return response.text


def error_of(reply: Reply, *, status: int | None, request_id: str | None) -> GatewayError:
    """Read an error body: OpenAI's envelope, or a bare string under `error`."""
    said = reply.get("error")
    body: Mapping[str, Any] = said if isinstance(said, dict) else reply
    message = body.get("message") or (said if isinstance(said, str) else None)
    code = body.get("code")
    return GatewayError(
        str(message or "The gateway gave no reason: look into its log."),
        status=status,
        code=str(code or (f"http_{status}" if status else "error")),
        param=body.get("param"),
        request_id=request_id,
    )


def _seconds(text: str | None) -> float | None:
    """Retry-After in seconds; its other form, a date, is not one that a gateway sends."""
    return float(text) if text and text.isascii() and text.isdigit() else None
