"""What failed calls mean to the caller."""

from __future__ import annotations

import pytest

from prysm.errors import AllModelsFailed, FailedAttempt, ProviderError, for_the_caller


def all_failed(*kinds: str) -> AllModelsFailed:
    return AllModelsFailed("All failed.", tuple(FailedAttempt("m", kind) for kind in kinds), spent=False)


def test_a_request_that_every_provider_refused_is_told_so() -> None:
    shown = for_the_caller(all_failed("rejected", "rejected"))
    assert "refused the request as written" in shown.message
    assert isinstance(shown, AllModelsFailed)
    assert len(shown.attempts) == 2


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ProviderError("rate_limited", "x", retry_after_s=7), (429, "rate_limit_exceeded", False, 7)),
        (all_failed("rate_limited", "rate_limited"), (429, "rate_limit_exceeded", False, 1)),
        (ProviderError("rate_limited", "full", sent=False), (429, "rate_limit_exceeded", False, 1)),
        (all_failed("rate_limited", "unavailable"), (502, "all_models_failed", False, None)),
        (ProviderError("context_length", "x"), (400, "context_length_exceeded", True, None)),
        (all_failed("context_length", "context_length"), (400, "context_length_exceeded", True, None)),
        (ProviderError("content_filter", "x"), (400, "content_filter", True, None)),
        (all_failed("content_filter", "content_filter"), (400, "content_filter", True, None)),
        (all_failed("content_filter", "unavailable"), (502, "all_models_failed", False, None)),
        (all_failed("rejected", "rejected"), (502, "all_models_failed", True, None)),
        (ProviderError("circuit_open", "x", retry_after_s=3, sent=False), (503, "no_provider_available", False, 3)),
        (ProviderError("rejected", "x"), (502, "provider_error", True, None)),
        (ProviderError("unavailable", "x"), (502, "provider_error", False, None)),
        (all_failed("auth", "content_filter"), (502, "all_models_failed", True, None)),
        (all_failed("auth", "unavailable"), (502, "all_models_failed", False, None)),
        (all_failed(), (502, "all_models_failed", False, None)),
    ],
)
def test_failures_of_one_kind_are_told_as_what_they_are(
    error: ProviderError | AllModelsFailed, told: tuple[int, str, bool, float | None]
) -> None:
    shown = for_the_caller(error)
    assert (shown.status, shown.code, shown.lasting, shown.retry_after_s) == told
