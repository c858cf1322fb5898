"""A log as files that outlive the database it comes from."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prysm.errors import ConfigError, InvalidRequest, NotFound
from prysm.proof import checkpoint, note, tiles
from prysm.proof.defect import Defect
from prysm.proof.leaves import entry
from prysm.proof.merkle import HASH_BYTES
from prysm.proof.sealed import Sealed
from prysm.proof.written import included, receipt_document
from prysm.store.log.export_readme import README
from prysm.store.log.reader import published_keys
from prysm.store.log.tree import DamagedLog, read_tiles
from prysm.store.receipts import pruned_before

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from uuid import UUID

    from asyncpg import Record

    from prysm.store.connection import Connection

# The checkpoint that is to prove the range: the first that covers its end, or the last there is.
_CHECKPOINT = """
    SELECT n, origin, size, note FROM log JOIN checkpoint ON log = n
    WHERE n = coalesce((SELECT n FROM log WHERE origin = $1), (SELECT max(n) FROM log WHERE $1 IS NULL))
    AND ($2::bigint IS NULL OR size > $2) ORDER BY CASE WHEN $2 IS NULL THEN -size ELSE size END LIMIT 1
"""
_LEAVES = """
    SELECT idx, kind, leaf.digest, leaf.request_id, payload, proof_hash, kid, signature,
        (SELECT before FROM pruned WHERE name = 'stage' AND before > sealed_at) AS pruned
    FROM log_leaf AS leaf LEFT JOIN receipt USING (request_id)
    WHERE log = $1 AND idx >= $2 AND idx < $3 ORDER BY idx
"""
_STAGES = "SELECT request_id, body FROM stage WHERE request_id = ANY($1::uuid[]) ORDER BY request_id, i"

MAX_INDEX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """Leaves `first` to `last`, both inclusive, of a log; `None`: to its end, and the log in use."""

    first: int = 0
    last: int | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export came to: receipts of leaves `first` to `last`, proven in the checkpoint of `size` leaves."""

    origin: str
    first: int
    last: int
    size: int
    receipts: int
    without_receipt: int
    written: int


async def export(
    connection: Connection, out: Path, wanted: Wanted, progress: Callable[[str, int], None]
) -> Exported:
    """Write the receipts that are wanted, and the whole log up to the checkpoint that proves them.

    A file that is there already with the same bytes is left alone, so an export that was cut off goes on. Raises
    NotFound for an unknown log, InvalidRequest for a range that it does not have, DamagedLog when its tables do not
    fit together, ConfigError when a file cannot be written, and what the database raises.
    """
    if wanted.last is not None and wanted.last > MAX_INDEX:
        raise InvalidRequest(f"--to is an index of the log, so at most {MAX_INDEX}.", param="to")
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("LOCK TABLE stage IN ACCESS SHARE MODE")  # no month is dropped meanwhile
        row = await connection.fetchrow(_CHECKPOINT, wanted.origin, wanted.last)
        if row is None:
            raise NotFound("The database has no such log, or it does not reach so far.", param="origin")
        last = row["size"] - 1 if wanted.last is None else wanted.last
        if not 0 <= wanted.first <= last:
            raise InvalidRequest(
                f"--from is an index of the log, and not above --to, which is {last}.", param="from"
            )
        return await _Export(connection, _Folder(out), row, range(wanted.first, last + 1), progress).run()


class _Folder:
    """Writes files whole or not at all, and only those that change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = 0

    def write(self, name: str, data: bytes) -> None:
        """Write a file; raises ConfigError when that cannot be done."""
        path = self.path / name
        try:
            if self._read(path) != data:
                _replace(path, data)
                self.written += 1
        except OSError as error:
            raise ConfigError(f"{path} cannot be written ({error.strerror}): choose another --out.") from None

    def refuse_other(self, origin: str) -> None:
        """Raise InvalidRequest when there is an export of another log: they would overwrite each other's tiles."""
        there = self._read(self.path / "checkpoint")
        if there is not None and not there.startswith(f"{origin}\n".encode()):
            raise InvalidRequest(f"{self.path} holds an export of another log: choose another --out.", param="out")

    def write_checkpoint(self, origin: str, size: int, signed: str) -> None:
        """Write the checkpoint, unless a later one of the log is there: the tiles for it are as well."""
        there = self._read(self.path / "checkpoint") or b""
        try:
            known = checkpoint.parse(note.signatures(there.decode())[0])
        except (Defect, UnicodeDecodeError):
            known = None
        if known is None or (known.origin, known.size > size) != (origin, True):
            self.write("checkpoint", signed.encode())

    def _read(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(f"{path} cannot be read ({error.strerror}): choose another --out.") from None


class _Export:
    """One export; tiles above the leaves are kept in memory, about a byte for eight leaves."""

    def __init__(
        self,
        connection: Connection,
        folder: _Folder,
        checkpoint: Record,
        leaves: range,
        progress: Callable[[str, int], None],
    ) -> None:
        self._connection = connection
        self._folder = folder
        self._log, self._origin = checkpoint["n"], checkpoint["origin"]
        self._size, self._note = checkpoint["size"], checkpoint["note"]
        self._range = leaves
        self._progress = progress
        self._upper: dict[tiles.Tile, bytes] = {}
        self._receipts = self._without = 0

    async def run(self) -> Exported:
        """Write everything, the checkpoint last: what it promises is there by then."""
        self._folder.refuse_other(self._origin)
        self._folder.write("README.txt", README.format(origin=self._origin).encode())
        keys = {"keys": await published_keys(self._connection)}
        self._folder.write("keys.json", json.dumps(keys, indent=1).encode() + b"\n")
        await self._read_upper()
        for idx in range((self._size + tiles.WIDTH - 1) // tiles.WIDTH):
            await self._rows_of(idx)
            self._progress("leaves", min(self._size, (idx + 1) * tiles.WIDTH))
        self._folder.write_checkpoint(self._origin, self._size, self._note)
        return Exported(
            self._origin,
            self._range.start,
            self._range.stop - 1,
            self._size,
            self._receipts,
            self._without,
            self._folder.written,
        )

    async def _read_upper(self) -> None:
        """The tiles above the leaves, and the last one of these: what every proof may need besides its own."""
        wanted = [tile for tile in self._tiles() if tile[0]] + [
            tile for tile in tiles.edge(self._size) if not tile[0]
        ]
        self._upper = await self._held(wanted)
        for tile in wanted:
            self._write_tile(tile, self._upper[tile])

    def _tiles(self) -> Iterator[tiles.Tile]:
        level = 0
        while tiles.width((level, 0), self._size):
            yield from ((level, idx) for idx in range(-(-(self._size >> tiles.HEIGHT * level) // tiles.WIDTH)))
            level += 1

    async def _held(self, wanted: list[tiles.Tile]) -> dict[tiles.Tile, bytes]:
        """Tiles as wide as the checkpoint demands; they may have grown since."""
        found = await read_tiles(self._connection, self._log, wanted)
        cut = {tile: found.get(tile, b"")[: tiles.width(tile, self._size) * HASH_BYTES] for tile in wanted}
        if any(len(held) != tiles.width(tile, self._size) * HASH_BYTES for tile, held in cut.items()):
            raise DamagedLog("Tiles of the log are missing or too short: run `prysm fsck`.")
        return cut

    def _write_tile(self, tile: tiles.Tile, hashes: bytes) -> None:
        name = tiles.tile_path(tile[1], tiles.width(tile, self._size))
        self._folder.write(f"tile/{tile[0]}/{name}", hashes)

    async def _rows_of(self, idx: int) -> None:
        """One tile of leaves: its hashes, its entries, and those of its receipts that are wanted."""
        start = idx * tiles.WIDTH
        wide = tiles.width((0, idx), self._size)
        rows = await self._connection.fetch(_LEAVES, self._log, start, start + wide)
        if len(rows) != wide:
            raise DamagedLog("Leaves of the log are missing: run `prysm fsck`.")
        held = await self._held([(0, idx)])
        self._write_tile((0, idx), held[0, idx])
        entries = [entry(row["kind"], row["digest"]) for row in rows]
        packed = b"".join(len(each).to_bytes(2, "big") + each for each in entries)
        self._folder.write(f"tile/entries/{tiles.tile_path(idx, wide)}", packed)
        await self._write_receipts([row for row in rows if row["idx"] in self._range], self._upper | held)

    async def _write_receipts(self, rows: list[Record], held: dict[tiles.Tile, bytes]) -> None:
        wanted = [row for row in rows if row["payload"] is not None]
        self._without += len(rows) - len(wanted)
        stages = await self._stages([row["request_id"] for row in wanted])
        for row in wanted:
            path = tiles.inclusion_path(row["idx"], self._size, held)
            place = included(self._origin, row["idx"], self._size, path, self._note)
            document = receipt_document(_sealed(row, stages[row["request_id"]]), place)
            name = f"receipts/{row['idx']:012d}-{row['request_id']}.json"
            self._folder.write(name, json.dumps(document).encode() + b"\n")
            self._receipts += 1

    async def _stages(self, ids: list[UUID]) -> dict[UUID, list[bytes]]:
        found: dict[UUID, list[bytes]] = defaultdict(list)
        for row in await self._connection.fetch(_STAGES, ids) if ids else ():
            found[row["request_id"]].append(row["body"])
        return found


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(data)
    draft.replace(path)


def _sealed(row: Record, stages: list[bytes]) -> Sealed:
    fields: dict[str, Any] = {
        name: row[name] for name in ("request_id", "payload", "proof_hash", "kid", "signature")
    }
    return Sealed(stages=tuple(stages), pruned=pruned_before(row, stages), **fields)
