"""Every error Prysm raises, each with its HTTP status, its code and what to do next.

PrysmError
├── InvalidRequest            400/422  invalid_request
│   └── UnsupportedParameter  400/422  unsupported_parameter
├── InvalidApiKey             401      invalid_api_key
├── BudgetExceeded            402      budget_exceeded
├── NotFound                  404      not_found | model_not_found | proof_not_found
├── RequestTooLarge           413      request_too_large
├── UnsupportedMediaType      415      unsupported_media_type
├── ProviderError             502      provider_error (one call to one model)
├── AllModelsFailed           502      all_models_failed
├── NoProviderAvailable       503      no_provider_available
├── ProofUnavailable          503      proof_unavailable
├── Overloaded                503      overloaded
├── DeadlineExceeded          504      deadline_exceeded
└── ConfigError               (start)  a setting or catalog entry that cannot be used
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias


class PrysmError(Exception):
    """An error with a sentence for a person, a code for a program and a field to look at."""

    status: ClassVar[int] = 500
    code: str = "internal_error"
    type: ClassVar[str] = "api_error"
    spent: bool = False
    """Whether money may have gone out: a client must not retry by itself."""
    sealed: bool = False
    """Whether the failed run has a durable receipt."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        if code is not None:
            self.code = code


class InvalidRequest(PrysmError):
    """The request cannot be understood or carried out as written."""

    status = 400
    code = "invalid_request"
    type = "invalid_request_error"


class UnsupportedParameter(InvalidRequest):
    """A field, or a value of it, that nothing here can honour."""

    code = "unsupported_parameter"


class InvalidApiKey(PrysmError):
    """No key, or one that is not known."""

    status = 401
    code = "invalid_api_key"
    type = "authentication_error"


class BudgetExceeded(PrysmError):
    """The plan cannot be carried out for what the caller is ready to pay."""

    status = 402
    code = "budget_exceeded"
    type = "insufficient_quota"


class NotFound(PrysmError):
    """There is no such thing here."""

    status = 404
    code = "not_found"
    type = "invalid_request_error"


class RequestTooLarge(PrysmError):
    """The body is over the limit."""

    status = 413
    code = "request_too_large"
    type = "invalid_request_error"


class UnsupportedMediaType(PrysmError):
    """The body is not JSON."""

    status = 415
    code = "unsupported_media_type"
    type = "invalid_request_error"


FailureKind: TypeAlias = Literal[
    "connect",
    "timeout",
    "rate_limited",
    "unavailable",
    "rejected",
    "auth",
    "context_length",
    "content_filter",
    "malformed",
    "truncated",
    "too_large",
]


class ProviderError(PrysmError):
    """One call to one model failed. `kind` says how; the provider's own words are never kept.

    `retry_after_s` is how long the provider asked to wait.
    """

    status = 502
    code = "provider_error"
    type = "api_error"

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        *,
        upstream_status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.upstream_status = upstream_status
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """A line of the list that `AllModelsFailed` carries."""

    model: str
    error: str


class AllModelsFailed(PrysmError):
    """Every target was tried."""

    status = 502
    code = "all_models_failed"

    def __init__(self, message: str, attempts: tuple[FailedAttempt, ...], *, spent: bool) -> None:
        super().__init__(message)
        self.attempts = attempts
        self.spent = spent


class NoProviderAvailable(PrysmError):
    """No live model can take this request."""

    status = 503
    code = "no_provider_available"


class ProofUnavailable(PrysmError):
    """The answer exists and its receipt could not be made durable, so it was withheld."""

    status = 503
    code = "proof_unavailable"
    spent = True


class Overloaded(PrysmError):
    """The gateway is stopping or full."""

    status = 503
    code = "overloaded"


class DeadlineExceeded(PrysmError):
    """The caller's deadline passed."""

    status = 504
    code = "deadline_exceeded"
    type = "timeout_error"
    spent = True


class ConfigError(PrysmError):
    """A setting or a catalog entry that cannot be used; stops the start."""

    code = "config_error"
