"""A request, top to bottom: admit, plan, execute, score, seal, settle."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from prysm.classify import classify, of_inputs
from prysm.core.chat import pieces_of
from prysm.core.entropy import random_bytes
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
from prysm.receipt import Receipt, beginning, intent_of, make_receipt
from prysm.strategies import STRATEGIES, Run
from prysm.strategies.in_hand import best_in_hand

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Mapping
    from uuid import UUID

    from prysm.core.events import Emit, Event
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


@dataclass(frozen=True, slots=True)
class _Begun:
    request_id: UUID
    run: Run
    emit: Emit
    known: dict[str, Json]
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
        keys: Keys,
        *,
        telemetry: Telemetry,
        price_version: str,
    ) -> None:
        self.planner = planner
        self._providers = providers
        self._sealer = sealer
        self._keys = keys
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
                await begun.emit(Planned(plan))
                verdict = _scored(plan, request, await self._execute(begun, request))
                await begun.run.tell()
                if request.stream and not begun.run.streamed:
                    for piece in pieces_of(verdict.candidate.completion):
                        await begun.emit(Delta(piece, verdict.candidate.model.id))
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

    @property
    def able(self) -> bool:
        """Whether a run that begins now could be sealed."""
        return not self._sealer.away

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
        if self._sealer.away:
            raise _unprovable()
        self._running += 1

    def _left(self) -> None:
        self._running -= 1
        if not self._running:
            self._idle.set()

    def _begin(self, request: ChatRequest, request_id: UUID, plan: Plan, emit: Emit) -> _Begun:
        created, clock = datetime.now(UTC), time.perf_counter()
        known = beginning(request, plan, request_id, created, self._price_version)
        written = self._sealer.intend(request_id, intent_of(known))
        if request.stream:
            emit = _shown_after(written, emit, at_once=request.orchestrated)
        run = Run(request, plan, self._providers, emit, random_bytes(8))
        return _Begun(request_id, run, emit, known, created, clock)

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
        receipt, durable = await self._seal(begun, finished)
        return Answer(
            request=finished.request,
            plan=finished.plan,
            verdict=verdict,
            stages=tuple(finished.stages),
            degraded=finished.degraded,
            receipt=receipt,
            durable=durable,
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
            await self._seal(begun, self._finished(begun, outcome, error=code))
            if known is not None:
                known.sealed = True

    async def _seal(self, begun: _Begun, finished: Finished) -> tuple[Receipt, SealState]:
        """Make the run's receipt durable and count the run; raises `ProofUnavailable`."""
        receipt = make_receipt(finished, begun.known, self._keys.receipt)
        try:
            durable = await self._sealer.put(receipt.sealed)
        except ProofUnavailable:
            self._telemetry.seal_failed()
            finished = replace(finished, outcome="failed", verdict=None)
            raise
        finally:
            self._telemetry.run_finished(finished)
        return receipt, durable

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


def _shown_after(written: Future[None], emit: Emit, *, at_once: bool) -> Emit:
    """An `emit` that shows nothing of a run before `written` is done: a run that was seen can then not be denied.

    `at_once`: the response, and with it the run's id, starts with the first event, and not with the first word.
    """
    waiting = True

    async def first(event: Event) -> None:
        nonlocal waiting
        try:
            if written.done():
                written.result()
            else:
                await asyncio.shield(written)  # another of several versions may wait for it too
        except ProofUnavailable:
            if isinstance(event, Planned):
                raise _unprovable() from None
            raise
        waiting = False
        await emit(event)
        await asyncio.sleep(0)  # out with it, before what came meanwhile is worked off

    return lambda event: first(event) if waiting and (at_once or isinstance(event, Delta)) else emit(event)


def _unprovable() -> ProofUnavailable:
    away = ProofUnavailable("No receipt could be stored now, so nothing was asked. Ask when /ready answers 200.")
    away.spent = False
    return away


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
