"""What keys look like, and how they are made and known again.

`prysm_sk_`, 12 characters that find the key (with these it is the prefix that is shown), 43 that are its secret, 256
bits. Only the HMAC of the whole is stored, under a pepper that is not in the database.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prysm.core.secret_file import kept_in

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "prysm_sk_"
MIN_KEY_LENGTH = 16

_PREFIX_LENGTH = len(PREFIX) + 12
_ALPHABET = string.ascii_lowercase + string.digits
_KEY = re.compile(PREFIX + "[a-z0-9]{12}[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made; `text` is shown once and kept nowhere."""

    prefix: str
    digest: bytes = field(repr=False)
    text: str = field(repr=False)


def new_key(pepper: bytes) -> NewKey:
    """Make a key."""
    prefix = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_PREFIX_LENGTH - len(PREFIX)))
    text = prefix + secrets.token_urlsafe(32)
    return NewKey(prefix, digest_of(text, pepper), text)


def digest_of(key: str, pepper: bytes) -> bytes:
    """What is stored of a key: HMAC-SHA256. A key is random enough for a fast one."""
    return hmac.digest(pepper, key.encode(), "sha256")


def root_digest(key: str) -> bytes:
    """What is kept in memory of the root key."""
    return hashlib.sha256(key.encode()).digest()


def prefix_of(key: str) -> str:
    """The part that a key is found by."""
    return key[:_PREFIX_LENGTH]


def is_well_formed(key: str) -> bool:
    """Whether this could be one of the keys that `new_key` makes."""
    return _KEY.fullmatch(key) is not None


def root_key(data_dir: Path, given: str | None) -> str:
    """The root key: the one given, else the one in `<data dir>/root.key`, made once with mode 0600."""
    if given:
        return given
    return kept_in(root_key_path(data_dir), lambda: PREFIX + secrets.token_urlsafe(32), "PRYSM_ROOT_KEY")


def root_key_path(data_dir: Path) -> Path:
    """Where the generated root key lies."""
    return data_dir / "root.key"
