"""What every answer tells a browser: to take it for what it is, to keep no copy, and to run nothing from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.middleware.cors import CORSMiddleware

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
"""Of every answer; one that has its own says that instead: pages run their script, tiles of the log are for caches."""

SHIELDED = "prysm.shielded"
"""In the scope of a request whose edge puts `HEADERS` on the answer with its own: that takes a layer less."""

_NAMES = frozenset(name for name, _ in HEADERS)

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PREFLIGHT_S = 600


class Shield:
    """Wraps the edge. Browsers may call from `origins` only, by default from none (CORS is off).

    No cookie is ever set or read: what a page can do here it does with a key it was given.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str] = ()) -> None:
        self._app = _for_browsers(app, origins) if origins else app
        self._answers = bool(origins)  # there is someone before the edge who may

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request. A layer that awaits nothing itself hands on what is to be awaited: it costs half."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        if not self._answers:
            scope[SHIELDED] = True
            return self._app(scope, receive, send)

        def shielded(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = with_ours(message.get("headers", ()))
            return send(message)

        return self._app(scope, receive, shielded)


def with_ours(said: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, and those of ours that it has not."""
    own = dict(said)
    if _NAMES.isdisjoint(own):
        return [*said, *HEADERS]
    return [*said, *[header for header in HEADERS if header[0] not in own]]


def _for_browsers(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=METHODS,
        allow_headers=("*",),
        expose_headers=("*",),
        max_age=PREFLIGHT_S,
    )
