"""Limits that are counted in a Redis: around the sealer, where Postgres would count them as part of admission."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from prysm.core.payer import Admitted

if TYPE_CHECKING:
    from uuid import UUID

    from prysm.core.payer import Payer
    from prysm.proof.sealed import Sealed, SealState
    from prysm.receipt.ports import Sealer
    from prysm.store.redis_rates import RedisRates


class RatedSealer:
    """A sealer that counts a run in Redis before it asks the database for leave, and ends it there when it is put."""

    def __init__(self, sealer: Sealer, rates: RedisRates) -> None:
        self._sealer = sealer
        self._rates = rates
        self._counted: dict[UUID, Payer] = {}
        self._asking: dict[UUID, asyncio.Task[Admitted]] = {}

    @property
    def away(self) -> bool:
        """As the sealer's."""
        return self._sealer.away

    def intend(self, request_id: UUID, intent: bytes, payer: Payer) -> asyncio.Future[Admitted]:
        """As the sealer's; fails with RateLimited where Redis says so."""
        if not payer.limits:
            return self._sealer.intend(request_id, intent, payer)
        asking = self._asking[request_id] = asyncio.create_task(self._admit(request_id, intent, payer))
        asking.add_done_callback(lambda _: self._asking.pop(request_id))
        return asking

    def release(self, request_id: UUID) -> None:
        """As the sealer's; what the run took of its limits is given back."""
        if request_id in self._asking:
            self._asking[request_id].cancel()
        self._end(request_id, 0)
        self._sealer.release(request_id)

    async def put(self, sealed: Sealed) -> SealState:
        """As the sealer's. The run ends where it is counted, however that goes."""
        try:
            return await self._sealer.put(sealed)
        finally:
            if sealed.request_id in self._counted:
                self._end(sealed.request_id, _used(sealed))

    async def _admit(self, request_id: UUID, intent: bytes, payer: Payer) -> Admitted:
        meters = await self._rates.take(request_id, payer.limits, payer.tokens)
        self._counted[request_id] = payer
        try:
            admitted = await self._sealer.intend(request_id, intent, replace(payer, limits=()))
        except BaseException:
            self._end(request_id, 0, begun=False)
            raise
        return Admitted(meters, admitted.warned)

    def _end(self, request_id: UUID, used: int | None, *, begun: bool = True) -> None:
        payer = self._counted.pop(request_id, None)
        if payer is not None:
            self._rates.give_back(request_id, payer.limits, payer.tokens, used, begun=begun)


def _used(sealed: Sealed) -> int | None:
    """The tokens of a run, by its charge; None where nobody knows."""
    if sealed.charge is None:
        return None
    charge = orjson.loads(sealed.charge)
    read, written = charge["tokens_in"], charge["tokens_out"]
    return None if read is None or written is None else read + written
