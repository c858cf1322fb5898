"""A provider as the operator configured it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

WireFormat: TypeAlias = Literal["openai", "anthropic", "gemini", "sandbox"]


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """Where a provider is, how it speaks, and how long it may take (seconds).

    `base_url` is everything before `/chat/completions`, `/messages` or `/models/…`. `timeout_s` is the total of one
    call; the other three bound connecting, waiting for the first byte, and silence between two reads.
    `needs_key` with no `api_key` means: listed, not live.
    """

    id: str
    kind: WireFormat
    base_url: str = ""
    api_key: str | None = field(default=None, repr=False)
    api_key_env: str | None = None
    needs_key: bool = False
    managed: str | None = None
    timeout_s: float = 60.0
    connect_timeout_s: float = 5.0
    first_byte_timeout_s: float = 30.0
    idle_timeout_s: float = 20.0
    max_concurrency: int = 64

    @property
    def usable(self) -> bool:
        """Whether a call could be made: a key is there, or none is needed."""
        return bool(self.api_key) or not self.needs_key
