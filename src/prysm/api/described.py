"""What the OpenAPI document says of all routes at once, so that no route can forget it: keys, limits, refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from prysm.api.documented import ERROR, REFUSALS
from prysm.api.problems import ANTHROPIC_ERROR, OPENAI_SHAPED, is_anthropic

if TYPE_CHECKING:
    from collections.abc import Callable

METHODS = frozenset({"get", "post", "put", "patch", "delete"})
ANYWHERE = {
    408: "The request came too slowly.",
    414: "The address is too long.",
    431: "The headers are too large.",
    503: "The gateway, or what it needs, is not ready; try again.",
}
WITH_A_KEY = {
    400: "Several API keys came, and differ.",
    401: "Missing or unknown API key.",
    403: "The key may not do this: its role or its scopes.",
    429: "The key, or its organisation, asks too much; Retry-After says until when.",
}
WITH_A_BODY = {413: "The body is too large.", 415: "The body is not JSON."}
KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Any text of your own, new for every request: sent again with the same, it is answered the same, "
    "and neither runs nor costs anything again.",
    "schema": {"type": "string", "pattern": "^[!-~]([ -~]{0,253}[!-~])?$"},
}
WRONG = "A parameter or a field is wrong."


class Described(FastAPI):
    """The application. `public` tells of a path, with its parameters in braces, whether it takes no key."""

    def __init__(self, *, public: Callable[[str], bool], **options: Any) -> None:
        super().__init__(**options)
        self._public = public

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            for path, item in document["paths"].items():
                for method in METHODS & item.keys():
                    _complete(path, item[method], public=self._public(path))
                    if method == "post" and not self._public(path):
                        _repeatable(path, item[method])
            for unused in ("HTTPValidationError", "ValidationError"):
                document.get("components", {}).get("schemas", {}).pop(unused, None)
        return self.openapi_schema or {}


def _repeatable(path: str, operation: dict[str, Any]) -> None:
    """Add what every POST with a key takes: an `Idempotency-Key`."""
    operation.setdefault("parameters", []).append(KEY)
    schema = ANTHROPIC_ERROR if is_anthropic(path) else ERROR
    for status in (409, 400 if path.startswith(OPENAI_SHAPED) else 422):
        operation["responses"].setdefault(
            str(status), {"description": REFUSALS[status], "content": {"application/json": {"schema": schema}}}
        )


def _complete(path: str, operation: dict[str, Any], *, public: bool) -> None:
    """Add what an operation answers as any other does, where it says nothing better itself."""
    answers = operation["responses"]
    takes = "parameters" in operation or "requestBody" in operation
    if answers.get("422", {}).get("description") == "Validation Error":  # FastAPI's own shape, which nobody gets
        del answers["422"]
    told = dict(ANYWHERE)
    if public:
        operation["security"] = []
    else:
        told |= WITH_A_KEY
    if "requestBody" in operation:
        told |= WITH_A_BODY
    if takes:
        told[400 if path.startswith(OPENAI_SHAPED) else 422] = WRONG
    schema = ANTHROPIC_ERROR if is_anthropic(path) else ERROR
    for status, description in told.items():
        answers.setdefault(
            str(status), {"description": description, "content": {"application/json": {"schema": schema}}}
        )
