"""Errors on the wire: OpenAI's envelope with PRYSM's beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from prysm.errors import AllModelsFailed, InvalidRequest, ProviderError, PrysmError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

OPENAI_SHAPED = ("/v1/chat/", "/v1/responses", "/v1/messages", "/v1/embeddings", "/v1/models")
UNPROCESSABLE = 422


def status_of(error: PrysmError, path: str) -> int:
    """OpenAI answers 400 where our own routes answer 422."""
    if isinstance(error, InvalidRequest) and not path.startswith(OPENAI_SHAPED):
        return UNPROCESSABLE
    return error.status


def envelope(error: PrysmError) -> dict[str, object]:
    """The body of an error answer; never a provider's words, never a secret."""
    body: dict[str, object] = {
        "error": {"message": error.message, "type": error.type, "param": error.param, "code": error.code},
        "detail": {"error": error.code, "message": error.message},
    }
    if isinstance(error, AllModelsFailed):
        body["attempts"] = [{"model": attempt.model, "error": attempt.error} for attempt in error.attempts]
    return body


def headers_of(error: PrysmError, request_id: UUID | None) -> Mapping[str, str]:
    """Where the proof is, whether to retry, and when."""
    headers: dict[str, str] = {}
    if error.sealed and request_id is not None:
        headers["x-prysm-proof-url"] = f"/v1/proof/{request_id}"
    if error.spent:
        headers["x-should-retry"] = "false"
    if isinstance(error, ProviderError) and error.retry_after_s is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after_s)))
    if error.status == 401:  # noqa: PLR2004 - RFC 9110 wants the challenge beside this status
        headers["www-authenticate"] = "Bearer"
    return headers


def body_of(error: PrysmError) -> bytes:
    """The envelope as JSON."""
    return orjson.dumps(envelope(error))
