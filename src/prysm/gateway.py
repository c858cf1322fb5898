"""A request, top to bottom: admit, plan, execute, score, seal, settle."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from prysm.classify import classify, of_inputs
from prysm.core.chat import pieces_of
from prysm.core.events import Delta, Planned, ignore
from prysm.core.run import Finished, Score, Verdict
from prysm.core.values import dataclass
from prysm.errors import (
    AllModelsFailed,
    DeadlineExceeded,
    Overloaded,
    ProofUnavailable,
    ProviderError,
    PrysmError,
    for_the_caller,
)
from prysm.receipt import Receipt, make_receipt
from prysm.strategies import STRATEGIES, Run
from prysm.strategies.in_hand import best_in_hand

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from prysm.core.events import Emit
    from prysm.core.plan import ChatRequest, Plan
    from prysm.core.ports import Provider
    from prysm.core.run import Outcome, Stage
    from prysm.planner import Planner
    from prysm.proof.sealed import Sealed
    from prysm.telemetry import Telemetry

CLIENT_GONE = "client gone"
"""Cancel a run with this message when its caller hung up; any other cancellation is the gateway stopping."""


class Sealer(Protocol):
    """Makes a receipt durable before it returns; raises `ProofUnavailable` when it cannot."""

    async def put(self, sealed: Sealed) -> None:
        """Store the receipt and its stages, also when the wait for it is cancelled."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished run as every surface renders it."""

    request: ChatRequest
    plan: Plan
    verdict: Verdict
    stages: tuple[Stage, ...]
    degraded: tuple[str, ...]
    receipt: Receipt
    created: datetime
    latency_ms: int
    price_version: str


@dataclass(frozen=True, slots=True)
class _Begun:
    request_id: UUID
    run: Run
    created: datetime
    clock: float

    def elapsed_ms(self) -> int:
        return int((time.perf_counter() - self.clock) * 1000)


class Gateway:
    """Runs requests. One per process; holds no state of any request."""

    def __init__(
        self,
        planner: Planner,
        providers: Mapping[str, Provider],
        sealer: Sealer,
        telemetry: Telemetry,
        price_version: str,
    ) -> None:
        self.planner = planner
        self._providers = providers
        self._sealer = sealer
        self._telemetry = telemetry
        self._price_version = price_version
        self._closing = False
        self._running = 0
        self._idle = asyncio.Event()

    async def run(self, request: ChatRequest, request_id: UUID, emit: Emit = ignore) -> Answer:
        """Answer `request`; `emit` sees it happen. The receipt is durable before this returns or raises.

        Raises a `PrysmError`. Cancel it with `CLIENT_GONE` when the caller hung up; any other cancellation is the
        gateway stopping, and becomes the error that tells the caller so.
        """
        self._admit()
        try:
            plan = self.plan(request)
            begun = self._begin(request, request_id, plan, emit)
            try:
                await emit(Planned(plan))
                verdict = _scored(plan, request, await self._execute(begun, request))
                await begun.run.tell()
                if request.stream and not begun.run.streamed:
                    for piece in pieces_of(verdict.candidate.completion):
                        await emit(Delta(piece, verdict.candidate.model.id))
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
            try:
                return await self._answer(begun, verdict)
            except asyncio.CancelledError as error:
                if CLIENT_GONE in error.args:
                    raise
                stopped = _stopped()
                stopped.spent = True  # the models answered; whether the receipt is down is not known here
                raise stopped from None
        finally:
            self._left()

    def plan(self, request: ChatRequest) -> Plan:
        """What would be done for `request`, without doing it."""
        if request.embed is not None:
            return self.planner.plan(request, of_inputs(request.embed))
        return self.planner.plan(request, classify(request.messages, request.toolbox))

    def close(self) -> None:
        """Take no more runs."""
        self._closing = True

    async def drained(self) -> None:
        """Wait until the runs under way, cancelled ones too, have ended and are sealed."""
        if self._running:
            self._idle.clear()
            await self._idle.wait()

    def _admit(self) -> None:
        if self._closing:
            raise Overloaded("The gateway is stopping; retry against another replica or in a moment.")
        self._running += 1

    def _left(self) -> None:
        self._running -= 1
        if not self._running:
            self._idle.set()

    def _begin(self, request: ChatRequest, request_id: UUID, plan: Plan, emit: Emit) -> _Begun:
        run = Run(request, plan, self._providers, emit, os.urandom(8))
        return _Begun(request_id, run, datetime.now(UTC), time.perf_counter())

    async def _execute(self, begun: _Begun, request: ChatRequest) -> Verdict:
        """The strategy's answer; at the deadline, the best one in hand."""
        run = begun.run
        strategy = STRATEGIES[run.plan.strategy]
        try:
            if request.deadline_s is None:
                return await strategy.run(begun.run)
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
        finished = self._finished(begun, "degraded" if begun.run.degraded else "ok", verdict)
        receipt = await self._seal(finished)
        return Answer(
            request=finished.request,
            plan=finished.plan,
            verdict=verdict,
            stages=tuple(finished.stages),
            degraded=finished.degraded,
            receipt=receipt,
            created=finished.created,
            latency_ms=finished.latency_ms,
            price_version=self._price_version,
        )

    async def _seal_failure(self, begun: _Begun, outcome: Outcome, error: Exception | None = None) -> None:
        """Seal a run that gave no answer; a failure to seal it must not hide why it failed."""
        known = error if isinstance(error, PrysmError) else None
        code = outcome if error is None or outcome == "interrupted" else known.code if known else PrysmError.code
        if known is not None:
            known.spent = known.spent or any(stage.cost_nano != 0 for stage in begun.run.stages if stage.model)
        with suppress(ProofUnavailable):
            await self._seal(self._finished(begun, outcome, error=code))
            if known is not None:
                known.sealed = True

    async def _seal(self, finished: Finished) -> Receipt:
        """Make the run's receipt durable and count the run; raises `ProofUnavailable`."""
        receipt = make_receipt(finished)
        try:
            await self._sealer.put(receipt.sealed)
        except ProofUnavailable:
            self._telemetry.seal_failed()
            finished = replace(finished, outcome="failed", verdict=None)
            raise
        finally:
            self._telemetry.run_finished(finished)
        return receipt

    def _finished(
        self, begun: _Begun, outcome: Outcome, verdict: Verdict | None = None, error: str | None = None
    ) -> Finished:
        run = begun.run
        return Finished(
            request_id=begun.request_id,
            request=run.request,
            plan=run.plan,
            stages=run.stages,
            degraded=tuple(run.degraded),
            outcome=outcome,
            created=begun.created,
            latency_ms=begun.elapsed_ms(),
            price_version=self._price_version,
            verdict=verdict,
            error=error,
        )


def _stopped() -> Overloaded:
    return Overloaded("The gateway was stopped before the answer was complete. Ask again in a moment.")


def _scored(plan: Plan, request: ChatRequest, verdict: Verdict) -> Verdict:
    """Round the score as receipts do, and hold it against the policy's bar, where a policy is at work."""
    score = _rounded(verdict.score)
    if request.orchestrated and score.bar_cleared is None and score.confidence is not None:
        score = replace(score, bar_cleared=score.confidence >= plan.policy.bar)
    return Verdict(verdict.candidate, score, verdict.others)


def _rounded(score: Score) -> Score:
    """Three decimals: more would promise what no estimate holds, and the receipt keeps as many."""
    return Score(
        None if score.confidence is None else round(score.confidence, 3),
        None if score.agreement is None else round(score.agreement, 3),
        score.method,
        score.clusters,
        score.bar_cleared,
        score.evidence,
    )
