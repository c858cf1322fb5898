"""The tree over the leaves of a log, computed anew in one pass and held against its tiles and checkpoints."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from prysm.proof import checkpoint, note, tiles
from prysm.proof.defect import Defect
from prysm.proof.merkle import HASH_BYTES
from prysm.store.log.tree import read_tiles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asyncpg import Record

    from prysm.proof.keys import PublicKey
    from prysm.store.fsck.audit import Audit

_CHECKPOINTS = "SELECT size, root, note FROM checkpoint WHERE log = $1 ORDER BY size"
_WIDEST = "SELECT level, max(idx) AS last FROM log_tile WHERE log = $1 GROUP BY level ORDER BY level"


class TreeAudit:
    """Grows by leaf hashes. `keys` are the log keys of this log."""

    def __init__(self, audit: Audit, n: int, origin: str, keys: Sequence[PublicKey]) -> None:
        self._audit = audit
        self._n = n
        self._origin = origin
        self._keys = keys
        self._newest: Record | None = None
        self._tree = tiles.Appender(0, {})
        self._growing: dict[tiles.Tile, bytes] = {}
        self._rows = audit.slices(_CHECKPOINTS, n)
        self._ahead: deque[Record] = deque()
        self._last: int | None = None  # the size of the last checkpoint that was reached

    async def grow(self, hashes: Sequence[bytes]) -> None:
        """Append, stopping at every checkpoint on the way, then compare the tiles that have become full."""
        start, end = self._tree.size, self._tree.size + len(hashes)
        while (row := await self._upcoming()) is not None and row["size"] <= end:
            if row["size"] > self._tree.size:
                self._tree.append(hashes[self._tree.size - start : row["size"] - start])
            self._root(row)
            self._note(self._ahead.popleft())
        self._tree.append(hashes[self._tree.size - start :])
        self._growing |= self._tree.changed()
        full = [tile for tile, held in self._growing.items() if len(held) == tiles.TILE_BYTES]
        await self._compare({tile: self._growing.pop(tile) for tile in full})

    async def end(self, *, sound: bool, succeeded: bool) -> None:
        """Look at what is left when all leaves were seen; unless they are sound, only at the signatures.

        The last checkpoint of a log in use is to be signed by a key that is good for it.
        """
        if sound:
            await self._compare(self._growing)
            await self._surplus()
        if sound and self._last != self._tree.size:
            what = f"There are {self._tree.size} leaves, and no checkpoint of so many."
            self._audit.add("checkpoint_missing", f"log {self._origin}", what)
        while (row := await self._upcoming()) is not None:
            if sound:
                what = f"The log has {self._tree.size} leaves."
                self._audit.add("checkpoint_beyond", f"log {self._origin} checkpoint {row['size']}", what)
            self._note(self._ahead.popleft())
        if self._newest is not None and not succeeded:
            self._vouched(self._newest)

    def _vouched(self, row: Record) -> None:
        good = [key.public for key in self._keys if key.signs_checkpoints_of(row["size"])]
        try:
            note.opened(row["note"], self._origin, good)
        except Defect:
            what = "None of those who signed it is a log key that is good for it now."
            self._audit.add("checkpoint_void", f"log {self._origin} checkpoint {row['size']}", what)

    async def _upcoming(self) -> Record | None:
        if not self._ahead:
            self._ahead.extend(await anext(self._rows, []))
        return self._ahead[0] if self._ahead else None

    def _root(self, row: Record) -> None:
        self._last = row["size"]
        if self._tree.root() != row["root"]:
            where = f"log {self._origin} checkpoint {row['size']}"
            self._audit.add("checkpoint_root", where, "The leaves that there are have another root.")

    def _note(self, row: Record) -> None:
        where = f"log {self._origin} checkpoint {row['size']}"
        self._newest = row
        self._audit.counts["checkpoints"] += 1
        self._audit.progress("checkpoints", self._audit.counts["checkpoints"])
        try:
            said = checkpoint.parse(note.signatures(row["note"])[0])
        except Defect as defect:
            self._audit.add("checkpoint_note", where, f"It is no checkpoint: {defect}.")
            return
        if (said.origin, said.size, said.root) != (self._origin, row["size"], row["root"]):
            self._audit.add("checkpoint_note", where, "The note says something else than the row.")
        try:
            note.opened(row["note"], self._origin, [key.public for key in self._keys])
        except Defect as defect:
            self._audit.add("checkpoint_signature", where, f"Its signature does not hold: {defect}.")

    async def _compare(self, computed: Mapping[tiles.Tile, bytes]) -> None:
        stored = await read_tiles(self._audit.connection, self._n, computed)
        self._audit.counts["tiles"] += len(computed)
        for tile, hashes in computed.items():
            where = f"log {self._origin} tile {tile[0]}/{tile[1]}"
            if tile not in stored:
                self._audit.add("tile_missing", where, "There is no such tile.")
            elif stored[tile] != hashes:
                self._audit.add("tile_altered", where, _difference(hashes, stored[tile]))

    async def _surplus(self) -> None:
        for level, last in await self._audit.connection.fetch(_WIDEST, self._n):
            if not tiles.width((level, last), self._tree.size):
                what = f"The log has {self._tree.size} leaves, which have no such tile."
                self._audit.add("tile_surplus", f"log {self._origin} tile {level}/{last}", what)


def _difference(computed: bytes, stored: bytes) -> str:
    if len(stored) != len(computed):
        return f"It holds {len(stored)} bytes, and the leaves give {len(computed)}."
    at = next(
        i for i in range(0, len(computed), HASH_BYTES) if stored[i : i + HASH_BYTES] != computed[i : i + HASH_BYTES]
    )
    return f"From its hash {at // HASH_BYTES} on it is not what the leaves give."
