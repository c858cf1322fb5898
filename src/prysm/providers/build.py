"""From an operator's settings to a provider: the one place that maps a wire format to its class."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prysm.providers.anthropic import AnthropicProvider
from prysm.providers.gemini import GeminiProvider
from prysm.providers.openai import GoogleCompatible, OpenAIProvider
from prysm.providers.sandbox import SandboxProvider

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from prysm.core.ports import Provider
    from prysm.core.provider import ProviderSpec, WireFormat
    from prysm.providers.adapter import Adapter

OVER_HTTP: Mapping[WireFormat, type[Adapter]] = {
    "openai": OpenAIProvider,
    "anthropic": AnthropicProvider,
    "gemini": GeminiProvider,
}

OF_GOOGLE = re.compile(r"https?://([\w.-]+\.)?googleapis\.com(?=[:/]|$)", re.IGNORECASE)


def build_provider(spec: ProviderSpec, transport: httpx.AsyncBaseTransport) -> Provider:
    """Make the provider that speaks `spec.kind`; raise `ConfigError` for a URL or key that cannot be used."""
    if spec.kind == "sandbox":
        return SandboxProvider(spec)
    return _format(spec)(spec, transport)


def _format(spec: ProviderSpec) -> type[Adapter]:
    of_google = spec.kind == "openai" and OF_GOOGLE.match(spec.base_url)
    return GoogleCompatible if of_google else OVER_HTTP[spec.kind]
