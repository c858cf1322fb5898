"""Encrypts what must lie in the database and must not be readable there: AES-256-GCM under the operator's key."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from prysm.core.secret_file import kept_in
from prysm.errors import ConfigError

MIN_KEY_LENGTH = 16
VARIABLE = "PRYSM_ENCRYPTION_KEY"

_VERSION = b"\x01"
_NONCE_BYTES = 12
_INFO = b"prysm vault 1"


class WrongEncryptionKey(ConfigError):
    """Something was encrypted under another key, or altered since."""


def key_path(data_dir: Path) -> Path:
    """Where the encryption key lies when none is given."""
    return data_dir / "encryption.key"


class Vault:
    """Wraps short secrets under a key derived with HKDF-SHA256 (RFC 5869). Shows nothing of it.

    `key` is the operator's, or the file that holds one. The first `wrap` makes the file; `unwrap` never does, since
    a new key opens nothing that there is. Raises ConfigError when the key is shorter than `MIN_KEY_LENGTH`
    characters, and when the file cannot be used, which is found out with its first use.
    """

    __slots__ = ("_source",)

    def __init__(self, key: str | Path) -> None:
        self._source = key if isinstance(key, Path) else _opened(key, VARIABLE)

    def wrap(self, plaintext: bytes, aad: bytes) -> bytes:
        """A version byte, 12 random bytes, the ciphertext and its tag; `aad` is what it belongs to, not kept."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._open().cipher.encrypt(nonce, plaintext, _VERSION + aad)

    def unwrap(self, sealed: bytes, aad: bytes) -> bytes:
        """What was wrapped for `aad`. Raises WrongEncryptionKey when it was under another key, or altered."""
        if sealed[:1] != _VERSION:
            raise WrongEncryptionKey("This was encrypted by a newer release of the gateway: start that release.")
        if isinstance(self._source, Path) and not self._source.exists():
            raise WrongEncryptionKey(f"There is no {self._source}: restore it from a backup, or set {VARIABLE}.")
        nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._open().cipher.decrypt(nonce, ciphertext, _VERSION + aad)
        except (InvalidTag, ValueError):
            raise WrongEncryptionKey(
                f"This was encrypted under another {VARIABLE}: set the one it was encrypted under, or restore the "
                "file `encryption.key` of the data directory from a backup."
            ) from None

    def derived(self, info: bytes) -> bytes:
        """32 bytes for another purpose, which `info` names; whoever has them learns nothing of the key."""
        return _expanded(self._open().key, info)

    def _open(self) -> _Opened:
        """The key and its cipher; of many starters at once one makes the file, with mode 0600."""
        if isinstance(self._source, Path):
            path = self._source
            self._source = _opened(kept_in(path, lambda: secrets.token_urlsafe(32), VARIABLE), str(path))
        return self._source


def rewrapped(old: Vault, new: Vault, wrapped: bytes, aad: bytes) -> bytes | None:
    """What was wrapped under one key, under another; None when it is already.

    Raises `WrongEncryptionKey` when it is under neither.
    """
    try:
        new.unwrap(wrapped, aad)
    except WrongEncryptionKey:
        return new.wrap(old.unwrap(wrapped, aad), aad)
    return None


@dataclass(frozen=True, slots=True, repr=False)
class _Opened:
    key: bytes
    cipher: AESGCM


def _opened(key: str, where: str) -> _Opened:
    if len(key) < MIN_KEY_LENGTH:
        raise ConfigError(
            f"{where} is shorter than {MIN_KEY_LENGTH} characters; use a long random one. Where something is "
            "encrypted already, only the key it was encrypted under will do."
        )
    return _Opened(key.encode(), AESGCM(_expanded(key.encode(), _INFO)))


def _expanded(key: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(key)
