"""Secrets of the gateway itself that outlive its encryption key: made once, in the database only encrypted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from prysm.errors import Overloaded
from prysm.store.connection import DATABASE_ERRORS

if TYPE_CHECKING:
    from prysm.store.connection import Pool
    from prysm.vault import Vault

PEPPER = "pepper"
"""What the digests of API keys are made with: under another one, no key that was handed out would be known."""
IDEMPOTENCY = "idempotency"
"""What Idempotency-Keys are found by and their answers encrypted under."""
BYTES = 32

_GET = "SELECT wrapped FROM secret WHERE name = $1"
_PUT = "INSERT INTO secret (name, wrapped) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING"


async def secret(pool: Pool, vault: Vault, name: str) -> bytes:
    """The secret of that name, 32 bytes; of many starters at once one makes it.

    Raises WrongEncryptionKey when it was encrypted under another key, and Overloaded when the database is away.
    """
    try:
        wrapped: bytes | None = await pool.fetchval(_GET, name)
        if wrapped is None:
            await pool.execute(_PUT, name, vault.wrap(os.urandom(BYTES), belongs_to(name)))
            wrapped = await pool.fetchval(_GET, name)
    except DATABASE_ERRORS as error:
        raise Overloaded("The database does not answer: start the gateway again when it does.") from error
    return vault.unwrap(wrapped or b"", belongs_to(name))


def belongs_to(name: str) -> bytes:
    """What it is bound to, so that no other ciphertext can take its place."""
    return b"prysm secret " + name.encode()
