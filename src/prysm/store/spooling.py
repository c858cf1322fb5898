"""Seal into files while the database is away, and into the database when it is back."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from prysm.core.payer import FREELY
from prysm.errors import ProofUnavailable
from prysm.store.rows import Refused, settle

if TYPE_CHECKING:
    from uuid import UUID

    from prysm.core.payer import Admitted, Payer
    from prysm.proof.sealed import Sealed, SealState
    from prysm.store.committer import GroupCommitter
    from prysm.store.spool import Spool

WAIT_S = 2.0
"""How long an answer waits for the database before its receipt goes into a file."""
DRAIN_S = 1.0

_log = logging.getLogger(__name__)


class SpoolingSealer:
    """A committer that is never away while there is room in the spool.

    A receipt may be both in a file and in the database: storing it again changes nothing.
    """

    def __init__(self, committer: GroupCommitter, spool: Spool) -> None:
        self._committer = committer
        self._spool = spool
        self._spooling: dict[UUID, asyncio.Task[None]] = {}

    @property
    def away(self) -> bool:
        """Whether a run that begins now could not be sealed."""
        return self._committer.away and self._spool.full

    async def put(self, sealed: Sealed) -> SealState:
        """Return when the receipt is durable, and say where.

        Cancelling the wait does not take the receipt back. Raises ProofUnavailable when neither the database nor
        the spool takes it.
        """
        if not self._committer.away:
            try:
                async with asyncio.timeout(WAIT_S):
                    await self._committer.enqueue(sealed, self._to_spool)
            except Refused:  # a file would be refused as well
                raise
            except (TimeoutError, ProofUnavailable):
                pass
            else:
                return "sealed"
        await asyncio.shield(self._to_spool(sealed))
        return "spooled"

    def intend(self, request_id: UUID, intent: bytes, payer: Payer) -> asyncio.Future[Admitted]:
        """As the committer's, but for at most two seconds, and without failing: the spool seals the run all the same.

        A limited run has to wait for the database, and fails without it: nobody else knows what is left of its limits.
        A process that dies while the database is away leaves no trace of the runs that it did not finish.
        """
        if payer.limited:
            return self._committer.intend(request_id, intent, payer)
        loop = asyncio.get_running_loop()
        assured: asyncio.Future[Admitted] = loop.create_future()
        if self._committer.away:
            assured.set_result(FREELY)
            return assured
        timer = loop.call_later(WAIT_S, settle, assured)

        def settled(_: asyncio.Future[Admitted]) -> None:
            timer.cancel()
            settle(assured)

        self._committer.intend(request_id, intent, payer).add_done_callback(settled)
        return assured

    def release(self, request_id: UUID) -> None:
        """As the committer's."""
        self._committer.release(request_id)

    async def keep_draining(self) -> None:
        """Bring what is spooled into the database now and whenever it is back, for ever."""
        while True:
            if not self._committer.away:
                with suppress(ProofUnavailable):
                    await self.drain()
            await asyncio.sleep(DRAIN_S)

    async def drain(self) -> None:
        """Bring what is spooled into the database; what it does not take now stays in its file.

        Raises ProofUnavailable when anything stays.
        """
        try:
            drained = await self._spool.drain(self._again)
        except ProofUnavailable:
            _log.warning("spooled receipts stay in their files: the database or the spool cannot be used now")
            raise
        if drained:
            _log.info("%d spooled receipts are in the database now", drained)

    async def close(self) -> None:
        """Wait for the files under way; the committer is to be closed before."""
        if self._spooling:
            await asyncio.wait(self._spooling.values())

    async def _again(self, sealed: Sealed) -> None:
        await self._committer.enqueue(sealed, _stays)

    def _to_spool(self, sealed: Sealed) -> asyncio.Task[None]:
        """Spool a receipt, once at a time."""
        request_id = sealed.request_id
        task = self._spooling.get(request_id)
        if task is None:
            task = self._spooling[request_id] = asyncio.create_task(self._write(sealed))
            task.add_done_callback(lambda done: self._spooled(request_id, done))
        return task

    async def _write(self, sealed: Sealed) -> None:
        try:
            await self._spool.put(sealed)
        except ProofUnavailable:
            self._committer.give_up(sealed)
            raise

    def _spooled(self, request_id: UUID, done: asyncio.Task[None]) -> None:
        del self._spooling[request_id]
        if not done.cancelled():
            done.exception()  # whoever waited was told; one who was cancelled never asks


def _stays(_: Sealed) -> None:
    """The file is still there."""
