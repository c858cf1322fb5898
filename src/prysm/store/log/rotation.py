"""Change the keys. The sequencer announces a new one in the log, and from there on it is the one that signs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prysm.errors import ConfigError, InvalidRequest, NotFound
from prysm.store.audit import Event, record
from prysm.store.log.begin import begin_anew
from prysm.store.log.keys import Keychain, insert_key, read_keys
from prysm.store.log.lock import locked
from prysm.store.log.tree import read_head
from prysm.vault import WrongEncryptionKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.store.connection import Connection
    from prysm.store.log.keys import LogKey, Use
    from prysm.store.log.tree import Head
    from prysm.vault import Vault

# Waits for the receipts that are being stored, and lets the next ones wait: they see the revocation then.
_HOLD = "LOCK TABLE log_queue IN SHARE MODE"
_WAITING = "SELECT count(*) FROM log_queue"
_REVOKE = "UPDATE log_key SET status = 'revoked', to_index = $3 WHERE log = $1 AND kid = $2"


@dataclass(frozen=True, slots=True)
class Revoked:
    """From which leaf on a key is void, and what takes its place.

    `successor` is the new key made for it, `None` where none was: one is there already (`replaced`), or the
    encryption key that it would have to be kept under is lost.
    """

    to_index: int
    successor: str | None
    replaced: bool


async def rotate(connection: Connection, vault: Vault, use: Use) -> str:
    """Add a key that takes over within seconds, and return its kid; the one before ends after an overlap.

    Raises ConfigError when there is no log, and when its keys are encrypted under another key than ours.
    """
    chain = Keychain(vault)
    async with locked(connection):
        head = await current(connection)
        chain.check(await read_keys(connection, head.log))
        kid = await _add(connection, chain, head.log, use)
        await record(connection, Event("signing_key.rotate", kid, {"use": use}))
        return kid


async def replace_lost(connection: Connection, vault: Vault) -> Head:
    """Go on in a new log with new keys where those that there are cannot be decrypted any more.

    No API key is known after that but the root key: each has to be rotated.

    Raises InvalidRequest when they can.
    """
    chain = Keychain(vault)
    async with locked(connection):
        head = await current(connection)
        if _usable(chain, await read_keys(connection, head.log)):
            raise InvalidRequest(
                "The signing keys can be decrypted, so none is lost: `prysm proof rotate` makes a new one.",
                param="lost_key",
            )
        await connection.execute("DELETE FROM secret")  # lost with the key; what they made is to be made anew
        following = await begin_anew(connection, chain, head)
        await record(connection, Event("signing_key.replace", following.origin, {"predecessor": head.origin}))
        return following


async def revoke(connection: Connection, vault: Vault, kid: str, at_index: int | None = None) -> Revoked:
    """Void what a key signed from leaf `at_index` of the current log on, at once; what was logged before stays good.

    `None`: from now on. What was stored up to now stays good then, also what still waits for the log, and gateways
    store nothing under the key any more. Needs no private key but for a successor. Raises NotFound for an unknown
    kid, InvalidRequest for an index that the log does not reach.
    """
    chain = Keychain(vault)
    async with locked(connection):
        head = await current(connection)
        if at_index is not None and not 0 <= at_index <= head.size:
            raise InvalidRequest(f"The log has {head.size} leaves: --at is at most that.", param="at")
        key = next((key for key in await read_keys(connection, head.log) if key.kid == kid), None)
        if key is None:
            raise NotFound("The current log has no such key: /.well-known/prysm-keys.json lists them.", param="kid")
        await connection.execute(_HOLD)
        end = await _end(connection, head) if at_index is None else at_index
        await connection.execute(_REVOKE, head.log, kid, end)
        await record(connection, Event("signing_key.revoke", kid, {"use": key.use, "to_index": end}))
        left = [other for other in await read_keys(connection, head.log) if other.signs]
        if any(other.use == key.use and other.status != "retiring" for other in left):
            return Revoked(end, None, replaced=True)
        usable = _opens(chain, left or [key])
        successor = await _add(connection, chain, head.log, key.use) if usable else None
        return Revoked(end, successor, replaced=usable)


async def current(connection: Connection) -> Head:
    """The log in use. Raises ConfigError when there is none."""
    head = await read_head(connection)
    if head is None:
        raise ConfigError("This database has no log yet: start `prysm serve` on it once.")
    return head


async def _end(connection: Connection, head: Head) -> int:
    """An index that all that waits will be before: what is queued, and an event of every key."""
    keys = await read_keys(connection, head.log)
    waiting: int = await connection.fetchval(_WAITING)
    return head.size + waiting + sum(key.status in ("pending", "retiring") for key in keys) + 1


async def _add(connection: Connection, chain: Keychain, log: int, use: Use) -> str:
    key = chain.make(use)
    await insert_key(connection, log, key)
    return key.kid


def _usable(chain: Keychain, keys: Sequence[LogKey]) -> bool:
    """Whether the log can go on: of the keys that are still needed every one opens."""
    needed = [key for key in keys if key.signs]
    return bool(needed) and _opens(chain, needed)


def _opens(chain: Keychain, keys: Sequence[LogKey]) -> bool:
    try:
        for key in keys:
            chain.open(key.kid, key.wrapped)
    except WrongEncryptionKey:
        return False
    return True
