from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import httpx
import pytest

from prysm.core.provider import ProviderSpec, WireFormat
from prysm.providers.build import build_provider

if TYPE_CHECKING:
    from prysm.core.ports import Provider


@pytest.mark.parametrize("kind", get_args(WireFormat))
def test_every_wire_format_has_its_provider(kind: WireFormat) -> None:
    spec = ProviderSpec(id="acme", kind=kind, base_url="http://127.0.0.1/v1", api_key="sk-secret")
    provider: Provider = build_provider(spec, httpx.AsyncBaseTransport())
    assert provider.id == "acme"
    assert "sk-secret" not in repr(provider)
