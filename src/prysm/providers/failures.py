"""What a provider's refusal means: one table for all wire formats, since compatible servers mix their words.

Codes and types: OpenAI "Error codes", Anthropic "Errors", Google AIP-193 status names, llama.cpp and vLLM servers.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from prysm.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.errors import FailureKind

LONGEST_WAIT_S = 3600.0
HTTP_STATUSES = range(400, 600)
REDIRECT, SERVER_ERROR = 300, 500
AS_WRITTEN = {400, 422}
OUT_OF_CREDIT, FORBIDDEN = 402, 403
MESSAGE_LIMIT = 2_000

BY_STATUS: Mapping[int, FailureKind] = {
    400: "rejected",
    401: "auth",
    402: "auth",
    403: "auth",
    404: "rejected",
    408: "unavailable",
    409: "unavailable",
    413: "context_length",
    422: "rejected",
    425: "unavailable",
    429: "rate_limited",
}
BY_NAME: Mapping[str, FailureKind] = {
    "api_error": "unavailable",
    "api_key_invalid": "auth",
    "authentication_error": "auth",
    "billing_error": "auth",
    "content_filter": "content_filter",
    "content_policy_violation": "content_filter",
    "context_length_exceeded": "context_length",
    "data_inspection_failed": "content_filter",
    "deadline_exceeded": "unavailable",
    "exceed_context_size_error": "context_length",
    "insufficient_quota": "auth",
    "internal": "unavailable",
    "invalid_api_key": "auth",
    "invalid_argument": "rejected",
    "invalid_prompt": "content_filter",
    "invalid_request_error": "rejected",
    "not_found": "rejected",
    "not_found_error": "rejected",
    "overloaded_error": "unavailable",
    "permission_denied": "auth",
    "permission_error": "auth",
    "rate_limit_error": "rate_limited",
    "rate_limit_exceeded": "rate_limited",
    "request_too_large": "context_length",
    "resource_exhausted": "rate_limited",
    "server_error": "unavailable",
    "timeout_error": "unavailable",
    "unauthenticated": "auth",
    "unavailable": "unavailable",
}
TELLING: tuple[FailureKind, ...] = ("context_length", "content_filter")
"""A code that names one of these says more than any status or word."""
SAYS_TOO_LONG = re.compile(
    r"(?:prompt|input) is too long|maximum (?:prompt|model) length|context (?:length|window|size)|max_(?:seq|model)_len"
    r"|input token count .* exceeds|tokens \+ `max_new_tokens|reduce the length of the|too many tokens",
    re.IGNORECASE,
)
SAYS_FILTERED = re.compile(
    r"content (?:violates|exists risk|(?:management |filter(?:ing)? |safety |moderation |usage )?polic)"
    r"|usage (?:guidelines|polic)|safety_check|inappropriate content|\bflagged\b",
    re.IGNORECASE,
)
"""As xAI has it (a 403), Anthropic, Azure, DeepSeek, OpenRouter (a 403 too), Alibaba. Looked for only in refusals."""
WHAT_NEXT: Mapping[FailureKind, str] = {
    "rate_limited": "is limiting the rate; wait, or add another provider or fallback model",
    "auth": "refused the key or the account; check its API key, its rights and its billing",
    "context_length": "says the prompt does not fit; shorten it or choose a model with a larger context window",
    "content_filter": "refused the content; rephrase it or choose another model",
    "malformed": "sent no answer; check its base_url",
    "rejected": "refused the request; check its base_url, the model's name and the parameters",
    "unavailable": "could not serve the request; try again or choose another model",
}


REFUSED_AS_WRITTEN = "refused the request as written: check the model's name and the parameters"
NO_CREDIT = "wants more credit for this request: top up the account, or lower max_tokens"


class Unusable(Exception):
    """A wire format's verdict on one call; its adapter makes a `ProviderError` of it, with the provider's name."""

    def __init__(self, kind: FailureKind, why: str) -> None:
        super().__init__(why)
        self.kind = kind
        self.why = why


def refusal(provider: str, status: int, body: object, retry_after_s: float | None) -> ProviderError:
    """Make the error of a status that is not 200. `body` is read for its codes and never kept."""
    kind = kind_of(error_in(body) or _bare(body), status)
    wait = retry_after_s if kind in {"rate_limited", "unavailable"} else None
    why = WHAT_NEXT[kind]
    if kind == "rejected" and status in AS_WRITTEN:
        why = REFUSED_AS_WRITTEN
    elif kind == "auth" and status == OUT_OF_CREDIT:
        why = NO_CREDIT
    message = f"{provider} answered {status}: it {why}."
    return ProviderError(kind, message, upstream_status=status, retry_after_s=wait)


def check_error(body: Mapping[str, Any]) -> None:
    """Raise `Unusable` when an answer with status 200 is an error all the same."""
    error = error_in(body)
    if error is not None:
        kind = kind_of(error, None)
        raise Unusable(kind, f"sent an error in place of an answer: it {WHAT_NEXT[kind]}")


def error_in(body: object) -> dict[str, Any] | None:
    """Find the error object that OpenAI's, Anthropic's and Google's bodies all have under `error`, or its sentence."""
    if isinstance(body, list) and body:
        body = body[0]  # Google wraps the errors of streams in an array
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(body, dict) and isinstance(error, str):
        return {**body, "message": error}
    return error if isinstance(error, dict) else None


def _bare(body: object) -> dict[str, Any]:
    """A refusal's body that is itself the error object (Mistral, older vLLM), or no object at all."""
    return body if isinstance(body, dict) else {}


def kind_of(error: Mapping[str, Any], status: int | None) -> FailureKind:
    """Classify: the code that says most, then the words about length and content, then the status."""
    names = _names(error)
    by_name = {BY_NAME[name] for name in names if name in BY_NAME}
    for kind in TELLING:
        if kind in by_name:
            return kind
    status = status or _status_in(error)
    verdict: FailureKind = _by_status(status) if status else min(by_name, default="unavailable")
    if "auth" in by_name:
        verdict = "auth"
    return _by_words(str(error.get("message", ""))[:MESSAGE_LIMIT], verdict, status)


def _by_words(message: str, verdict: FailureKind, status: int | None) -> FailureKind:
    """What a refusal's words say of the prompt; a 403 that is about its content says nothing of the key."""
    if verdict == "rejected" and SAYS_TOO_LONG.search(message):
        return "context_length"
    about_the_prompt = verdict == "rejected" or (verdict == "auth" and status == FORBIDDEN)
    return "content_filter" if about_the_prompt and SAYS_FILTERED.search(message) else verdict


def _names(error: Mapping[str, Any]) -> list[str]:
    details = error.get("details")
    items = details if isinstance(details, list) else []
    reasons = [item.get("reason") for item in items if isinstance(item, dict)]
    found = [error.get("code"), error.get("type"), error.get("status"), *reasons]
    return [name.lower() for name in found if isinstance(name, str)]


def _status_in(error: Mapping[str, Any]) -> int | None:
    code = error.get("code")
    return code if isinstance(code, int) and code in HTTP_STATUSES else None


def _by_status(status: int) -> FailureKind:
    if status < REDIRECT:
        return "malformed"
    return BY_STATUS.get(status, "unavailable" if status >= SERVER_ERROR else "rejected")


def retry_after(value: str | None) -> float | None:
    """Read `Retry-After` (RFC 9110, section 10.2.3) as seconds, at most 3600; what is no wait is as good as absent."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = _until(value)
    return min(seconds, LONGEST_WAIT_S) if seconds >= 0 else None


def _until(date: str) -> float:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return -1.0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - datetime.now(UTC)).total_seconds()
