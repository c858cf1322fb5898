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
    (400, {"error": {"code": "content_policy_violation"}}, "content_filter"),
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
        ({}, "unavailable"),
    ],
)
def test_an_error_without_a_status_is_known_by_its_own_words(error: dict[str, Any], kind: str) -> None:
    assert kind_of(error, None) == kind


@pytest.mark.parametrize(("status", "base_url"), [(400, False), (422, False), (404, True), (302, True)])
def test_a_refused_parameter_is_not_blamed_on_the_address(status: int, *, base_url: bool) -> None:
    error = refusal("acme", status, {}, None)
    assert (error.kind, "base_url" in error.message, "parameters" in error.message) == ("rejected", base_url, True)


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
