"""A key that an organisation has with a provider, as it is stored: nobody who reads the database can use it.

AES-256-GCM under a data key of its own, which the operator's key wraps. Both are bound to what the key belongs to, as
additional authenticated data: moved to another row, neither opens.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from prysm import vault as vaults
from prysm.vault import WrongEncryptionKey

if TYPE_CHECKING:
    from uuid import UUID

    from prysm.vault import Vault

_VERSION = b"\x01"
_CONTEXT = b"prysm provider key" + _VERSION
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Belongs:
    """Whose key it is, for which provider, and in which row it stands."""

    id: UUID
    org: UUID
    provider: str

    @property
    def aad(self) -> bytes:
        """What it is bound to. Only the last part varies in length, so no two rows have the same."""
        return _CONTEXT + self.id.bytes + self.org.bytes + self.provider.encode()


@dataclass(frozen=True, slots=True)
class SealedKey:
    """`wrapped_key` is the data key, under the operator's; `sealed` the provider's key, under the data key."""

    wrapped_key: bytes = field(repr=False)
    sealed: bytes = field(repr=False)


def seal(vault: Vault, text: str, belongs: Belongs) -> SealedKey:
    """Seal a provider's key under a new data key."""
    data_key, nonce = AESGCM.generate_key(256), os.urandom(_NONCE_BYTES)
    sealed = AESGCM(data_key).encrypt(nonce, text.encode(), belongs.aad)
    return SealedKey(vault.wrap(data_key, belongs.aad), _VERSION + nonce + sealed)


def unseal(vault: Vault, key: SealedKey, belongs: Belongs) -> str:
    """The provider's key. Raises `WrongEncryptionKey` for another operator's key, another row, and altered bytes."""
    data_key = vault.unwrap(key.wrapped_key, belongs.aad)
    nonce, sealed = key.sealed[1 : 1 + _NONCE_BYTES], key.sealed[1 + _NONCE_BYTES :]
    if key.sealed[:1] == _VERSION:
        try:
            return AESGCM(data_key).decrypt(nonce, sealed, belongs.aad).decode()
        except (InvalidTag, ValueError):
            pass
    raise WrongEncryptionKey("A stored provider key was altered, or moved from another row: store it anew.")


def rewrapped(old: Vault, new: Vault, wrapped_key: bytes, belongs: Belongs) -> bytes | None:
    """The data key under the operator's new key, None when it is already.

    Raises `WrongEncryptionKey` when it is under neither.
    """
    return vaults.rewrapped(old, new, wrapped_key, belongs.aad)
