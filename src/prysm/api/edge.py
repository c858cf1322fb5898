"""The outermost layer: an id for every request, the key check, one log line, and no error that escapes raw."""

from __future__ import annotations

import re
import time
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

import structlog
from starlette.requests import ClientDisconnect

from prysm.accounts.access import check, is_public
from prysm.api.one_write import SAID
from prysm.api.problems import is_anthropic
from prysm.api.respond import problem_response
from prysm.api.shield import SHIELDED, with_ours
from prysm.errors import InvalidApiKey, PrysmError, SeveralApiKeys
from prysm.receipt import new_request_id
from prysm.store.isolation import act_for, whose
from prysm.telemetry import log_request, where

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from prysm.accounts.directory import Directory
    from prysm.telemetry import Telemetry

_UNSAFE = re.compile(r"[^\x21-\x7e]+")
_LOGGED_ID_LIMIT = 128

log = structlog.get_logger()


class _Internal(PrysmError):
    """A defect of ours; the type goes to the log, nothing goes to the caller."""


class Edge:
    """Wraps the application. Every path needs a key unless it is listed as public."""

    def __init__(self, app: ASGIApp, directory: Directory, telemetry: Telemetry, *, public_proofs: bool) -> None:
        self._app = app
        self._directory = directory
        self._telemetry = telemetry
        self._public_proofs = public_proofs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        state = scope.setdefault("state", {})
        state["request_id"], state["client_request_id"] = exchange.request_id, exchange.client_request_id()
        try:
            try:
                self._admit(scope, exchange)
            except InvalidApiKey:
                if not self._directory.may_be_new(exchange.authorization(self._directory.is_ours)):
                    raise
                await self._directory.ask()
                self._admit(scope, exchange)
            await self._app(scope, receive, exchange.send)
        except PrysmError as error:
            await exchange.refuse(error, receive)
        except ClientDisconnect:
            pass  # gone in the middle of its body: nobody is left to answer
        except Exception as error:  # noqa: BLE001 - the last resort; its message may hold a caller's text
            log.error(  # noqa: TRY400 - a traceback would show values
                "defect", type=type(error).__name__, where=where(error), request_id=exchange.told_id
            )
            defect = _Internal("Something went wrong in the gateway. It is logged under this request's id.")
            await exchange.refuse(defect, receive)
        finally:
            self._account(scope, exchange)

    def _admit(self, scope: Scope, exchange: _Exchange) -> None:
        """Raise `InvalidApiKey` or `Forbidden` unless the route is public, or for whoever calls."""
        path: str = scope["path"]
        if is_public(path, proofs=self._public_proofs):
            return
        caller = self._directory.authenticate(exchange.authorization(self._directory.is_ours))
        scope["state"]["caller"] = caller
        if caller.retention_zero:
            scope["state"]["client_request_id"] = None
        check(caller, scope["method"], path)
        act_for(whose(caller))

    def _account(self, scope: Scope, exchange: _Exchange) -> None:
        method, client = scope["method"], scope.get("client")
        if method not in _METHODS:
            method = "OTHER"
        self._telemetry.answered(method, getattr(scope.get("route"), "path", "unmatched"), exchange.status)
        log_request(
            {
                "method": method,
                "path": scope["path"][:_LOGGED_ID_LIMIT],
                "status": exchange.status,
                "ms": exchange.elapsed_ms(),
                "request_id": exchange.told_id,
                "client_request_id": scope["state"]["client_request_id"],
                "client": _address(client[0]) if client else None,
                "caller": getattr(scope["state"].get("caller"), "id", None),
                "event": "request",
            }
        )


@lru_cache(1024)
def _address(said: str) -> str | None:
    """Where a request comes from: the peer's address, or what a trusted proxy says it is, if that is an address."""
    try:
        return str(ip_address(said))
    except ValueError:
        return None


_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


def _credential(value: bytes) -> tuple[bytes, bytes]:
    """A credential as it is compared: two spellings of a scheme are one."""
    scheme, _, key = value.partition(b" ")
    return scheme.lower(), key.strip()


class _Exchange:
    """One request and its answer, as far as the edge needs to know."""

    __slots__ = ("_began", "_said", "_scope", "_send", "_started", "request_id", "status", "told_id")

    def __init__(self, scope: Scope, send: Send) -> None:
        self.request_id = new_request_id()
        self.told_id = str(self.request_id)
        self.status = 499
        said: dict[bytes, bytes] | None = scope.get(SAID)
        self._said = dict(reversed(scope["headers"])) if said is None else said  # the first of a name counts
        self._scope = scope
        self._send = send
        self._started = False
        self._began = time.perf_counter()

    def send(self, message: Message) -> Awaitable[None]:
        """Pass on, with the request's id on the head."""
        if message["type"] == "http.response.start":
            self._started = True
            self.status = message["status"]
            told = self.told_id.encode()
            headers = [*message.get("headers", ()), (b"x-request-id", told)]
            if is_anthropic(self._scope["path"]):
                headers.append((b"request-id", told))
            message["headers"] = with_ours(headers) if SHIELDED in self._scope else headers
        return self._send(message)

    async def refuse(self, error: PrysmError, receive: Receive) -> None:
        """Answer with an error, unless an answer has begun: left without an end, the server breaks it off."""
        if not self._started:
            await problem_response(error, self._scope["path"], self.request_id)(self._scope, receive, self.send)

    def authorization(self, is_ours: Callable[[str], bool]) -> str | None:
        """The `authorization` header; where there is none, the key in `x-api-key`, as Anthropic's clients send it.

        Raises `SeveralApiKeys` where several came that differ. Beside `authorization`, a key that is none of ours may
        stand in `x-api-key`: Anthropic's clients send both when both are in their environment.
        """
        given, key = self._said.get(b"authorization"), self._said.get(b"x-api-key")
        if (given is not None and key is not None) or SAID not in self._scope:
            self._check_credentials(is_ours)
        if given is not None:
            return given.decode("latin-1")
        return None if key is None else f"Bearer {key.decode('latin-1')}"

    def _check_credentials(self, is_ours: Callable[[str], bool]) -> None:
        headers = self._scope["headers"]
        given = {_credential(value) for name, value in headers if name == b"authorization"}
        keys = {value.strip() for name, value in headers if name == b"x-api-key"}
        if given:
            keys = {key for key in keys if is_ours(key.decode("latin-1"))}
        if len(given | {(b"bearer", key) for key in keys}) > 1:
            raise SeveralApiKeys(
                "Several API keys came, and differ. Send one as `Authorization: Bearer <key>` or as `x-api-key: <key>`."
            )

    def client_request_id(self) -> str | None:
        """The caller's own id: logged unless its retention is zero, never adopted."""
        given = self._said.get(b"x-request-id")
        return None if given is None else _UNSAFE.sub("", given.decode("latin-1"))[:_LOGGED_ID_LIMIT]

    def elapsed_ms(self) -> int:
        """Milliseconds since the request came."""
        return int((time.perf_counter() - self._began) * 1000)
