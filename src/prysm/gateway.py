"""A request, top to bottom: plan, admit, execute, score, seal and settle."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from prysm.accounts.admission import charge_of, payer_of
from prysm.accounts.allowed import narrowed
from prysm.classify import classify, of_inputs
from prysm.core.caller import ROOT
from prysm.core.chat import pieces_of
from prysm.core.entropy import random_bytes
from prysm.core.events import Delta, Planned, ignore
from prysm.core.payer import FREELY
from prysm.core.run import Finished, Verdict
from prysm.core.values import dataclass
from prysm.errors import (
    AllModelsFailed,
    BudgetExceeded,
    DeadlineExceeded,
    Overloaded,
    ProofUnavailable,
    ProviderError,
    PrysmError,
    for_the_caller,
)
from prysm.receipt import Receipt, beginning, intent_of, make_receipt
from prysm.receipt.withheld import shown_after, unprovable
from prysm.resilience.slots import PAYS
from prysm.scoring.bar import told
from prysm.strategies import STRATEGIES, Run
from prysm.strategies.in_hand import best_in_hand

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Mapping
    from uuid import UUID

    from prysm.accounts.admission import Budgets
    from prysm.accounts.cache import Cache
    from prysm.accounts.provider_keys import OwnKeys
    from prysm.accounts.queue import FairQueue
    from prysm.core.cache import Lookup, Recalled
    from prysm.core.caller import Caller
    from prysm.core.events import Emit
    from prysm.core.payer import Admitted, Payer
    from prysm.core.plan import ChatRequest, Plan
    from prysm.core.ports import Provider
    from prysm.core.run import Outcome, Stage
    from prysm.planner import Planner
    from prysm.proof.canonical import Json
    from prysm.proof.sealed import SealState
    from prysm.receipt.ports import Keys, Sealer
    from prysm.telemetry import Telemetry

CLIENT_GONE = "client gone"
"""Cancel a run with this message when its caller hung up; any other cancellation is the gateway stopping."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished run as every surface renders it."""

    request: ChatRequest
    plan: Plan
    verdict: Verdict
    stages: tuple[Stage, ...]
    degraded: tuple[str, ...]
    receipt: Receipt
    durable: SealState
    created: datetime
    latency_ms: int
    price_version: str
    admitted: Admitted
    cache: Lookup | None = None

    @property
    def recalled(self) -> Recalled | None:
        """What the cache had, where the answer is an earlier run's."""
        return self.cache.found if self.cache else None


@dataclass(frozen=True, slots=True)
class _Begun:
    request_id: UUID
    run: Run
    emit: Emit
    known: dict[str, Json]
    payer: Payer
    admitted: Admitted
    created: datetime
    clock: float
    cache: Lookup | None

    @property
    def recalled(self) -> Recalled | None:
        return self.cache.found if self.cache else None


class Gateway:
    """Runs requests. One per process; holds no state of any request."""

    def __init__(  # noqa: PLR0913 - the parts that a run passes through, by name
        self,
        planner: Planner,
        providers: Mapping[str, Provider],
        sealer: Sealer,
        keys: Keys,
        budgets: Budgets,
        *,
        telemetry: Telemetry,
        price_version: str,
        queue: FairQueue,
        own: OwnKeys | None = None,
        cache: Cache | None = None,
    ) -> None:
        self.planner = planner
        self._providers = providers
        self._sealer = sealer
        self._keys = keys
        self._budgets = budgets
        self._telemetry = telemetry
        self._price_version = price_version
        self._own = own
        self._cache = cache
        self._queue = queue
        self._closing = False

    async def run(
        self, request: ChatRequest, request_id: UUID, emit: Emit = ignore, caller: Caller = ROOT
    ) -> Answer:
        """Answer `request`; `emit` sees it happen. The receipt is durable before this returns or raises.

        Raises a `PrysmError`. Cancel it with `CLIENT_GONE` when the caller hung up; any other cancellation is the
        gateway stopping, and becomes the error that tells the caller so.
        """
        if self._closing or self._sealer.away:
            raise self._refusal()
        since, verdict, placed, queue = time.perf_counter(), None, False, self._queue
        try:
            if not queue.take():
                request = await self._wait(request, caller, since)
            placed = True
            PAYS.set(caller.org)
            begun = await self._begin(request, request_id, emit, caller, since)
            verdict = await self._work(begun)
            return await self._answer(begun, verdict)
        except asyncio.CancelledError as error:
            if CLIENT_GONE in error.args:
                raise
            stopped = _stopped()
            stopped.spent = verdict is not None  # then models answered; whether the receipt is down nobody knows
            raise stopped from None
        finally:
            if placed:
                queue.leave()

    async def _wait(self, request: ChatRequest, caller: Caller, since: float) -> ChatRequest:
        """Wait for a place among the runs at work; what that takes of the deadline is gone."""
        await self._queue.wait(caller.org, request.deadline_s)
        if request.deadline_s is None:
            return request
        return replace(request, deadline_s=max(0.001, request.deadline_s - (time.perf_counter() - since)))

    async def _work(self, begun: _Begun) -> Verdict:
        """Execute and score a run that has begun; whatever else becomes of it is sealed before this raises."""
        run, heard = begun.run, begun.emit is not ignore
        try:
            if heard:
                await begun.emit(Planned(run.plan, begun.admitted, begun.cache))
            bar = run.plan.policy.bar if run.request.orchestrated else None
            verdict = told(await self._execute(begun), bar)
            if heard:
                await run.tell()
                if run.request.stream and not run.streamed:
                    await _show(begun, verdict)
        except Exception as error:
            await self._seal_failure(begun, "failed", error)
            raise
        except asyncio.CancelledError as error:
            if CLIENT_GONE in error.args:
                await self._seal_failure(begun, "client_aborted")
                raise
            stopped = _stopped()
            await self._seal_failure(begun, "interrupted", stopped)
            raise stopped from None
        return verdict

    def plan(self, request: ChatRequest, caller: Caller = ROOT) -> Plan:
        """What would be done for `request`, without doing it."""
        return _plan(*self._reach(request, caller))

    def _reach(self, request: ChatRequest, caller: Caller) -> tuple[ChatRequest, Planner]:
        """The request within what its key allows, and a planner that knows what is live for its organisation."""
        request, own = narrowed(request, caller), self._own.of(caller.org) if self._own else None
        if own is None:
            return request, self.planner
        return replace(request, own_providers=own.providers), replace(self.planner, catalog=own.catalog)

    @property
    def able(self) -> bool:
        """Whether a run that begins now could be sealed."""
        return not self._sealer.away

    def close(self) -> None:
        """Take no more runs."""
        self._closing = True

    async def drained(self) -> None:
        """Wait until the runs under way, cancelled ones too, have ended and are sealed."""
        await self._queue.drained()

    def _refusal(self) -> PrysmError:
        """Why no run may begin now."""
        if self._closing:
            return Overloaded("The gateway is stopping; retry against another replica or in a moment.")
        return unprovable()

    async def _begin(
        self, request: ChatRequest, request_id: UUID, emit: Emit, caller: Caller, since: float
    ) -> _Begun:
        """Plan, hold what it may cost and write down that it begins; a plan too dear is made once more, cheaper."""
        request, planner = self._reach(request, caller)
        if self._cache is not None:
            request = self._cache.settled(request, caller)
        try:
            return await self._begin_with(_plan(request, planner), request, request_id, emit, caller, since)
        except BudgetExceeded as short:
            if short.left_nano is None or (request.max_cost_nano or short.left_nano + 1) <= short.left_nano:
                raise
            try:
                plan = _plan(replace(request, max_cost_nano=short.left_nano), planner)
            except BudgetExceeded:
                raise short from None
            return await self._begin_with(plan, request, request_id, emit, caller, since)

    async def _begin_with(  # noqa: PLR0917 - what there is to know of a run
        self, plan: Plan, request: ChatRequest, request_id: UUID, emit: Emit, caller: Caller, since: float
    ) -> _Begun:
        created = datetime.now(UTC)
        cache = await self._cache.look(request, plan, caller) if self._cache and request.cache else None
        payer = payer_of(caller, request, plan, self._budgets, free=cache is not None and cache.found is not None)
        known = beginning(request, plan, request_id, created, self._price_version)
        written = self._sealer.intend(request_id, intent_of(known), payer)
        if payer.limited:
            admitted = await self._leave(request_id, written)
            if payer.ceiling_nano is not None:  # what was held is what may be spent
                request = replace(request, max_cost_nano=payer.ceiling_nano)
        else:
            admitted = FREELY
            if request.stream:
                emit = shown_after(written, emit, at_once=request.orchestrated)
        own = request.own_providers
        providers = {**self._providers, **own} if own else self._providers
        run = Run(request, plan, providers, emit, random_bytes(8))
        return _Begun(request_id, run, emit, known, payer, admitted, created, since, cache)

    async def _leave(self, request_id: UUID, written: Future[Admitted]) -> Admitted:
        """Wait for leave to begin; raises `BudgetExceeded`, `RateLimited` or `ProofUnavailable`."""
        try:
            return await asyncio.shield(written)
        except ProofUnavailable:
            raise unprovable() from None
        except asyncio.CancelledError as error:
            self._sealer.release(request_id)
            if CLIENT_GONE in error.args:
                raise
            raise _stopped() from None

    async def _execute(self, begun: _Begun) -> Verdict:
        """The answer of an earlier run, or the strategy's; at the deadline, the best one in hand."""
        run, request, recalled = begun.run, begun.run.request, begun.recalled
        if recalled is not None:
            run.stages.extend(recalled.stages)
            return recalled.verdict
        strategy = STRATEGIES[run.plan.strategy]
        try:
            if request.deadline_s is None:
                return await strategy.run(run)
            async with asyncio.timeout(request.deadline_s):
                return await strategy.run(run)
        except TimeoutError:
            pass
        except (ProviderError, AllModelsFailed) as error:
            if not run.clock.late:
                raise for_the_caller(error, "messages" if request.embed is None else "input") from None
        held = best_in_hand(run)
        if held is not None:
            return held
        raise DeadlineExceeded(
            f"No answer within deadline_s = {request.deadline_s:g}. "
            "Allow more time, or ask for fewer or faster models.",
            param="deadline_s",
        )

    async def _answer(self, begun: _Begun, verdict: Verdict) -> Answer:
        """Seal the run and hand the answer out; the answer is withheld when its receipt cannot be made durable."""
        finished, receipt, durable = await self._seal(begun, "degraded" if begun.run.degraded else "ok", verdict)
        if self._cache is not None and begun.cache is not None:
            self._cache.keep(begun.cache, finished, receipt.proof_hash)
        return Answer(  # by position here and below: by name costs more
            finished.request,
            finished.plan,
            verdict,
            tuple(finished.stages),
            finished.degraded,
            receipt,
            durable,
            finished.created,
            finished.latency_ms,
            finished.price_version,
            begun.admitted,
            begun.cache,
        )

    async def _seal_failure(self, begun: _Begun, outcome: Outcome, error: Exception | None = None) -> None:
        """Seal a run that gave no answer; a failure to seal it must not hide why it failed."""
        known = error if isinstance(error, PrysmError) else None
        code = outcome if error is None or outcome == "interrupted" else known.code if known else PrysmError.code
        if known is not None:
            known.spent = known.spent or any(stage.cost_nano != 0 for stage in begun.run.stages if stage.model)
        with suppress(ProofUnavailable):
            await self._seal(begun, outcome, error=code)
            if known is not None:
                known.sealed = True

    async def _seal(
        self, begun: _Begun, outcome: Outcome, verdict: Verdict | None = None, error: str | None = None
    ) -> tuple[Finished, Receipt, SealState]:
        """Make the run's receipt durable and count the run; raises `ProofUnavailable`."""
        run, recalled = begun.run, begun.recalled
        finished = Finished(
            begun.request_id,
            run.request,
            run.plan,
            run.stages,
            tuple(run.degraded),
            outcome,
            begun.created,
            int((time.perf_counter() - begun.clock) * 1000),
            self._price_version,
            verdict,
            error,
            recalled.original if recalled else None,
        )
        receipt = make_receipt(finished, begun.known, self._keys.receipt)
        receipt.sealed.charge = charge_of(begun.payer, finished, receipt.account)
        try:
            durable = await self._sealer.put(receipt.sealed)
        except ProofUnavailable:
            self._telemetry.seal_failed()
            finished = replace(finished, outcome="failed", verdict=None)
            raise
        finally:
            self._telemetry.run_finished(finished)
        return finished, receipt, durable


def _plan(request: ChatRequest, planner: Planner) -> Plan:
    if request.embed is not None:
        return planner.plan(request, of_inputs(request.embed))
    return planner.plan(request, classify(request.messages, request.toolbox))


async def _show(begun: _Begun, verdict: Verdict) -> None:
    """Stream an answer that nobody saw being written."""
    run = begun.run
    for made in verdict.choices:
        choice = run.stages[made.stage].sample if run.request.n > 1 else 0
        for piece in pieces_of(made.completion):
            await begun.emit(Delta(piece, made.model.id, choice))


def _stopped() -> Overloaded:
    return Overloaded("The gateway was stopped before the answer was complete. Ask again in a moment.")
