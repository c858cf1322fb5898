"""One run at work: makes the calls, keeps a stage of every one, holds the ceiling and the deadline."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from prysm.core.chat import ModelCall, Sampling, TextDelta
from prysm.core.events import Delta, StageFinished, StageStarted
from prysm.core.run import Candidate, Stage
from prysm.errors import AllModelsFailed, BudgetExceeded, FailedAttempt, ProviderError
from prysm.registry.cost import output_cap, tokens_at_most, worst_cost
from prysm.strategies.clock import Clock
from prysm.strategies.stages import Pending

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prysm.core.chat import Completion, Message
    from prysm.core.events import Emit
    from prysm.core.model import Model
    from prysm.core.plan import ChatRequest, Plan
    from prysm.core.ports import Provider
    from prysm.core.run import StageKind

SAMPLING_TEMPERATURE = 0.7
"""For calls whose answers should differ (self-consistency, arXiv 2203.11171; MoA, arXiv 2406.04692)."""

ANSWERS: frozenset[StageKind] = frozenset({"answer", "sample", "propose", "escalate", "revise"})
"""Kinds of calls whose text answers the request."""


class Run:
    """What a strategy works with. `stages` grows in the order in which steps end."""

    def __init__(
        self, request: ChatRequest, plan: Plan, providers: Mapping[str, Provider], emit: Emit, entropy: bytes
    ) -> None:
        self.request = request
        self.plan = plan
        self.stages: list[Stage] = []
        self.degraded: list[str] = list(plan.degraded)
        self.answers: list[Candidate] = []
        self.streamed = False
        self.clock = Clock(request.deadline_s)
        self._entropy = entropy
        self._providers = providers
        self._emit = emit
        self._reserved = 0
        self._told = 0

    @cached_property
    def rng(self) -> random.Random:
        """Orders candidates, and guards nothing: the caller's seed makes it repeatable."""
        seed = self.request.sampling.seed
        return random.Random(self._entropy if seed is None else seed)  # noqa: S311 - see above

    @cached_property
    def nonce(self) -> str:
        """Marks the fences of this run. A seed repeats it; that forges nothing, for it is cut from candidates."""
        seed = self.request.sampling.seed
        return self._entropy.hex() if seed is None else f"{random.Random(seed).getrandbits(64):016x}"  # noqa: S311

    @cached_property
    def question(self) -> str:
        """The latest user message."""
        return next((m.content for m in reversed(self.request.messages) if m.role == "user"), "")

    def degrade(self, what: str) -> None:
        """Note, once, that the run went less well than planned."""
        if what not in self.degraded:
            self.degraded.append(what)

    def sampled(self, sample: int = 0) -> Sampling:
        """The caller's sampling, made random enough for answers to differ, reproducibly when a seed was given."""
        own = self.request.sampling
        temperature = own.temperature
        if temperature is None or (
            temperature == 0 and len({model.id for model in self.plan.models}) < self._width
        ):
            temperature = SAMPLING_TEMPERATURE  # at 0 one model would only repeat itself
            if own.temperature is not None:
                self.degrade("temperature_raised")
        return replace(own, temperature=temperature, seed=None if own.seed is None else own.seed + sample)

    @property
    def _width(self) -> int:
        """How many answers the plan asks for at once."""
        return max(self.plan.samples, len(self.plan.models))

    def cooled(self, temperature: float) -> Sampling:
        """The caller's sampling at no more than `temperature`."""
        own = self.request.sampling
        return replace(own, temperature=min(own.temperature if own.temperature is not None else 1.0, temperature))

    def sober(self) -> Sampling:
        """For a call whose text the caller never sees: greedy, and free of what was meant to shape the answer."""
        own = self.request.sampling
        return Sampling(temperature=0.0, max_tokens=own.max_tokens, seed=own.seed)

    async def ask(  # noqa: PLR0913 - what there is to say about one call, by name
        self,
        kind: StageKind,
        model: Model,
        *,
        messages: Sequence[Message] | None = None,
        sampling: Sampling | None = None,
        sample: int = 0,
        parents: tuple[int, ...] = (),
        final: bool = False,
        within: float | None = None,
        note: str | None = None,
    ) -> Candidate:
        """Make one call. `final` says that its text is the answer, so a streaming caller sees it being written.

        `within` seconds it is given up, and whenever the deadline is over; `note` goes on its stage. Raises
        `ProviderError`, or `BudgetExceeded` before the call when its worst case is over what is left.
        """
        limit = self.clock.left(within)
        if limit == 0:
            raise self._out_of_time()
        call = self._call(model, messages, sampling, sample)
        pending = Pending(call, kind, self.clock.ms(), parents, self._reserve(call))
        await self._emit(StageStarted(kind, model.id))
        try:
            completion = await self._complete(call, stream=final and self.request.stream, limit=limit)
        except TimeoutError:
            self._keep(pending.failed(len(self.stages), self.clock.ms(), "cancelled", "deadline"), pending)
            await self.tell()
            raise self._out_of_time() from None
        except ProviderError as error:
            stage = self._keep(pending.failed(len(self.stages), self.clock.ms(), "failed", error.kind), pending)
            await self.tell()
            raise
        except asyncio.CancelledError:
            self._keep(pending.failed(len(self.stages), self.clock.ms(), "cancelled", "cancelled"), pending)
            raise
        stage = pending.succeeded(len(self.stages), self.clock.ms(), completion)
        stage = self._keep(stage if note is None else replace(stage, note=note), pending)
        candidate = Candidate(stage.i, model, completion)
        if kind in ANSWERS:
            self.answers.append(candidate)
        await self.tell()
        return candidate

    def all_failed(self) -> AllModelsFailed:
        """The error of a run in which every call failed."""
        failed = [stage for stage in self.stages if stage.status != "ok"]
        attempts = tuple(FailedAttempt(stage.model.id, stage.error or "failed") for stage in failed if stage.model)
        spent = any(stage.cost_nano != 0 for stage in failed)
        listed = ", ".join(f"{attempt.model} ({attempt.error})" for attempt in attempts)
        return AllModelsFailed(
            f"Every model that was tried failed: {listed}. Check the providers' keys and status, or name others.",
            attempts,
            spent=spent,
        )

    def note(self, kind: StageKind, parents: tuple[int, ...], note: str) -> int:
        """Record a step that made no call (a vote, say) and return its number."""
        now = self.clock.ms()
        self.stages.append(Stage(len(self.stages), kind, "ok", now, now, parents, note=note))
        return self.stages[-1].i

    async def tell(self) -> None:
        """Show the stages that ended since the last time: calls, cancelled ones among them, and votes."""
        while self._told < len(self.stages):
            self._told += 1
            await self._emit(StageFinished(self.stages[self._told - 1]))

    def _out_of_time(self) -> ProviderError:
        self.degrade("deadline")
        return ProviderError("timeout", "The call had no more time within deadline_s.")

    async def _complete(self, call: ModelCall, *, stream: bool, limit: float | None) -> Completion:
        """The provider's answer, shown as it comes where streamed; raises `TimeoutError` after `limit` seconds."""
        provider = self._providers[call.model.provider]
        answered = self._shown(provider, call) if stream else provider.complete(call)
        if limit is None:
            return await answered
        async with asyncio.timeout(limit):
            return await answered

    async def _shown(self, provider: Provider, call: ModelCall) -> Completion:
        async with aclosing(provider.stream(call)) as pieces:
            async for piece in pieces:
                if not isinstance(piece, TextDelta):
                    return piece
                self.streamed = True
                await self._emit(Delta(piece.text))
        raise ProviderError("truncated", f"{call.model.provider} ended the stream without finishing the answer.")

    def _call(
        self, model: Model, messages: Sequence[Message] | None, sampling: Sampling | None, sample: int
    ) -> ModelCall:
        sampling = sampling or self.request.sampling
        asked = self.plan.max_tokens
        if asked is not None:
            sampling = replace(sampling, max_tokens=output_cap(model, asked))
        return ModelCall(model, tuple(messages) if messages else self.request.messages, sampling, sample)

    def _reserve(self, call: ModelCall) -> int:
        """Set the call's worst case aside; 0 without a ceiling."""
        ceiling = self.request.max_cost_nano
        if ceiling is None:
            return 0
        cap = output_cap(call.model, call.sampling.max_tokens)
        worst = worst_cost(call.model, tokens_at_most(call.messages), cap)
        if worst is None or self._reserved + worst > ceiling:
            raise BudgetExceeded(
                f"Calling {call.model.id} could pass max_cost_usd; raise it or lower max_tokens.",
                param="max_cost_usd",
            )
        self._reserved += worst
        return worst

    def _keep(self, stage: Stage, pending: Pending) -> Stage:
        """Add the stage and give back what the call did not use; an estimate or an unknown keeps the worst case."""
        self.stages.append(stage)
        if pending.reserved and stage.cost_nano is not None and not (stage.usage and stage.usage.estimated):
            self._reserved += stage.cost_nano - pending.reserved
        return stage
