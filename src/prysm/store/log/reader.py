"""Read the log: where a receipt is in it, with its proof, and what monitors and verifiers fetch."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeAlias, TypeVar, cast

from prysm.errors import ProofUnavailable
from prysm.proof import tiles
from prysm.proof.defect import Defect
from prysm.proof.leaves import AUDIT, RECEIPT
from prysm.proof.merkle import HASH_BYTES
from prysm.store.connection import DATABASE_ERRORS, retrying
from prysm.store.log.leaf import Leaf
from prysm.store.log.tree import LAST, read_tiles

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from asyncpg import Record

    from prysm.store.connection import Connection, Pool

READ_TIMEOUT_S = 5.0
PATIENCE_S = 2.0

P = ParamSpec("P")
T = TypeVar("T")
State: TypeAlias = Literal["pending", "included", "deleted"]

_PLACE = "SELECT * FROM place_of($1, $2)"
_CURRENT = f"SELECT n AS log, size, note FROM log {LAST} WHERE n = (SELECT max(n) FROM log)"  # noqa: S608  a constant
_NAMED = f"SELECT n AS log, size, note FROM log {LAST} WHERE origin = $1"  # noqa: S608  a constant
_LEAVES = """
    SELECT kind, digest, body FROM log_leaf
    WHERE log = $1 AND idx >= $2 AND idx < $3 ORDER BY idx
"""
# A key that is not announced yet has signed nothing, and without a first index it would seem to be valid from ever.
_KEYS = """
    SELECT kid, use, public, origin, from_index, to_index, status FROM log_key JOIN log ON log = n
    WHERE from_index IS NOT NULL ORDER BY n, from_index
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a receipt, or an audit event, stands.

    When it is included, `inclusion` holds the sibling hashes upwards and `note` the signed checkpoint of `size` leaves.
    `index` is there also when it was deleted after it had been included.
    """

    state: State
    origin: str
    index: int | None = None
    size: int | None = None
    inclusion: tuple[bytes, ...] | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class _Last:
    """A log and its last checkpoint."""

    log: int
    size: int
    note: str


class LogReader:
    """Reads over a pool. `origin=None` is the current log; what is not there is `None`.

    Every method raises ProofUnavailable when the database does not answer within `READ_TIMEOUT_S` seconds.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def place(self, request_id: UUID) -> Place | None:
        """Return where the receipt is, in two round trips; `None` also for one from before there was a log."""
        return await self._read(_place, request_id, RECEIPT)

    async def event_place(self, event: UUID) -> Place | None:
        """Return where an audit event is; `None` for one that is neither in the log nor on its way there."""
        return await self._read(_place, event, AUDIT)

    async def checkpoint(self, origin: str | None = None) -> str | None:
        """Return the last signed checkpoint."""
        last = await self._read(_last, origin)
        return None if last is None else last.note

    async def consistency(self, old: int, new: int, origin: str | None = None) -> tuple[bytes, ...] | None:
        """Return the proof that the tree of `new` leaves begins with that of `old`; `None` unless both are logged."""
        return await self._read(_consistency, old, new, origin)

    async def tile(self, level: int, idx: int, width: int = tiles.WIDTH, origin: str | None = None) -> bytes | None:
        """Return the first `width` (1–256) hashes of a tile, `None` unless the last checkpoint covers them."""
        return await self._read(_tile, (level, idx), width, origin)

    async def entries(self, idx: int, width: int = tiles.WIDTH, origin: str | None = None) -> bytes | None:
        """Return the first `width` entries of a tile of level 0, each after its length in two bytes (tlog-tiles)."""
        return await self._read(_entries, idx, width, origin)

    async def leaf(self, index: int, origin: str | None = None) -> Leaf | None:
        """Return what the log holds at an index."""
        return await self._read(_leaf, index, origin)

    async def keys(self) -> list[dict[str, Any]]:
        """Return every key that was announced, as it is published: one item for each key and log."""
        return await self._read(published_keys)

    async def _read(
        self, read: Callable[Concatenate[Connection, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Read on one connection: a pool resets what is given back, which is a round trip too."""

        async def reading() -> T:
            async with self._pool.acquire() as lent:
                return await read(cast("Connection", lent), *args, **kwargs)  # a proxy with the same methods

        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                return await retrying(PATIENCE_S)(reading)
        except DATABASE_ERRORS as error:
            raise _unavailable("The log cannot be read now: ask again when /ready answers 200.") from error
        except Defect as error:
            raise _unavailable("The tables of the log are damaged: its operator is to run `prysm fsck`.") from error


async def _place(connection: Connection, named: UUID, kind: int) -> Place | None:
    row = await connection.fetchrow(_PLACE, named, kind)
    if row is None or (row["idx"] is None and not row["queued"]):
        return None
    if not row["kept"]:
        return Place("deleted", row["origin"], row["idx"])
    if row["idx"] is None:
        return Place("pending", row["origin"])
    index, size = row["idx"], row["size"]
    found = await read_tiles(connection, row["log"], tiles.tiles_for_inclusion(index, size))
    path = tuple(tiles.inclusion_path(index, size, found))
    return Place("included", row["origin"], index, size, path, row["note"])


async def _last(connection: Connection, origin: str | None) -> _Last | None:
    row = await (connection.fetchrow(_CURRENT) if origin is None else connection.fetchrow(_NAMED, origin))
    return None if row is None else _Last(**row)


async def _consistency(connection: Connection, old: int, new: int, origin: str | None) -> tuple[bytes, ...] | None:
    last = await _last(connection, origin)
    if last is None or not 0 <= old <= new <= last.size:
        return None
    found = await read_tiles(connection, last.log, tiles.tiles_for_consistency(old, new))
    return tuple(tiles.consistency_path(old, new, found))


async def _tile(connection: Connection, tile: tiles.Tile, width: int, origin: str | None) -> bytes | None:
    last = await _last(connection, origin)
    if last is None or not _covered(tile, width, last.size):
        return None
    found = await read_tiles(connection, last.log, [tile])
    return found.get(tile, b"")[: width * HASH_BYTES] or None


async def _entries(connection: Connection, idx: int, width: int, origin: str | None) -> bytes | None:
    last = await _last(connection, origin)
    if last is None or not _covered((0, idx), width, last.size):
        return None
    start = idx * tiles.WIDTH
    found = [leaf.entry for leaf in await _leaves(connection, last.log, start, start + width)]
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in found)


async def _leaf(connection: Connection, index: int, origin: str | None) -> Leaf | None:
    last = await _last(connection, origin)
    if last is None or not 0 <= index < last.size:
        return None
    return next(iter(await _leaves(connection, last.log, index, index + 1)), None)


async def _leaves(connection: Connection, log: int, start: int, end: int) -> list[Leaf]:
    return [Leaf(**row) for row in await connection.fetch(_LEAVES, log, start, end)]


async def published_keys(connection: Connection) -> list[dict[str, Any]]:
    """Every key that was announced, as it is published: one item for each key and log."""
    return [_published(row) for row in await connection.fetch(_KEYS)]


def _covered(tile: tiles.Tile, width: int, size: int) -> bool:
    return min(tile) >= 0 and 1 <= width <= tiles.width(tile, size)


def _unavailable(why: str) -> ProofUnavailable:
    error = ProofUnavailable(why)
    error.spent = False  # reading costs nothing
    return error


def _published(row: Record) -> dict[str, Any]:
    return {**row, "alg": "Ed25519", "public": base64.b64encode(row["public"]).decode()}
