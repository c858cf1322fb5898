"""A provider as the operator configured it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

WireFormat: TypeAlias = Literal["openai", "anthropic", "gemini", "sandbox"]
CircuitState: TypeAlias = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a breaker lets through. `live` is whether the next call would pass; `retry_at` is when one is tried.

    Closed: all calls. Open: none. Half-open: one, to see whether the fault is over. `retry_at` is on
    `time.monotonic`'s clock. `limited`: it opened because the provider limits the rate.
    """

    state: CircuitState = "closed"
    live: bool = True
    retry_at: float | None = None
    limited: bool = False


CLOSED = Standing()


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """Where a provider is, how it speaks, and how long it may take (seconds).

    `base_url` is everything before `/chat/completions`, `/messages` or `/models/…`; `proxy` the HTTP proxy on the way
    there, which for https sees the host's name and no more. `timeout_s` is the total of one
    call with its retries; the other three bound connecting, waiting for the first byte (of a stream: a whole answer
    sends none before it is finished) or for a free slot, and silence between two reads. `retries` is how often a call
    is tried again, at most; `rpm` and `tpm` are requests and tokens a minute that it accepts; `hedge_after_ms` is
    when a call without an answer gets a second one to race it; `breaker` is whether faults stop calls for a while.
    `needs_key` with no `api_key` means: listed, not live.
    """

    id: str
    kind: WireFormat
    base_url: str = ""
    api_key: str | None = field(default=None, repr=False)
    api_key_env: str | None = None
    needs_key: bool = False
    managed: str | None = None
    proxy: str | None = None
    timeout_s: float = 60.0
    connect_timeout_s: float = 5.0
    first_byte_timeout_s: float = 30.0
    idle_timeout_s: float = 20.0
    max_concurrency: int = 64
    retries: int = 2
    rpm: int | None = None
    tpm: int | None = None
    hedge_after_ms: int | None = None
    breaker: bool = True

    @property
    def usable(self) -> bool:
        """Whether a call could be made: a key is there, or none is needed."""
        return bool(self.api_key) or not self.needs_key
