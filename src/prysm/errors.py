"""Every error Prysm raises, each with its HTTP status, its code and what to do next.

PrysmError
├── InvalidRequest            400/422  invalid_request | context_length_exceeded | content_filter
│   └── UnsupportedParameter  400/422  unsupported_parameter
├── SeveralApiKeys            400      invalid_request
├── InvalidApiKey             401      invalid_api_key
├── BudgetExceeded            402      budget_exceeded
│   └── InsufficientCredits   402      insufficient_credits
├── Forbidden                 403      forbidden
├── NotFound                  404      not_found | model_not_found | proof_not_found
├── MethodNotAllowed          405      method_not_allowed
├── RequestTimeout            408      request_timeout
├── Conflict                  409      idempotency_conflict
│   └── ReplayUnavailable     409      replay_unavailable
├── ProofDeleted              410      proof_deleted
├── RequestTooLarge           413      request_too_large
├── HeadTooLarge              431      request_too_large
│   └── AddressTooLong        414      request_too_large
├── UnsupportedMediaType      415      unsupported_media_type
├── RateLimited               429      rate_limit_exceeded
├── ProviderError             502      provider_error | invalid_output (one call to one model)
├── AllModelsFailed           502      all_models_failed
├── NoProviderAvailable       503      no_provider_available
├── ProofUnavailable          503      proof_unavailable
├── Overloaded                503      overloaded
├── DeadlineExceeded          504      deadline_exceeded
└── ConfigError               (start)  a setting or catalog entry that cannot be used
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias


class PrysmError(Exception):
    """An error with a sentence for a person, a code for a program and a field to look at."""

    status: ClassVar[int] = 500
    code: str = "internal_error"
    type: ClassVar[str] = "api_error"
    spent: bool = False
    """Whether money may have gone out: a client must not retry by itself."""
    sealed: bool = False
    """Whether the failed run has a durable receipt."""
    lasting: bool = False
    """Whether the same request would fail again: a client must not retry by itself."""
    retry_after_s: float | None = None
    """After how many seconds it may be worth asking again."""

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


class SeveralApiKeys(PrysmError):
    """Keys that differ: which of two tenants is meant is not to be guessed."""

    status = 400
    code = "invalid_request"
    type = "invalid_request_error"


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
    left_nano: int | None = None
    """What a cheaper plan could still spend; None: no plan would do."""


class InsufficientCredits(BudgetExceeded):
    """The organisation pays in advance, and what it has does not cover the worst case."""

    code = "insufficient_credits"


class Forbidden(PrysmError):
    """A key that is known, and may not do this."""

    status = 403
    code = "forbidden"
    type = "permission_error"


class NotFound(PrysmError):
    """There is no such thing here."""

    status = 404
    code = "not_found"
    type = "invalid_request_error"


class Conflict(PrysmError):
    """The idempotency key stands for another request."""

    status = 409
    code = "idempotency_conflict"
    type = "invalid_request_error"
    lasting = True


class ReplayUnavailable(Conflict):
    """The idempotency key was used, and the answer that it stands for is not there."""

    code = "replay_unavailable"


class MethodNotAllowed(PrysmError):
    """The route takes another method."""

    status = 405
    code = "method_not_allowed"
    type = "invalid_request_error"


class RequestTimeout(PrysmError):
    """The request did not come in time."""

    status = 408
    code = "request_timeout"
    type = "invalid_request_error"


class HeadTooLarge(PrysmError):
    """More headers than are read."""

    status = 431
    code = "request_too_large"
    type = "invalid_request_error"


class AddressTooLong(HeadTooLarge):
    """A longer path and query than is read."""

    status = 414


class ProofDeleted(PrysmError):
    """The receipt was deleted; its leaf stays in the log, at `index`. `leaf` is the 32-byte hash that stands there."""

    status = 410
    code = "proof_deleted"
    type = "invalid_request_error"

    def __init__(self, message: str, index: int | None, leaf: bytes | None) -> None:
        super().__init__(message)
        self.index = index
        self.leaf = leaf


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


class RateLimited(PrysmError):
    """Too much was asked of every provider that could have answered."""

    status = 429
    code = "rate_limit_exceeded"
    type = "rate_limit_error"
    retry_after_s = 1.0
    """Where nobody knows better: clients go by the header, and without one some come back at once."""
    meters: tuple[Any, ...] = ()
    """What is left of the caller's limits (`core.payer.Meter`), where one of them refused."""


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
    "no_answer",
    "truncated",
    "too_large",
    "circuit_open",
    "invalid_output",
]
UNBILLED: frozenset[str] = frozenset(
    {"connect", "auth", "rate_limited", "unavailable", "rejected", "context_length", "circuit_open"}
)
"""Failures before a model ran, and refusals in the place of an answer, which nobody bills; after any other, tokens may
have been billed that we can only estimate.
"no_answer" is what a model made of a prompt, "malformed" and "truncated" what became of it on the way."""
LASTING: frozenset[str] = frozenset({"rejected", "auth", "context_length", "content_filter"})
"""Failures that the same request would meet again."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one call. `code` is `None` when it succeeded, "hedged" when another try was faster."""

    status: Literal["ok", "failed", "cancelled"]
    code: str | None
    ms: int


class ProviderError(PrysmError):
    """One call to one model failed. `kind` says how; the provider's own words are never kept.

    `retry_after_s` is how long the provider asked to wait. `sent` is whether the call left the gateway at all.
    `attempts` are the tries it took, empty when there was only one.
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
        sent: bool = True,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.lasting = kind in LASTING
        self.sent = sent
        self.attempts: tuple[Attempt, ...] = ()
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
        self.lasting = bool(attempts) and all(attempt.error in LASTING for attempt in attempts)


class NoProviderAvailable(PrysmError):
    """No live model can take this request."""

    status = 503
    code = "no_provider_available"

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, param=param)
        self.retry_after_s = retry_after_s


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


REFUSED_PROMPTS: dict[str, tuple[str, str]] = {
    "context_length": (
        "context_length_exceeded",
        "The prompt does not fit the context of any model that was tried. Shorten it or name a larger model.",
    ),
    "content_filter": (
        "content_filter",
        "Every model that was tried refused the content. Rephrase it or name another model.",
    ),
}
"""Kinds of failures that are for the caller to mend, with the code and the sentence of their 400."""


def for_the_caller(error: ProviderError | AllModelsFailed, prompt: str = "messages") -> PrysmError:
    """What failed calls mean to the caller: too much asked, nobody there, a prompt refused; else the error itself.

    `prompt` is the field that the prompt came in.
    """
    alone = isinstance(error, ProviderError)
    kinds = {error.kind} if isinstance(error, ProviderError) else {attempt.error for attempt in error.attempts}
    if kinds == {"rate_limited"}:
        who = (
            error.message if alone else "Every provider that was tried is limiting the rate; wait, or name others."
        )
        limited = RateLimited(who)
        limited.spent = error.spent
        if error.retry_after_s is not None:
            limited.retry_after_s = error.retry_after_s
        return limited
    if kinds == {"circuit_open"}:
        return NoProviderAvailable(error.message, param="model", retry_after_s=error.retry_after_s)
    if kinds == {"rejected"} and isinstance(error, AllModelsFailed):
        return AllModelsFailed(
            "Every provider that was tried refused the request as written: check the models' names, the parameters "
            "and each base_url.",
            error.attempts,
            spent=error.spent,
        )
    for kind, (code, why) in REFUSED_PROMPTS.items():
        if kinds == {kind}:
            refused = InvalidRequest(why, param=prompt, code=code)
            refused.spent, refused.lasting = error.spent, True
            return refused
    return error
