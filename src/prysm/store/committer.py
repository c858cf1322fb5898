"""Make receipts and intents durable, many with one disk flush."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Self
from uuid import uuid4

import asyncpg

from prysm.errors import ConfigError, PrysmError
from prysm.store.batch import BEGIN, STORE, Batch, Queue, Statements
from prysm.store.connection import CONNECT_TIMEOUT_S, DATABASE_ERRORS, LOST, connect, retrying
from prysm.store.isolation import SEALER, become
from prysm.store.resigning import Resigner
from prysm.store.rows import Admission, Beginning, Ending
from prysm.store.verdicts import release

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from prysm.core.payer import Admitted, Payer
    from prysm.proof.sealed import Sealed, SealState
    from prysm.store.connection import Connection
    from prysm.store.log.keys import SigningKeys

BATCH = 512
CROWD = 4
GATHER_S = 0.002
"""How long a batch gathers when the one before had more rows than a `CROWD`: larger batches cost everyone less CPU,
and with it less time, than the wait. Whoever is alone waits for nobody."""
CAPACITY = 8192
FLUSH_TIMEOUT_S = 2.0
PROBE_S = 0.5
RECOVERY_S = 8.0  # a killed Postgres is back in under three seconds, and an answer that was paid for waits here
"""How long a batch may look for a database that went away; with the timeout, the longest a receipt can wait."""

UNABLE = (asyncpg.InsufficientResourcesError, asyncpg.PostgresSystemError)
"""A full disk or memory, a failing disk: no row is to blame, and halving the batch would only add to it."""

DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
# The table of intents is nearly empty and full of dead rows: a plan made while it was small must not read them all.
BY_INDEX = "SET enable_seqscan = off"
# A write also when there is nothing to write, so that a standby shows that it is one.
GIVE_UP = "UPDATE intent SET instance = NULL WHERE request_id = ANY($1::uuid[])"

_log = logging.getLogger(__name__)


class GroupCommitter:
    """Stores receipts in batches on a connection of its own; while one batch is flushed the next one gathers.

    Storing is idempotent: a receipt that is there already with the same hash counts as stored, so a batch whose
    outcome was lost with the connection is simply sent again.

    `instance` names this process in the intents; its lease is to be registered before the first.
    """

    def __init__(
        self,
        url: str,
        connection: Connection,
        statements: Statements,
        stored: Callable[[], object],
        resigner: Resigner,
    ) -> None:
        self.instance = uuid4()
        self._stored = stored
        self._resigner = resigner
        self._url = url
        self._connection = connection
        self._statements = statements
        self._queue = Queue()
        self._given_up: set[UUID] = set()
        self._released: set[UUID] = set()
        self._flusher: asyncio.Task[None] | None = None
        self._crowded = False
        self._away = False
        self._closed = False

    @classmethod
    async def open(
        cls, url: str, stored: Callable[[], object] = lambda: None, keys: SigningKeys | None = None
    ) -> Self:
        """Connect; `stored` is called when receipts are, and when a key is to be announced.

        With `keys` a receipt whose key was revoked since is signed again. Raises ConfigError when the database
        cannot be used.
        """
        connection = await connect(url)
        try:
            return cls(url, connection, await _prepare(connection), stored, Resigner(keys, stored))
        except DATABASE_ERRORS as error:
            connection.terminate()
            raise ConfigError(f"The database is not migrated or not writable ({type(error).__name__}).") from None

    async def close(self) -> None:
        """Store what is queued, then disconnect. The intents given up last are left to the end of the lease."""
        self._closed = True
        if self._flusher is not None:
            await asyncio.wait([self._flusher])
        try:
            await self._connection.close(timeout=FLUSH_TIMEOUT_S)
        except DATABASE_ERRORS:
            self._connection.terminate()

    @property
    def away(self) -> bool:
        """Whether the last flush failed, and none has succeeded nor the database been found again since."""
        return self._away

    async def put(self, sealed: Sealed) -> SealState:
        """Return when the receipt and all its stages are durable, its leaf queued and its intent gone.

        Cancelling the wait does not take the receipt back. Raises ProofUnavailable when the database is away,
        `Refused` when it refuses this receipt or holds another one under its id. The run is given up then: the
        reaper seals it as interrupted.
        """
        await self.enqueue(sealed, self.give_up)
        return "sealed"

    def enqueue(self, sealed: Sealed, failed: Callable[[Sealed], object]) -> asyncio.Future[Admitted]:
        """Queue a receipt; the future is done when it is durable, and fails as `put` does.

        `failed` is called, also when nobody waits any more, if the database is away. A receipt that is refused is
        given up.
        """
        request_id = sealed.request_id
        waiting = self._queue.beginnings
        beginning = waiting.pop(request_id.int, None) if waiting else None
        row = Ending(sealed, asyncio.get_running_loop().create_future(), beginning, failed, self.give_up)
        if why := self._shut(len(self._queue.endings)):
            row.fail(why)
        else:
            self._queue.endings.append(row)
            self._wake()
        return row.durable

    def intend(self, request_id: UUID, intent: bytes, payer: Payer) -> asyncio.Future[Admitted]:
        """Queue the intent of a run that begins; the future is done when it is durable or its receipt is.

        It fails with ProofUnavailable. `intent` is what the reaper seals the run with, without text of the caller.
        Every run that has an intent is to be put in the end, however it went, or released.

        A run that is limited must not begin before the future is done: it fails with BudgetExceeded or RateLimited
        when the run may not begin at all, and then holds nothing.
        """
        durable: asyncio.Future[Admitted] = asyncio.get_running_loop().create_future()
        if payer.limited:
            return self._ask(Admission(request_id, intent, payer, durable))
        row = Beginning(request_id, intent, payer, durable)
        if why := self._shut(len(self._queue.beginnings)):
            row.fail(why)
        else:
            self._queue.beginnings[request_id.int] = row
            self._wake()
        return durable

    def _ask(self, row: Admission) -> asyncio.Future[Admitted]:
        if why := self._shut(len(self._queue.admissions)):
            row.fail(why)
        else:
            self._queue.admissions.append(row)
            self._wake()
        return row.durable

    def release(self, request_id: UUID) -> None:
        """Give back what a limited run holds that never began, as soon as the database can be told so."""
        self._released.add(request_id)
        self._wake()

    def give_up(self, sealed: Sealed) -> None:
        """Leave the run to the reaper as soon as the database can be told so: nobody will put its receipt again."""
        self._given_up.add(sealed.request_id)

    def _shut(self, waiting: int) -> str | None:
        if self._closed:
            return "the gateway is stopping"
        return "too many are waiting" if waiting >= CAPACITY else None

    def _wake(self) -> None:
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._work())

    async def _work(self) -> None:
        """Flush until nobody waits; while the database is away, look for it."""
        while self._queue or (not self._closed if self._away else self._released):
            if self._queue or not self._away:
                await self._turn()
            else:
                await asyncio.sleep(PROBE_S)
                await self._probe()

    async def _turn(self) -> None:
        """Flush one batch. Nobody is left waiting, whatever happens."""
        batch, done = Batch(), False
        try:
            await asyncio.sleep(GATHER_S if self._crowded else 0)  # whoever gets ready meanwhile comes along
            batch = self._queue.take(BATCH)
            self._crowded = len(batch.rows) > CROWD
            await self._flush(batch)
            done = True
            if batch.endings:
                self._stored()
        except (*DATABASE_ERRORS, PrysmError) as error:  # of ours: a new key that this gateway cannot decrypt
            self._connection.terminate()  # it may be in the middle of a statement
            _log.error("receipts cannot be stored: %s", type(error).__name__)
        finally:
            self._away = not done
            if not done:
                self._fail(batch)

    def _fail(self, batch: Batch) -> None:
        waiting, self._queue = self._queue, Queue()
        self._released.update(row.request_id for row in batch.admissions)  # some may have been let in
        for row in (*batch.rows, *waiting.endings, *waiting.beginnings.values(), *waiting.admissions):
            row.fail("the database is away")

    async def _probe(self) -> None:
        """See whether the database can be written to again, and tell it what was given up meanwhile."""
        try:
            async with asyncio.timeout(FLUSH_TIMEOUT_S):
                await self._reconnect()
                await self._forget()
        except DATABASE_ERRORS:
            self._connection.terminate()
        else:
            self._away = False

    async def _flush(self, batch: Batch) -> None:
        try:
            async with asyncio.timeout(FLUSH_TIMEOUT_S):
                await self._store(batch)
        except LOST:
            async with asyncio.timeout(RECOVERY_S):
                await retrying(RECOVERY_S)(self._reconnect_and_store, batch)

    async def _reconnect_and_store(self, batch: Batch) -> None:
        await self._reconnect()
        await self._store(batch)

    async def _reconnect(self) -> None:
        self._connection.terminate()
        self._connection = await asyncpg.connect(self._url, timeout=CONNECT_TIMEOUT_S)
        self._statements = await _prepare(self._connection)

    async def _store(self, batch: Batch) -> None:
        await self._halve(batch)
        await self._forget()

    async def _halve(self, batch: Batch) -> None:
        """Send the rows; when the database refuses them, halve until only the bad ones have failed."""
        if self._connection.is_closed():
            raise ConnectionResetError
        try:
            await self._resigner.send(batch, self._connection, self._statements, self.instance)
        except (*LOST, *UNABLE):
            raise
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            if len(batch.rows) == 1:
                batch.rows[0].refuse(f"the database refused it: {type(error).__name__}")
                return
            for half in batch.halves():
                await self._halve(half)

    async def _forget(self) -> None:
        """Let the reaper have the intents of runs that were given up, and nobody those of runs that never began."""
        if given_up := list(self._given_up):
            await self._connection.execute(GIVE_UP, given_up)
            self._given_up.difference_update(given_up)
        if released := list(self._released):
            try:
                await release(released, self._connection, self.instance)
            except LOST:
                raise
            except asyncpg.PostgresError as error:  # it may be tried once more when this process is gone
                _log.error("what %d runs hold stays held: %s", len(released), type(error).__name__)
            self._released.difference_update(released)


async def _prepare(connection: Connection) -> Statements:
    await connection.execute(f"{BY_INDEX}; {DURABLE}; {become(SEALER)}")
    statements = Statements(await connection.prepare(STORE), await connection.prepare(BEGIN))
    await connection.execute("SELECT")  # asyncpg ends what preparing began with the next command: no lock stays
    return statements
