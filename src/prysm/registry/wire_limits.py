"""What a wire format has no word for. Such a request is refused, or sent to another model; never trimmed."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.core.chat import Sampling
    from prysm.core.provider import WireFormat

NO_WORD_FOR: Mapping[WireFormat, tuple[str, ...]] = MappingProxyType(
    {"anthropic": ("seed", "frequency_penalty", "presence_penalty")}
)
"""Parameters that Anthropic's Messages API does not have (https://docs.anthropic.com/en/api/messages)."""

HOTTEST: Mapping[WireFormat, float] = MappingProxyType({"anthropic": 1.0})
"""Highest temperature, where it is below OpenAI's 2."""


def inexpressible(kind: WireFormat, sampling: Sampling) -> str | None:
    """The first of the caller's parameters that `kind` cannot express, or None."""
    for name in NO_WORD_FOR.get(kind, ()):
        if getattr(sampling, name) is not None:
            return name
    hottest = HOTTEST.get(kind)
    if hottest is not None and sampling.temperature is not None and sampling.temperature > hottest:
        return "temperature"
    return None
