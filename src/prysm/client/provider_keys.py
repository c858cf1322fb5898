"""`client.provider_keys`, for administrators; over both clients alike, whose calls give a `Reply` or one to await."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote

from prysm.client.wire import Call, sending

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")
KEYS = "/v1/providers/keys"


class ProviderKeys(Generic[R]):
    """An organisation's own keys for providers. Takes the root key, or an admin's, for its own organisation only."""

    def __init__(self, send: Callable[[Call], R]) -> None:
        self._send = send

    def create(self, provider: str, api_key: str, **fields: Any) -> R:
        """Call `provider` with this key from now on; fields: `label`, `organisation`. The key is never told again."""
        return self._send(sending("POST", KEYS, {"provider": provider, "api_key": api_key, **fields}))

    def list(self, *, limit: int = 1000, after: str | None = None) -> R:
        """List the keys, newest first, revoked ones too; `after`: the last id seen."""
        return self._send(
            Call("GET", f"{KEYS}?limit={limit}" + ("" if after is None else f"&after={_quoted(after)}"))
        )

    def get(self, key_id: str) -> R:
        """Look at one key."""
        return self._send(Call("GET", f"{KEYS}/{_quoted(key_id)}"))

    def revoke(self, key_id: str) -> R:
        """Delete a key for good."""
        return self._send(Call("DELETE", f"{KEYS}/{_quoted(key_id)}"))


def _quoted(key_id: str) -> str:
    return quote(key_id, safe="")
