"""What the gateway must make of each fault: status, code, tries, breaker and receipt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from prysm.faults import DOORS, FAULTS
from prysm.faults.catalog import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.errors import FailureKind
    from prysm.faults.formats import WireName

FORMS: tuple[WireName, ...] = ("openai", "anthropic", "gemini")
TEXT = "Grüß Gott: Paris."


@dataclass(frozen=True)
class Fate:
    """How a call must end. `tries` are the attempts of its receipt; `shown` is that a stream has begun before."""

    tries: tuple[str, ...] = ("ok",)
    shown: bool = False
    text: str = TEXT
    finish: str = "stop"
    breaker: str = "closed"
    stage: Mapping[str, Any] = field(default_factory=dict)
    retry_after: int | None = None

    @property
    def answered(self) -> bool:
        """Whether it is an answer in the end."""
        return self.tries[-1] == "ok"

    @property
    def error(self) -> tuple[int, str]:
        """Status and code of the error that the caller gets."""
        return {
            "rate_limited": (429, "rate_limit_exceeded"),
            "context_length": (400, "context_length_exceeded"),
            "content_filter": (400, "content_filter"),
        }.get(self.tries[-1], (502, "provider_error"))


def fails(kind: FailureKind, tries: int = 3, **more: Any) -> Fate:
    """The same failure at every try; three are the first and the two retries of the tests' providers."""
    return Fate((kind,) * tries, **more)


def cut(kind: FailureKind) -> Fate:
    """A failure after text was shown: never tried again."""
    return Fate((kind,), shown=True)


GOOD = Fate()
UNCOUNTED = Fate(stage={"tokens_estimated": True})
SLOW = {"timeout_s": 0.9, "first_byte_timeout_s": 0.2, "idle_timeout_s": 0.4, "retries": 1}
"""For the faults that take their time; all others get limits that no busy machine reaches."""
QUICK = {"timeout_s": 8, "first_byte_timeout_s": 6, "idle_timeout_s": 6, "retries": 2}
SETTINGS: Mapping[str, Mapping[str, float]] = {
    **dict.fromkeys(("no-head", "slow-head", "slow-body", "stall", "only-comments", "late"), SLOW),
    "429-retry-after-seconds": QUICK | {"timeout_s": 1.8},
    **dict.fromkeys(("blackhole", "tls-stall", "tls-none"), QUICK | {"connect_timeout_s": 0.2, "retries": 1}),
}
BOTH: Mapping[str, Fate] = {
    "none": GOOD,
    "429-retry-after-seconds": fails("rate_limited", 2, retry_after=1),
    "429-retry-after-date": fails("rate_limited", 1, retry_after=60),
    "429-retry-after-past": fails("rate_limited", retry_after=1),
    "429-retry-after-absurd": fails("rate_limited", 1, retry_after=3600),
    "429-retry-after-negative": fails("rate_limited", retry_after=1),
    "429-retry-after-missing": fails("rate_limited", retry_after=1),
    "429-once": Fate(("rate_limited", "ok")),
    **dict.fromkeys(("500", "502", "503", "529"), fails("unavailable")),
    "500-once": Fate(("unavailable", "ok")),
    "503-retry-after": fails("unavailable", 1, retry_after=3600),
    **dict.fromkeys(("400", "404", "422"), fails("rejected", 1)),
    "401": fails("auth", 1, breaker="open"),
    "403": fails("auth", 1),
    **dict.fromkeys(("hang-up", "reset"), fails("truncated")),
    "html": fails("malformed"),
    "no-content": fails("malformed"),
    "no-type": fails("malformed"),
    "wrong-kind": fails("malformed"),
    "cut-json": fails("malformed"),
    "error-in-200": fails("unavailable"),
    "content-filter": Fate(finish="content_filter"),
    "length": Fate(finish="length"),
    "huge-body": fails("too_large", 1),
    "endless-body": fails("too_large", 1),
    **dict.fromkeys(("endless-headers", "endless-header", "endless-status", "endless-hints"), fails("malformed")),
    **dict.fromkeys(("invalid-utf8", "raw-nul", "lone-surrogate", "deep-nesting", "nan"), fails("malformed")),
    **dict.fromkeys(("overflow", "not-http", "upgrade", "two-lengths"), fails("malformed")),
    "nul": Fate(text="G\0rüß Gott: Paris."),
    "duplicate-keys": GOOD,
    **dict.fromkeys(("gzip", "deflate", "twice"), GOOD),
    **dict.fromkeys(("gzip-bomb", "deflate-bomb"), fails("too_large", 1)),
    **dict.fromkeys(("zstd-bomb", "br", "gzip-twice", "gzip-lie"), fails("malformed")),
    **dict.fromkeys(
        ("redirect-metadata", "redirect-host", "redirect-307", "redirect-scheme"), fails("rejected", 1)
    ),
    "wrong-model": Fate(stage={"served": "another-model", "tokens_estimated": False}),
    "wrong-types": Fate(stage={"served": None, "provider_request_id": None}),
    **dict.fromkeys(("no-usage", "negative-usage", "absurd-usage"), UNCOUNTED),
    **dict.fromkeys(("refused", "no-such-host"), fails("connect")),
    **dict.fromkeys(("tls-expired", "tls-wrong-host", "tls-self-signed"), fails("connect")),
    **dict.fromkeys(("blackhole", "tls-stall", "tls-none"), fails("connect", 2)),
    "tls-unknown-authority": GOOD,  # the tests' gateway trusts it, so that the other doors fail for their own reason
}
"""What is the same for whole and streamed answers."""
JSON: Mapping[str, Fate] = {
    **dict.fromkeys(("no-head", "slow-head", "slow-body", "only-comments", "late"), fails("timeout", 1)),
    "stall": fails("timeout", 2),
    **dict.fromkeys(("cut-body", "cut-chunk", "cut-chunks", "reset-in-body", "gzip-cut"), fails("truncated")),
    **dict.fromkeys(("short-length", "cut-without-frame", "empty"), fails("malformed")),
}
STREAM: Mapping[str, Fate] = {
    **dict.fromkeys(("no-head", "slow-head", "late"), fails("timeout", 2)),
    **dict.fromkeys(("slow-body", "only-comments"), fails("timeout", 1)),
    "stall": cut("timeout"),
    **dict.fromkeys(("cut-body", "cut-chunk", "cut-chunks", "reset-in-body", "gzip-cut"), cut("truncated")),
    **dict.fromkeys(("short-length", "cut-without-frame", "sse-cut", "sse-cut-in-event"), cut("truncated")),
    "empty": fails("truncated"),
    "error-in-stream": cut("unavailable"),
    "endless-events": cut("too_large"),
    **dict.fromkeys(("sse-split-utf8", "sse-crlf", "sse-cr", "sse-mixed", "sse-bytes", "sse-bom"), GOOD),
    **dict.fromkeys(("sse-no-done", "sse-comments", "sse-data-lines"), GOOD),
}


@dataclass(frozen=True)
class Case:
    """One fault, asked for in one format, whole or streamed."""

    fault: str
    form: WireName
    way: Literal["json", "stream"]

    @property
    def id(self) -> str:
        """The model that callers name."""
        return f"{self.fault}/{self.form}/{self.way}"

    @property
    def upstream(self) -> str:
        """The model that the fault server is asked for; a door takes any."""
        return PREFIX + ("none" if self.fault in DOORS else self.fault)

    @property
    def fate(self) -> Fate:
        """What must become of it."""
        if self == Case("sse-no-done", "anthropic", "stream"):
            return GOOD  # its end is an event like the others
        return ({**BOTH, **JSON} if self.way == "json" else {**BOTH, **STREAM})[self.fault]

    @property
    def settings(self) -> Mapping[str, float]:
        """The limits of its provider."""
        return SETTINGS.get(self.fault, QUICK)


NAMES = [*(name.removeprefix(PREFIX) for name in FAULTS), *DOORS, "no-such-host"]


def _ways(name: str) -> tuple[Literal["json", "stream"], ...]:
    fault = FAULTS.get(PREFIX + name)
    return ("stream",) if fault is not None and fault.ways == "stream" else ("json", "stream")


CASES = [Case(name, form, way) for name in NAMES for form in FORMS for way in _ways(name)]
