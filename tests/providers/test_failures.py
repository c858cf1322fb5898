from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from prysm.providers.failures import kind_of, refusal, retry_after

REFUSALS = [
    (400, {"error": {"message": "no", "type": "invalid_request_error", "code": None}}, "rejected"),
    (400, {"error": {"message": "no", "code": "context_length_exceeded"}}, "context_length"),
    (400, {"error": {"type": "invalid_request_error", "message": "prompt is too long: 9 > 8"}}, "context_length"),
    (400, {"error": {"code": 400, "message": "The input token count (9) exceeds …"}}, "context_length"),
    (400, {"error": {"code": 400, "type": "exceed_context_size_error", "message": ""}}, "context_length"),
    (400, {"error": "This model's maximum context length is 8"}, "context_length"),
    (400, {"error": "This model's maximum prompt length is 131072 but the request contains 9."}, "context_length"),
    (
        400,
        {
            "object": "error",
            "message": "Prompt contains 9 tokens …, too large for model with 8 maximum context length",
        },
        "context_length",
    ),
    (400, {"object": "error", "message": "maximum context length is 8", "code": 400}, "context_length"),
    (422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8"}, "context_length"),
    (400, {"message": {"detail": []}}, "rejected"),
    (400, {"error": {"code": "content_policy_violation"}}, "content_filter"),
    (400, {"error": {"code": "invalid_prompt", "message": "Invalid prompt: your prompt was …"}}, "content_filter"),
    (
        400,
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": "Output blocked by content filtering policy"},
        },
        "content_filter",
    ),
    (
        403,
        {"code": "The caller does not …", "error": "Content violates usage guidelines. … SAFETY_CHECK_TYPE_BIO"},
        "content_filter",
    ),
    (403, {"error": {"code": 403, "message": 'Your input was flagged for "violence"'}}, "content_filter"),
    (403, {"error": {"type": "permission_error", "message": "Your key may not use this model"}}, "auth"),
    (401, {"error": "Content violates usage guidelines"}, "auth"),
    (400, {"error": {"message": "Content Exists Risk"}}, "content_filter"),
    (500, {"error": {"message": "content policy service is down"}}, "unavailable"),
    (400, {"error": {"status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}, "auth"),
    (401, None, "auth"),
    (402, {"error": {"message": "Insufficient Balance"}}, "auth"),
    (403, "<html>", "auth"),
    (404, {}, "rejected"),
    (408, None, "unavailable"),
    (409, None, "unavailable"),
    (413, {"error": {"type": "request_too_large"}}, "context_length"),
    (422, {"detail": []}, "rejected"),
    (429, {"error": {"type": "rate_limit_error"}}, "rate_limited"),
    (429, {"error": {"code": "insufficient_quota"}}, "auth"),
    (302, None, "rejected"),
    (204, None, "malformed"),
    (418, None, "rejected"),
    (500, None, "unavailable"),
    (503, [{"error": {"code": 503, "status": "UNAVAILABLE"}}], "unavailable"),
    (529, {"error": {"type": "overloaded_error"}}, "unavailable"),
]


@pytest.mark.parametrize(("status", "body", "kind"), REFUSALS)
def test_a_status_and_the_codes_beside_it_say_what_failed(status: int, body: Any, kind: str) -> None:
    error = refusal("acme", status, body, None)
    assert (error.kind, error.upstream_status) == (kind, status)
    assert error.message.startswith(f"acme answered {status}: ")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"type": "overloaded_error"}, "unavailable"),
        ({"code": 429, "status": "RESOURCE_EXHAUSTED"}, "rate_limited"),
        ({"code": 503}, "unavailable"),
        ({"type": "invalid_request_error", "message": "prompt is too long"}, "context_length"),
        (
            {"type": "invalid_request_error", "message": "Output blocked by content filtering policy"},
            "content_filter",
        ),
        ({}, "unavailable"),
    ],
)
def test_an_error_without_a_status_is_known_by_its_own_words(error: dict[str, Any], kind: str) -> None:
    assert kind_of(error, None) == kind


@pytest.mark.parametrize(("status", "base_url"), [(400, False), (422, False), (404, True), (302, True)])
def test_a_refused_parameter_is_not_blamed_on_the_address(status: int, *, base_url: bool) -> None:
    error = refusal("acme", status, {}, None)
    assert (error.kind, "base_url" in error.message, "parameters" in error.message) == ("rejected", base_url, True)


def test_a_request_beyond_the_credit_is_told_as_one_and_not_as_a_bad_key() -> None:
    body = {"error": {"code": 402, "message": "This request requires more credits, or fewer max_tokens."}}
    error = refusal("acme", 402, body, None)
    assert (error.kind, "max_tokens" in error.message, "key" in error.message) == ("auth", True, False)


def test_a_refusal_never_repeats_the_provider() -> None:
    error = refusal("acme", 500, {"error": {"message": "SECRET", "code": "SECRET"}}, None)
    assert "SECRET" not in f"{error!r} {error} {vars(error)}"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-1", None),
        ("1e9", 3600.0),
        ("nan", None),
        ("soon", None),
        (None, None),
    ],
)
def test_retry_after_in_seconds(value: str | None, seconds: float | None) -> None:
    assert retry_after(value) == seconds


def test_retry_after_as_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert retry_after(soon) == pytest.approx(60, abs=3)
    assert retry_after("Fri, 01 Jan 2016 00:00:00 GMT") is None
    assert retry_after("Fri, 99 Jan 2016 00:00:00 GMT") is None


def test_only_a_wait_that_can_help_is_passed_on() -> None:
    assert refusal("acme", 429, None, 3.0).retry_after_s == 3.0
    assert refusal("acme", 401, None, 3.0).retry_after_s is None
