"""The beginning of a log: the first in an empty database, and the next where a database went back in time."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from prysm.errors import ConfigError
from prysm.proof import tiles
from prysm.proof.defect import Defect
from prysm.store.connection import DATABASE_ERRORS, connect
from prysm.store.log.keys import USES, Keychain, SigningKeys, insert_key, read_keys
from prysm.store.log.leaf import beginning, key_event
from prysm.store.log.lock import locked
from prysm.store.log.tick import OVERLAP
from prysm.store.log.tree import DamagedLog, Head, Tree, grow, read_head, read_tiles, read_tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prysm.store.connection import Connection
    from prysm.store.log.keys import LogKey
    from prysm.store.log.pin import Pin, Pins
    from prysm.vault import Vault

_ADD_LOG = "INSERT INTO log (n, origin) VALUES ($1, $2)"
# No upper bound: receipts of the state that was lost are still good, by the checkpoints that their owners hold.
_LEAVE = "UPDATE log_key SET status = 'retired' WHERE log = $1 AND status IN ('pending', 'active', 'retiring')"

_log = logging.getLogger(__name__)


async def open_log(url: str, vault: Vault, pins: Pins) -> SigningKeys:
    """Return the keys to sign with, after making the log where there is none, or a new one in a restored database.

    Safe for many starters at once. Raises ConfigError when the database is not usable, when its keys are encrypted
    under another key, when a pinned checkpoint cannot be read, and when the log is seen to be damaged.
    """
    await asyncio.to_thread(pins.load)
    connection = await connect(url)
    try:
        chain = Keychain(vault)
        pins.keep(await _current(connection, chain, pins))
        return await SigningKeys.read(connection, chain)
    except DamagedLog as error:
        raise ConfigError(error.message) from error
    except DATABASE_ERRORS as error:
        raise ConfigError(f"The database is not migrated or not writable ({type(error).__name__}).") from None
    finally:
        connection.terminate()


async def _current(connection: Connection, chain: Keychain, pins: Pins) -> Head:
    """The log to write: the one that there is, the first, or the successor of one whose end was lost."""
    async with locked(connection):
        head = await read_head(connection)
        if head is None:
            return await _begin(connection, chain, 1, [], None)
        lost = await lost_state(connection, head, pins)
        chain.check(await read_keys(connection, head.log))  # a wrong encryption key is found out now
        following = None if lost is None else await succeed(connection, chain, head, lost)
    if lost is None or following is None:
        return head
    warn(head, lost, following)
    return following


async def lost_state(connection: Connection, head: Head, pins: Pins) -> Pin | None:
    """The checkpoint that was seen of this log and is no part of it any more; `None` when all is well.

    Raises DamagedLog when the tiles do not even fit the log's own checkpoint: they prove nothing then.
    """
    pin = pins.of(head.origin)
    if pin is None or (pin.size, pin.root) == (head.size, head.root):
        return None
    if pin.size >= head.size:
        return pin
    await read_tree(connection, head)
    found = await read_tiles(connection, head.log, tiles.tiles_for_root(pin.size))
    return None if _root(pin.size, found) == pin.root else pin


def _root(size: int, found: Mapping[tiles.Tile, bytes]) -> bytes | None:
    try:
        return tiles.root(size, found)
    except Defect:
        return None


async def succeed(connection: Connection, chain: Keychain, head: Head, lost: Pin) -> Head:
    """Begin the log that goes on from `head`, whose end was lost; its keys go on. The caller holds the lock."""
    keys = await read_keys(connection, head.log)
    following = await _begin(connection, chain, head.log + 1, keys, lost)
    await connection.execute(_LEAVE, head.log)
    return following


async def begin_anew(connection: Connection, chain: Keychain, head: Head) -> Head:
    """Begin the log that goes on from `head` with new keys: its own cannot be decrypted. The caller holds the lock.

    Receipts under the old key that still wait, in the queue or in a spool, are taken up for as long as after a
    rotation.
    """
    over = datetime.now(UTC) + OVERLAP["receipt"]
    keys = await read_keys(connection, head.log)
    known = [
        replace(key, status="retiring", retire_at=over)
        for key in keys
        if key.use == "receipt" and key.status in ("active", "retiring")
    ]
    following = await _begin(connection, chain, head.log + 1, known, head)
    await connection.execute(_LEAVE, head.log)
    return following


def warn(head: Head, lost: Pin, following: Head) -> None:
    """Tell the operator, once the new log is committed."""
    _log.warning(
        "THE DATABASE WENT BACK IN TIME: the log %s has %d receipts and other entries, and a checkpoint of %d with "
        "another end was signed and seen. It was restored from a backup, or it lags behind. Receipts that are not in "
        "it any more stay valid for who holds them; the log goes on under the new origin %s, which names the old one.",
        head.origin,
        head.size,
        lost.size,
        following.origin,
    )


async def _begin(
    connection: Connection, chain: Keychain, n: int, keys: Sequence[LogKey], predecessor: Pin | Head | None
) -> Head:
    origin = f"prysm/{secrets.token_hex(16)}"
    await connection.execute(_ADD_LOG, n, origin)
    added = [beginning(origin, predecessor)]
    carried = _going_on(chain, keys)
    for key in carried:
        announced = key.status != "pending"
        await insert_key(connection, n, replace(key, from_index=len(added) if announced else None))
        added += [key_event("add", key)] if announced else []
    tree = Tree(n, origin, tiles.Appender(0, {}))
    return await grow(connection, tree, added, chain.signers(carried))


def _going_on(chain: Keychain, keys: Sequence[LogKey]) -> list[LogKey]:
    """The keys that a new log begins with: those in use, and a new one for a use that has none."""
    live = [key for key in keys if key.status in ("pending", "active", "retiring")]
    served = {key.use for key in live if key.status == "active"}
    return live + [replace(chain.make(use), status="active") for use in USES if use not in served]
