"""Make receipts durable, many with one disk flush."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Self

import asyncpg

from prysm.errors import ConfigError, ProofUnavailable
from prysm.store.connection import CONNECT_TIMEOUT_S, DATABASE_ERRORS, LOST, connect, retrying

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from prysm.proof.sealed import Sealed
    from prysm.store.connection import Connection, Statement

BATCH = 512
CAPACITY = 8192
FLUSH_TIMEOUT_S = 2.0
RECOVERY_S = 8.0  # a killed Postgres is back in under three seconds, and an answer that was paid for waits here
"""How long a batch may look for a database that went away; with the timeout, the longest a receipt can wait."""

# One statement: all of a receipt or nothing, and one disk flush. A receipt that is there already is left alone,
# with its stages. `IS TRUE` keeps the planner from making the membership test a nested loop over both arrays.
INSERT = """
    WITH new AS (
        INSERT INTO receipt (request_id, payload, proof_hash)
        SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bytea[])
        ON CONFLICT (request_id) DO NOTHING
        RETURNING request_id
    ), stages AS (
        INSERT INTO stage (request_id, i, body)
        SELECT * FROM unnest($4::uuid[], $5::int[], $6::bytea[]) AS body (request_id, i, body)
        WHERE (request_id IN (SELECT request_id FROM new)) IS TRUE
    )
    SELECT count(*) FROM new
"""
STORED = "SELECT request_id, proof_hash FROM receipt WHERE request_id = ANY($1::uuid[])"
DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"


_log = logging.getLogger(__name__)


class _Row:
    """A receipt and whoever waits for it."""

    __slots__ = ("sealed", "waiter")

    def __init__(self, sealed: Sealed, waiter: asyncio.Future[None]) -> None:
        self.sealed = sealed
        self.waiter = waiter

    def accept(self) -> None:
        if not self.waiter.done():  # cancelled: the receipt is stored all the same
            self.waiter.set_result(None)

    def reject(self, why: str) -> None:
        if not self.waiter.done():
            self.waiter.set_exception(_unavailable(why))


def _unavailable(why: str) -> ProofUnavailable:
    return ProofUnavailable(
        f"The receipt could not be stored ({why}), so the answer is withheld. Ask again when /ready answers 200."
    )


class GroupCommitter:
    """Stores receipts in batches on a connection of its own; while one batch is flushed the next one gathers.

    Storing is idempotent: a receipt that is there already with the same hash counts as stored, so a batch whose
    outcome was lost with the connection is simply sent again.
    """

    def __init__(self, url: str, connection: Connection, insert: Statement) -> None:
        self._url = url
        self._connection = connection
        self._insert = insert
        self._queue: deque[_Row] = deque()
        self._flusher: asyncio.Task[None] | None = None
        self._closed = False

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect. Raises ConfigError when the database cannot be reached or used."""
        connection = await connect(url)
        try:
            return cls(url, connection, await _prepare(connection))
        except DATABASE_ERRORS as error:
            connection.terminate()
            raise ConfigError(f"The database is not migrated or not writable ({type(error).__name__}).") from None

    async def close(self) -> None:
        """Store what is queued, then disconnect."""
        self._closed = True
        if self._flusher is not None:
            await asyncio.wait([self._flusher])
        try:
            await self._connection.close(timeout=FLUSH_TIMEOUT_S)
        except DATABASE_ERRORS:
            self._connection.terminate()

    async def put(self, sealed: Sealed) -> None:
        """Return when the receipt and all its stages are durable.

        Cancelling the wait does not take the receipt back. Raises ProofUnavailable when the database is away,
        refuses this receipt, or holds another one under its id.
        """
        if self._closed:
            raise _unavailable("the gateway is stopping")
        if len(self._queue) >= CAPACITY:
            raise _unavailable("too many are waiting")
        row = _Row(sealed, asyncio.get_running_loop().create_future())
        self._queue.append(row)
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._drain())
        await row.waiter

    async def _drain(self) -> None:
        """Flush until nobody waits. Nobody is left waiting, whatever happens."""
        batch: list[_Row] = []
        try:
            while self._queue:
                await asyncio.sleep(0)  # whoever gets ready in this turn of the loop comes along
                batch = self._take()
                await self._flush(batch)
        except DATABASE_ERRORS as error:
            self._connection.terminate()  # it may be in the middle of a statement
            _log.error("receipts cannot be stored: %s", type(error).__name__)
        finally:
            for row in (*batch, *self._queue):
                row.reject("the database is away")
            self._queue.clear()

    def _take(self) -> list[_Row]:
        """Take the next batch; a request id appears in it once, so that stages cannot meet another receipt."""
        batch: dict[UUID, _Row] = {}
        while self._queue and len(batch) < BATCH and self._queue[0].sealed.request_id not in batch:
            row = self._queue.popleft()
            batch[row.sealed.request_id] = row
        return list(batch.values())

    async def _flush(self, rows: Sequence[_Row]) -> None:
        try:
            async with asyncio.timeout(FLUSH_TIMEOUT_S):
                await self._store(rows)
        except LOST:
            async with asyncio.timeout(RECOVERY_S):
                await retrying(RECOVERY_S)(self._reconnect_and_store, rows)

    async def _reconnect_and_store(self, rows: Sequence[_Row]) -> None:
        self._connection.terminate()
        self._connection = await asyncpg.connect(self._url, timeout=CONNECT_TIMEOUT_S)
        self._insert = await _prepare(self._connection)
        await self._store(rows)

    async def _store(self, rows: Sequence[_Row]) -> None:
        """Send the rows; when the database refuses them, halve until only the bad ones have failed."""
        try:
            await self._send(rows)
        except LOST:
            raise
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            if len(rows) == 1:
                rows[0].reject(f"the database refused it: {type(error).__name__}")
                return
            middle = len(rows) // 2
            await self._store(rows[:middle])
            await self._store(rows[middle:])

    async def _send(self, rows: Sequence[_Row]) -> None:
        if self._connection.is_closed():
            raise ConnectionResetError
        receipts = [row.sealed for row in rows]
        stages = [(receipt.request_id, i, body) for receipt in receipts for i, body in enumerate(receipt.stages)]
        new = await self._insert.fetchval(
            [receipt.request_id for receipt in receipts],
            [receipt.payload for receipt in receipts],
            [receipt.proof_hash for receipt in receipts],
            [request_id for request_id, _, _ in stages],
            [i for _, i, _ in stages],
            [body for _, _, body in stages],
        )
        if new != len(rows):
            return await self._compare(rows)
        for row in rows:
            row.accept()
        return None

    async def _compare(self, rows: Sequence[_Row]) -> None:
        """Accept the rows that the table holds as they are, the others of the same id not."""
        found = await self._connection.fetch(STORED, [row.sealed.request_id for row in rows])
        hashes = {record["request_id"]: record["proof_hash"] for record in found}
        for row in rows:
            if hashes.get(row.sealed.request_id) == row.sealed.proof_hash:
                row.accept()
            else:
                row.reject("another receipt has its id")


async def _prepare(connection: Connection) -> Statement:
    await connection.execute(DURABLE)
    return await connection.prepare(INSERT)
