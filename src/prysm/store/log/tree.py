"""The log as it stands, and how it grows: leaves, tiles and a signed checkpoint, in the caller's transaction."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prysm.errors import PrysmError
from prysm.proof import checkpoint, tiles
from prysm.proof.defect import Defect

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prysm.proof.signing import SigningKey
    from prysm.store.connection import Connection
    from prysm.store.log.leaf import Leaf

SLICE = 256
"""Leaves hashed between two looks at other work: about a millisecond."""

# One row of an index, however many checkpoints there are.
LAST = (
    "CROSS JOIN LATERAL (SELECT size, root, note FROM checkpoint WHERE log = n ORDER BY size DESC LIMIT 1) AS last"
)
_HEAD = f"SELECT n AS log, origin, size, root, note FROM log {LAST} WHERE n = (SELECT max(n) FROM log)"  # noqa: S608  a constant
_LAST_ORIGIN = "SELECT origin FROM log ORDER BY n DESC LIMIT 1"
_TILES = """
    SELECT level, idx, hashes FROM log_tile JOIN unnest($2::smallint[], $3::bigint[]) AS wanted (level, idx)
    USING (level, idx) WHERE log = $1
"""
# Plain inserts: where another writer has been, the primary keys refuse, and nothing is overwritten.
_ADD_LEAVES = """
    INSERT INTO log_leaf (log, idx, kind, digest, request_id, body)
    SELECT $1, $2::bigint + nth - 1, kind, digest, request_id, body
    FROM unnest($3::smallint[], $4::bytea[], $5::uuid[], $6::bytea[])
    WITH ORDINALITY AS leaf (kind, digest, request_id, body, nth)
"""
_PUT_TILES = """
    INSERT INTO log_tile (log, level, idx, hashes) SELECT $1, * FROM unnest($2::smallint[], $3::bigint[], $4::bytea[])
    ON CONFLICT (log, level, idx) DO UPDATE SET hashes = excluded.hashes
"""
_ADD_CHECKPOINT = "INSERT INTO checkpoint (log, size, root, note) VALUES ($1, $2, $3, $4)"


class DamagedLog(PrysmError):
    """The tables of the log contradict each other, so nothing may be signed on top of them."""

    code = "damaged_log"


@dataclass(frozen=True, slots=True)
class Head:
    """A log and its last checkpoint."""

    log: int
    origin: str
    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True)
class Tree:
    """A log and the right edge of its tree, ready to grow."""

    log: int
    origin: str
    appender: tiles.Appender

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self.appender.size

    def stands_at(self, head: Head) -> bool:
        """Whether this is the tree of that checkpoint."""
        return (self.log, self.size) == (head.log, head.size) and self.appender.root() == head.root


async def read_head(connection: Connection) -> Head | None:
    """The current log, `None` in a database that has none yet. Raises DamagedLog when it has no checkpoint."""
    row = await connection.fetchrow(_HEAD)
    if row is not None:
        return Head(**row)
    if bare := await connection.fetchval(_LAST_ORIGIN):
        raise DamagedLog(
            f"The database names a log {bare} that has no checkpoint, so nothing may be signed in it. Run `prysm "
            "fsck` to see what is wrong, and restore the database."
        )
    return None


async def read_tiles(connection: Connection, log: int, wanted: Iterable[tiles.Tile]) -> dict[tiles.Tile, bytes]:
    """Those of the tiles that there are."""
    levels, numbers = _columns(wanted)
    rows = await connection.fetch(_TILES, log, levels, numbers)
    return {(row["level"], row["idx"]): row["hashes"] for row in rows}


def _columns(wanted: Iterable[tiles.Tile]) -> tuple[list[int], list[int]]:
    listed = list(wanted)
    return [level for level, _ in listed], [idx for _, idx in listed]


async def read_tree(connection: Connection, head: Head) -> Tree:
    """The tree of the last checkpoint. Raises DamagedLog when the tiles do not give its root."""
    found = await read_tiles(connection, head.log, tiles.edge(head.size))
    try:
        tree = Tree(head.log, head.origin, tiles.Appender(head.size, found))
        fits = tree.stands_at(head)
    except Defect:
        fits = False
    if not fits:
        raise DamagedLog(
            f"The tiles of the log {head.origin} do not give the root of its checkpoint of {head.size} leaves, so "
            "receipts stay pending. Run `prysm fsck` to see what is wrong, and restore the database."
        )
    return tree


async def grow(connection: Connection, tree: Tree, added: Sequence[Leaf], signers: Sequence[SigningKey]) -> Head:
    """Append the leaves and sign the checkpoint that covers them.

    The tree has grown even if the transaction is undone: throw it away then. Raises asyncpg's UniqueViolationError
    when another writer got there first.
    """
    await _add_leaves(connection, tree, added)
    for start in range(0, len(added), SLICE):
        tree.appender.append([leaf.hash for leaf in added[start : start + SLICE]])
        await asyncio.sleep(0)
    await _put_tiles(connection, tree)
    root = tree.appender.root()
    note = checkpoint.signed(checkpoint.Checkpoint(tree.origin, tree.size, root), signers)
    await connection.execute(_ADD_CHECKPOINT, tree.log, tree.size, root, note)
    return Head(tree.log, tree.origin, tree.size, root, note)


async def _add_leaves(connection: Connection, tree: Tree, added: Sequence[Leaf]) -> None:
    await connection.execute(
        _ADD_LEAVES,
        tree.log,
        tree.size,
        [leaf.kind for leaf in added],
        [leaf.digest for leaf in added],
        [leaf.request_id for leaf in added],
        [leaf.body for leaf in added],
    )


async def _put_tiles(connection: Connection, tree: Tree) -> None:
    changed = tree.appender.changed()
    levels, numbers = _columns(changed)
    await connection.execute(_PUT_TILES, tree.log, levels, numbers, list(changed.values()))
