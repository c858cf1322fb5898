"""`client.keys`, for administrators; the same over both clients, whose calls give a `Reply` or one to await."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote

from prysm.client.wire import Call, sending

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")
KEYS = "/v1/keys"


class Keys(Generic[R]):
    """API keys. Takes the root key, or an admin's, which sees its own organisation only."""

    def __init__(self, send: Callable[[Call], R]) -> None:
        self._send = send

    def create(self, name: str, **fields: Any) -> R:
        """Make a key; `key` of the reply is its text, told this once.

        Fields: `role` (member, admin, reader), `budget_usd`, `budget_period` (total, day, month), `rpm`, `tpm`,
        `concurrency`, `allowed_models`, `allowed_strategies`, `scopes`, `retention`, `cache`, `tags`, `expires_at`,
        `organisation`, `project`.
        """
        return self._send(sending("POST", KEYS, {"name": name, **fields}))

    def list(self, *, limit: int = 1000, after: str | None = None) -> R:
        """List the keys, newest first, revoked ones too; `after`: the last id seen."""
        return self._send(
            Call("GET", f"{KEYS}?limit={limit}" + ("" if after is None else f"&after={_quoted(after)}"))
        )

    def get(self, key_id: str) -> R:
        """Look at one key."""
        return self._send(Call("GET", f"{KEYS}/{_quoted(key_id)}"))

    def update(self, key_id: str, **fields: Any) -> R:
        """Change the fields that are given; None lifts a limit."""
        return self._send(sending("PATCH", f"{KEYS}/{_quoted(key_id)}", fields))

    def rotate(self, key_id: str, *, overlap_s: int = 3600) -> R:
        """Give a key another text, `key` of the reply; the one it has works on for `overlap_s` seconds."""
        return self._send(sending("POST", f"{KEYS}/{_quoted(key_id)}/rotate", {"overlap_s": overlap_s}))

    def revoke(self, key_id: str) -> R:
        """Void a key for good."""
        return self._send(Call("DELETE", f"{KEYS}/{_quoted(key_id)}"))


def _quoted(key_id: str) -> str:
    return quote(key_id, safe="")
