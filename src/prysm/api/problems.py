"""Errors on the wire: OpenAI's envelope with PRYSM's beside it, and Anthropic's on the routes of its API."""

from __future__ import annotations

import base64
from math import ceil
from typing import TYPE_CHECKING, Any

import orjson

from prysm.api.ratelimit_headers import ratelimit_headers
from prysm.core.masking import masked_text
from prysm.errors import AllModelsFailed, InvalidRequest, Overloaded, ProofDeleted, PrysmError, RateLimited

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

OPENAI_SHAPED = ("/v1/chat/", "/v1/responses", "/v1/messages", "/v1/embeddings", "/v1/models")
ANTHROPIC_SHAPED = "/v1/messages"
UNPROCESSABLE = 422
OVERLOADED = 529
ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    OVERLOADED: "overloaded_error",
}
"""Anthropic's types of errors (https://docs.anthropic.com/en/api/errors); of the rest, what is wrong with a request
is an invalid_request_error, and what is wrong here an api_error."""
ANTHROPIC_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["type", "error", "request_id"],
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["type", "message", "details"],
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string"},
                "details": {
                    "type": "object",
                    "properties": {"error_code": {"type": "string"}, "param": {"type": ["string", "null"]}},
                },
            },
        },
        "request_id": {"type": ["string", "null"]},
    },
}
"""JSON Schema of Anthropic's envelope."""


def is_anthropic(path: str) -> bool:
    """Whether a path is of Anthropic's API."""
    return path.startswith(ANTHROPIC_SHAPED) and path[len(ANTHROPIC_SHAPED) :][:1] in {"", "/"}


def status_of(error: PrysmError, path: str) -> int:
    """OpenAI and Anthropic answer 400 where our own routes answer 422; Anthropic has a status for an overload."""
    if isinstance(error, Overloaded) and is_anthropic(path):
        return OVERLOADED
    if isinstance(error, InvalidRequest) and not path.startswith(OPENAI_SHAPED):
        return UNPROCESSABLE
    return error.status


def envelope(error: PrysmError) -> dict[str, object]:
    """The body of an error answer; never a provider's words, never a secret."""
    message = masked_text(error.message)
    body: dict[str, object] = {
        "error": {"message": message, "type": error.type, "param": param_of(error), "code": error.code},
        "detail": {"error": error.code, "message": message},
    }
    if isinstance(error, AllModelsFailed):
        body["attempts"] = _attempts(error)
    if isinstance(error, ProofDeleted):
        body["index"] = error.index
        body["leaf"] = None if error.leaf is None else base64.b64encode(error.leaf).decode()
    return body


def anthropic(error: PrysmError, request_id: UUID | None) -> dict[str, object]:
    """The same in Anthropic's envelope: our code, and the field to look at, among the details."""
    status = status_of(error, ANTHROPIC_SHAPED)
    unlisted = "invalid_request_error" if status < 500 else "api_error"  # noqa: PLR2004 - RFC 9110 §15.6
    details: dict[str, object] = {"error_code": error.code, "param": param_of(error)}
    if isinstance(error, AllModelsFailed):
        details["attempts"] = _attempts(error)
    kind = ANTHROPIC_TYPES.get(status, unlisted)
    return {
        "type": "error",
        "error": {"type": kind, "message": masked_text(error.message), "details": details},
        "request_id": None if request_id is None else str(request_id),
    }


def param_of(error: PrysmError) -> str | None:
    """The field to look at, whose name may be the caller's own invention."""
    return None if error.param is None else masked_text(error.param)


def _attempts(error: AllModelsFailed) -> list[dict[str, str]]:
    return [{"model": attempt.model, "error": attempt.error} for attempt in error.attempts]


def headers_of(error: PrysmError, request_id: UUID | None) -> Mapping[str, str]:
    """Where the proof is, whether to retry and when, and what is left of the caller's limits."""
    headers: dict[str, str] = {}
    if error.sealed and request_id is not None:
        headers["x-prysm-proof-url"] = f"/v1/proof/{request_id}"
    if error.spent or error.lasting:
        headers["x-should-retry"] = "false"
    if error.retry_after_s is not None:
        headers["retry-after"] = str(max(1, ceil(error.retry_after_s)))
    if isinstance(error, RateLimited):
        headers.update((name.decode(), value.decode()) for name, value in ratelimit_headers(error.meters))
    if error.status == 401:  # noqa: PLR2004 - RFC 9110 wants the challenge beside this status
        headers["www-authenticate"] = "Bearer"
    return headers


def body_of(error: PrysmError, path: str, request_id: UUID | None) -> bytes:
    """The envelope of a path as JSON."""
    return orjson.dumps(anthropic(error, request_id) if is_anthropic(path) else envelope(error))
