"""Who is calling. In this version there is one key, the root key; nothing is open by default."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from prysm.core.secret_file import kept_in
from prysm.core.values import dataclass
from prysm.errors import ConfigError, InvalidApiKey

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "prysm_sk_"
MIN_KEY_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller; `key` is a name, never the secret."""

    key: str


ROOT = Caller("root")


class KeyRing:
    """Knows the root key by its hash only, so that no dump or repr can show it."""

    __slots__ = ("_root",)

    def __init__(self, root_key: str) -> None:
        if len(root_key) < MIN_KEY_LENGTH:
            raise ConfigError(
                f"PRYSM_ROOT_KEY is shorter than {MIN_KEY_LENGTH} characters; use a long random one, or unset it "
                "and one is generated."
            )
        self._root = _digest(root_key)

    def authenticate(self, authorization: str | None) -> Caller:
        """The caller behind an `Authorization: Bearer …` header; raises `InvalidApiKey`."""
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(_digest(key.strip()), self._root):
            raise InvalidApiKey(
                "Missing or unknown API key. Send `Authorization: Bearer <key>` (or `x-api-key: <key>`); the root "
                "key is in the file `root.key` of the gateway's data directory."
            )
        return ROOT


def root_key(data_dir: Path, given: str | None) -> str:
    """The root key: the one given, else the one in `<data dir>/root.key`, made once with mode 0600."""
    if given:
        return given
    return kept_in(root_key_path(data_dir), lambda: PREFIX + secrets.token_urlsafe(32), "PRYSM_ROOT_KEY")


def root_key_path(data_dir: Path) -> Path:
    """Where the generated root key lies."""
    return data_dir / "root.key"


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
