"""Moves receipts from the queue into the log. Every gateway process runs one; an advisory lock lets one work."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

import asyncpg

from prysm.errors import PrysmError
from prysm.proof.defect import Defect
from prysm.store.connection import CONNECT_TIMEOUT_S, DATABASE_ERRORS
from prysm.store.log.begin import lost_state, succeed, warn
from prysm.store.log.keys import Keychain
from prysm.store.log.lock import try_lock
from prysm.store.log.tick import advance
from prysm.store.log.tree import DamagedLog, Head, Tree, read_head, read_tree

if TYPE_CHECKING:
    from prysm.store.connection import Connection
    from prysm.store.log.keys import SigningKeys
    from prysm.store.log.pin import Pins
    from prysm.vault import Vault

GATHER_S = 0.2
POLL_S = 5.0
STEP_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 2.0
MAX_PAUSE_S = 5.0
FIRST_PAUSE_S = 0.1

_log = logging.getLogger(__name__)


class Sequencer:
    """A task with a connection of its own. Whatever happens to the database, it goes on when the database does."""

    def __init__(self, url: str, vault: Vault, pins: Pins, keys: SigningKeys) -> None:
        self._url = url
        self._chain = Keychain(vault)
        self._pins = pins
        self._keys = keys
        self._connection: Connection | None = None
        self._tree: Tree | None = None
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work; what is in the queue already goes first."""
        self._woken.set()
        self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Say that receipts were committed to the queue; cheap."""
        self._woken.set()

    async def close(self) -> None:
        """Stop at once, even in the middle of a step: what is left in the queue is for the next to find."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CLOSE_TIMEOUT_S)
        self._disconnect()
        await self._pins.close()

    async def drain(self) -> None:
        """Work until the queue is empty, or another process is at it. Raises what the database raises."""
        more: bool | None = True
        while more:
            async with asyncio.timeout(STEP_TIMEOUT_S):
                connection = await self._connected()
                more = await self._step(connection)
                await self._keys.refresh(connection)
        if more is None:  # the other may have looked before our receipts came: look again
            self._woken.set()

    async def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while True:
            await self._receipts()
            try:
                await self.drain()
            except (*DATABASE_ERRORS, PrysmError, Defect) as error:
                # Also when another writer got there first: all that we know is read again.
                _log.warning("receipts wait to be logged: %s", _why(error))
                self._disconnect()
                self._woken.set()
                await asyncio.sleep(pause)
                pause = min(2 * pause, MAX_PAUSE_S)
            else:
                pause = FIRST_PAUSE_S

    async def _receipts(self) -> None:
        """Wait for receipts of ours, and until some more have come along; or for the time to look for others'."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), POLL_S)
            await asyncio.sleep(GATHER_S)
        self._woken.clear()

    async def _step(self, connection: Connection) -> bool | None:
        """Append one batch. Whether there may be more; `None` when another process is at work."""
        tree, self._tree = self._tree, None  # comes back when all is committed
        async with connection.transaction():
            if not await try_lock(connection):
                return None
            found = await _head(connection)
            lost = await lost_state(connection, found, self._pins)
            head = found if lost is None else await succeed(connection, self._chain, found, lost)
            if tree is None or not tree.stands_at(head):
                tree = await read_tree(connection, head)
            grown, more = await advance(connection, self._chain, tree)
        if lost is not None:
            warn(found, lost, head)
        self._tree = tree
        self._pins.keep(grown or head)
        return more

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._url, timeout=CONNECT_TIMEOUT_S)
        return self._connection

    def _disconnect(self) -> None:
        """Hang up: the connection may be in the middle of a statement."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


async def _head(connection: Connection) -> Head:
    head = await read_head(connection)
    if head is None:
        raise DamagedLog("There is no log in this database any more: restore it, or start the gateway anew.")
    return head


def _why(error: BaseException) -> str:
    """What may be said of an error: our own sentences, of the database's only the name."""
    return error.message if isinstance(error, PrysmError) else type(error).__name__
