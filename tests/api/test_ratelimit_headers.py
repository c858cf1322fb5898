from __future__ import annotations

import pytest

from prysm.api.ratelimit_headers import ratelimit_headers
from prysm.core.payer import Meter


def test_limits_are_told_as_openai_tells_them() -> None:
    meters = (Meter("requests", 60, 59, 1.0), Meter("runs", 4, 3, None), Meter("tokens", 150_000, 149_984, 0.0064))
    assert ratelimit_headers(meters) == [
        (b"x-ratelimit-limit-requests", b"60"),
        (b"x-ratelimit-remaining-requests", b"59"),
        (b"x-ratelimit-reset-requests", b"1s"),
        (b"x-ratelimit-limit-tokens", b"150000"),
        (b"x-ratelimit-remaining-tokens", b"149984"),
        (b"x-ratelimit-reset-tokens", b"7ms"),
    ]


def test_of_a_key_and_its_organisation_the_scarcer_speaks() -> None:
    headers = dict(ratelimit_headers([Meter("requests", 60, 50, 10), Meter("requests", 1000, 3, 59.8)]))
    assert headers[b"x-ratelimit-limit-requests"] == b"1000"
    assert headers[b"x-ratelimit-remaining-requests"] == b"3"


def test_where_nothing_is_limited_there_is_no_header() -> None:
    assert ratelimit_headers([]) == ratelimit_headers([Meter("runs", 4, 3, None)]) == []


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0s"),
        (0.12, "120ms"),
        (0.0001, "1ms"),
        (0.9999, "1s"),
        (1, "1s"),
        (8.64, "8.64s"),
        (59.9999, "1m0s"),
        (360, "6m0s"),
        (61.5, "1m1.5s"),
        (3600.25, "1h0m0.25s"),
    ],
)
def test_a_duration_is_written_as_go_writes_it(seconds: float, written: str) -> None:
    (reset,) = [value for name, value in ratelimit_headers([Meter("tokens", 1, 0, seconds)]) if b"reset" in name]
    assert reset.decode() == written
