"""Both places where limits are counted, behind the two questions that a gateway asks of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID, uuid4

from tests.store.till import Run, Till, payer

from prysm.core.caller import Limits
from prysm.core.payer import Meter
from prysm.store.meters import reached

if TYPE_CHECKING:
    from prysm.store.postgres_rates import PostgresRates
    from prysm.store.redis_rates import RedisRates


class Counter(Protocol):
    """One gateway's."""

    async def take(self, limits: tuple[Limits, ...], tokens: int = 0) -> UUID:
        """Begin a run; `meters` is then what is left. Raises `RateLimited`."""
        ...

    async def give_back(self, run: UUID, used: int | None = 0) -> None:
        """End it, and wait until that is known."""
        ...

    async def request(self, limits: tuple[Limits, ...]) -> None:
        """Count a request that makes no run; `meters` is then what is left. Raises `RateLimited`."""
        ...

    @property
    def meters(self) -> tuple[Meter, ...]:
        """What was left after the last one."""
        ...


def limits(
    rpm: int | None = None, tpm: int | None = None, concurrency: int | None = None, subject: UUID | None = None
) -> Limits:
    """Of a subject of its own."""
    return Limits(subject or uuid4(), rpm, tpm, concurrency)


class InRedis:
    """A gateway's `RedisRates`."""

    def __init__(self, rates: RedisRates) -> None:
        self.rates = rates
        self.meters: tuple[Meter, ...] = ()
        self._taken: dict[UUID, tuple[tuple[Limits, ...], int]] = {}

    async def take(self, limits: tuple[Limits, ...], tokens: int = 0) -> UUID:
        """Begin a run."""
        run = uuid4()
        self.meters = await self.rates.take(run, limits, tokens)
        self._taken[run] = limits, tokens
        return run

    async def give_back(self, run: UUID, used: int | None = 0) -> None:
        """End it."""
        self.rates.give_back(run, *self._taken.pop(run), used)
        while self.rates._pending:  # noqa: ASYNC110 - a gateway never waits for it
            await asyncio.sleep(0.001)

    async def request(self, limits: tuple[Limits, ...]) -> None:
        """Count a request."""
        self.meters = await self.rates.request(limits)


@dataclass
class _Counted(Run):
    used: int | None = None

    @property
    def charge(self) -> dict[str, Any]:
        known = self.used is not None
        return super().charge | {"tokens_in": self.used, "tokens_out": 0 if known else None}


class InPostgres:
    """A gateway's connection, the functions that it calls, and its `PostgresRates`."""

    def __init__(self, till: Till, org: UUID, rates: PostgresRates) -> None:
        self.meters: tuple[Meter, ...] = ()
        self._rates = rates
        self._till = till
        self._org = org
        self._taken: dict[UUID, _Counted] = {}

    async def take(self, limits: tuple[Limits, ...], tokens: int = 0) -> UUID:
        """Begin a run."""
        meters = [
            {"subject": x.subject, "rpm": x.rpm, "tpm": x.tpm, "concurrency": x.concurrency, "tokens": tokens}
            for x in limits
        ]
        run = _Counted(payer(self._org, meters=meters))
        (verdict,) = await self._till.admit([run])
        self.meters = tuple(Meter(m["kind"], m["limit"], int(m["left"]), m["full_s"]) for m in verdict["meters"])
        if why := verdict.get("refused"):
            raise reached(why["kind"], why["limit"], why["wait_s"], self.meters)
        self._taken[run.id] = run
        return run.id

    async def give_back(self, run: UUID, used: int | None = 0) -> None:
        """End it."""
        ended = self._taken.pop(run)
        ended.used = used
        await self._till.settle([ended])

    async def request(self, limits: tuple[Limits, ...]) -> None:
        """Count a request."""
        self.meters = await self._rates.request(limits)
