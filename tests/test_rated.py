from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid4

import orjson
import pytest
from tests.payers import PAYER
from tests.store.receipts import make

from prysm.core.caller import Limits
from prysm.core.payer import FREELY, Admitted
from prysm.errors import BudgetExceeded
from prysm.receipt.rated import RatedSealer

if TYPE_CHECKING:
    from prysm.core.payer import Payer
    from prysm.proof.sealed import Sealed, SealState

LIMITED = replace(PAYER, limits=(Limits(uuid4(), 10, 1000, 2),), tokens=50, budgets=(uuid4(),))


class Inner:
    """A sealer that lets runs in when it is told to."""

    away = False

    def __init__(self) -> None:
        self.asked: list[Payer] = []
        self.released: list[UUID] = []
        self.refuses = False
        self.slow: asyncio.Event | None = None

    def intend(self, _: UUID, __: bytes, payer: Payer) -> asyncio.Future[Admitted]:
        """Say yes or no, at once or when the test says so."""
        self.asked.append(payer)
        return asyncio.ensure_future(self._decide())

    def release(self, request_id: UUID) -> None:
        """Note it."""
        self.released.append(request_id)

    async def put(self, _: Sealed) -> SealState:
        """Keep nothing."""
        return "sealed"

    async def _decide(self) -> Admitted:
        if self.slow is not None:
            await self.slow.wait()
        if self.refuses:
            raise BudgetExceeded("used up")
        return FREELY


class Rates:
    """Notes what was taken and what was given back."""

    def __init__(self) -> None:
        self.open: dict[UUID, int] = {}
        self.ended: list[int | None] = []
        self.requests = 0

    async def take(self, request_id: UUID, _: object, tokens: int) -> tuple[()]:
        """Count it."""
        self.open[request_id] = tokens
        return ()

    def give_back(self, request_id: UUID, _: object, __: int, used: int | None, *, begun: bool = True) -> None:
        """End it; each is ended once, and is a request only if it began."""
        del self.open[request_id]
        self.ended.append(used)
        self.requests += begun


def scene() -> tuple[RatedSealer, Inner, Rates]:
    inner, rates = Inner(), Rates()
    return RatedSealer(inner, cast("Any", rates)), inner, rates


async def test_a_run_is_counted_before_it_is_let_in_and_ends_with_its_receipt() -> None:
    sealer, inner, rates = scene()
    sealed = make()
    sealed.charge = orjson.dumps({"tokens_in": 7, "tokens_out": 5})
    await sealer.intend(sealed.request_id, b"{}", LIMITED)
    assert rates.open == {sealed.request_id: 50}
    assert [payer.limits for payer in inner.asked] == [()]
    await sealer.put(sealed)
    assert (rates.open, rates.ended) == ({}, [12])


async def test_a_run_that_the_database_refuses_gives_everything_back() -> None:
    sealer, inner, rates = scene()
    inner.refuses = True
    with pytest.raises(BudgetExceeded):
        await sealer.intend(uuid4(), b"{}", LIMITED)
    assert (rates.open, rates.ended, rates.requests) == ({}, [0], 0)


async def test_a_caller_who_leaves_meanwhile_leaves_nothing_counted() -> None:
    sealer, inner, rates = scene()
    inner.slow = asyncio.Event()
    run = uuid4()
    asked = sealer.intend(run, b"{}", LIMITED)
    await asyncio.sleep(0.01)
    assert rates.open == {run: 50}
    sealer.release(run)
    await asyncio.wait([asked])
    assert asked.cancelled()
    assert (rates.open, rates.ended, inner.released) == ({}, [0], [run])


async def test_a_run_without_limits_of_its_own_goes_straight_to_the_database() -> None:
    sealer, inner, rates = scene()
    await sealer.intend(uuid4(), b"{}", PAYER)
    assert inner.asked == [PAYER]
    assert rates.open == {}
