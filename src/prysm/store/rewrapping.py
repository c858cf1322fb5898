"""Puts everything that lies encrypted in the database under another encryption key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.store.audit import Event, record
from prysm.store.log.keys import belongs_to as belongs_to_key
from prysm.store.provider_keys import rewrap as rewrap_provider_keys
from prysm.store.secrets import belongs_to as belongs_to_secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from prysm.store.connection import Connection
    from prysm.store.provider_keys import KnownProviderKey

    Anew = Callable[[bytes, bytes], bytes | None]

# The private half of a key that was closed is never needed again, and may be under a key that nobody has any more.
_SIGNING = "SELECT log, kid, wrapped FROM log_key WHERE status NOT IN ('retired', 'revoked') FOR UPDATE"
_SECRETS = "SELECT name, wrapped FROM secret FOR UPDATE"


async def in_use(connection: Connection) -> bool:
    """Whether a gateway holds a lease on the database."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM instance WHERE lease_until > now())"))


async def rewrap(
    connection: Connection, anew: Anew, provider: Callable[[KnownProviderKey], bytes | None]
) -> dict[str, tuple[int, int]]:
    """Rewrap signing keys, the gateway's own secrets and provider keys, all or none.

    `anew` gives what is wrapped, and bound to its second argument, under the new key; None when it is already, and
    so does `provider` for a provider key. Returns for each kind how many there are and how many were rewrapped;
    raises what the two raise.
    """
    async with connection.transaction():
        signing = [(row["log"], row["kid"], row["wrapped"]) for row in await connection.fetch(_SIGNING)]
        keys = [(log, kid, new) for log, kid, old in signing if (new := anew(old, belongs_to_key(kid))) is not None]
        await connection.executemany("UPDATE log_key SET wrapped = $3 WHERE log = $1 AND kid = $2", keys)
        kept = [(row["name"], row["wrapped"]) for row in await connection.fetch(_SECRETS)]
        secrets = [(name, new) for name, old in kept if (new := anew(old, belongs_to_secret(name))) is not None]
        await connection.executemany("UPDATE secret SET wrapped = $2 WHERE name = $1", secrets)
        if keys or secrets:
            done = {"signing_keys": len(keys), "secrets": len(secrets)}
            await record(connection, Event("encryption_key.rotate", "encryption_key", done))
        brought = await rewrap_provider_keys(connection, provider)
    return {
        "signing_keys": (len(signing), len(keys)),
        "secrets": (len(kept), len(secrets)),
        "provider_keys": brought,
    }
