"""A log in a test's database, what fills its queue, and an audit that recomputes it without the code under test."""

from __future__ import annotations

import hashlib
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg

from prysm.proof import checkpoint
from prysm.store.log.begin import open_log
from prysm.store.log.pin import Pins
from prysm.store.log.reader import LogReader
from prysm.store.log.sequencer import Sequencer
from prysm.vault import Vault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from prysm.store.connection import Connection
    from prysm.store.log.keys import SigningKeys

SECRET = "an encryption key for tests"
TABLES = ("log", "log_key", "log_leaf", "log_tile", "checkpoint", "log_queue")
BACKED_UP = (*TABLES, "audit_event")


@dataclass
class Gateway:
    """What one gateway process has of the log."""

    keys: SigningKeys
    sequencer: Sequencer
    pins: Pins


@dataclass
class Scene:
    """A database, a folder for pins, and the gateways that were started on them."""

    url: str
    folder: Path
    connection: Connection
    running: list[Gateway] = field(default_factory=list)

    async def start(self, folder: str = "pins", vault: Vault | None = None) -> Gateway:
        """Open the log as a gateway does; its sequencer works when told to (`drain`), or from `start` on."""
        vault, pins = vault or Vault(SECRET), Pins(self.folder / folder)
        keys = await open_log(self.url, vault, pins)
        self.running.append(Gateway(keys, Sequencer(self.url, vault, pins, keys), pins))
        return self.running[-1]

    async def stop(self, gateway: Gateway) -> None:
        """End a gateway."""
        self.running.remove(gateway)
        await gateway.sequencer.close()

    async def put(self, number: int, kid: str, ids: Sequence[UUID] | None = None) -> list[UUID]:
        """Commit receipts, each with its place in the queue."""
        ids = ids or [uuid4() for _ in range(number)]
        async with self.connection.transaction():
            await self.connection.executemany(
                "INSERT INTO receipt (request_id, payload, proof_hash) VALUES ($1, '{}', '\\x00')"
                "ON CONFLICT DO NOTHING",
                [(one,) for one in ids],
            )
            await self.connection.executemany(
                "INSERT INTO log_queue (request_id, kid, digest) VALUES ($1, $2, $3)",
                [(one, kid, os.urandom(32)) for one in ids],
            )
        return list(ids)

    async def value(self, statement: str, *values: object) -> object:
        """Run one statement; the first value of its first row, if any."""
        return await self.connection.fetchval(statement, *values)

    async def copy(self) -> dict[str, list[asyncpg.Record]]:
        """Back up the tables of the log, and the events in it."""
        return {table: await self.connection.fetch(f"SELECT * FROM {table}") for table in BACKED_UP}  # noqa: S608  ours

    async def restore(self, backup: dict[str, list[asyncpg.Record]]) -> None:
        """Put a backup back, as an operator would."""
        async with self.connection.transaction():
            await self.connection.execute("SET LOCAL session_replication_role = replica")
            await self.connection.execute(f"TRUNCATE {', '.join(BACKED_UP)}")
            for table, rows in backup.items():
                if rows:
                    columns, records = list(rows[0].keys()), [tuple(row.values()) for row in rows]
                    await self.connection.copy_records_to_table(table, records=records, columns=columns)


@asynccontextmanager
async def scene(url: str, folder: Path) -> AsyncIterator[Scene]:
    connection = await asyncpg.connect(url)
    set_up = Scene(url, folder, connection)
    try:
        yield set_up
    finally:
        for gateway in list(set_up.running):
            await set_up.stop(gateway)
        await connection.close()


@asynccontextmanager
async def reading(url: str) -> AsyncIterator[LogReader]:
    async with asyncpg.create_pool(url, min_size=0, max_size=2) as pool:
        yield LogReader(pool)


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """The tree hash as RFC 6962 defines it."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


async def audit(connection: Connection) -> int:
    """Recompute every log: no gap, every checkpoint's root and signature; return how many receipts they hold."""
    receipts = 0
    for n, origin in await connection.fetch("SELECT n, origin FROM log"):
        rows = await connection.fetch("SELECT idx, kind, digest FROM log_leaf WHERE log = $1 ORDER BY idx", n)
        assert [row["idx"] for row in rows] == list(range(len(rows)))
        hashes = [hashlib.sha256(b"\0prysm/2\0" + bytes([row["kind"]]) + row["digest"]).digest() for row in rows]
        receipts += sum(row["kind"] == 1 for row in rows)
        keys = await connection.fetch("SELECT public FROM log_key WHERE log = $1 AND use = 'log'", n)
        signed = await connection.fetch("SELECT size, root, note FROM checkpoint WHERE log = $1 ORDER BY size", n)
        assert signed[-1]["size"] == len(rows)
        for size, root, note in signed:
            found = checkpoint.opened(note, origin, [key["public"] for key in keys])
            assert (found.size, found.root) == (size, root)
            assert root == naive_root(hashes[:size])
    return receipts
