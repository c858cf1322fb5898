"""One run at work: makes the calls, keeps a stage of every one, holds the ceiling and the deadline."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from prysm.core.chat import Completion, ModelCall, Sampling, size
from prysm.core.events import Delta, StageFinished, StageStarted, ignore
from prysm.core.run import Candidate, Stage
from prysm.errors import AllModelsFailed, BudgetExceeded, FailedAttempt, ProviderError, PrysmError
from prysm.registry.cost import output_cap, tokens_at_most, worst_cost
from prysm.strategies.asked import ANSWERS, Asked, is_shaped
from prysm.strategies.clock import Clock
from prysm.strategies.stages import Pending
from prysm.strategies.validity import BETTER_ASKED, WANTED, Unfit, read, repair, told

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine, Mapping, Sequence
    from typing import Any

    from prysm.core.chat import Message
    from prysm.core.events import Emit
    from prysm.core.model import Model
    from prysm.core.plan import ChatRequest, Plan
    from prysm.core.ports import Provider
    from prysm.core.run import StageKind, StageStatus
    from prysm.errors import Attempt

SAMPLING_TEMPERATURE = 0.7
"""For calls whose answers should differ (self-consistency, arXiv 2203.11171; MoA, arXiv 2406.04692)."""


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
        self.shown: dict[int, int] = {}
        self.clock = Clock(request.deadline_s)
        self._entropy = entropy
        self._providers = providers
        self._emit = emit
        self._heard = emit is not ignore
        self._until = None if request.deadline_s is None else time.monotonic() + request.deadline_s
        self._reserved = 0
        self._told = 0
        self._waits: list[float | None] = []

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

    @property
    def question(self) -> str:
        """The latest user message."""
        for message in reversed(self.request.messages):
            if message.role == "user":
                return message.text
        return ""

    @property
    def streamed(self) -> bool:
        """Whether the caller has seen something of the answer; `shown` is how many characters of which version."""
        return bool(self.shown)

    def degrade(self, what: str) -> None:
        """Note, once, that the run went less well than planned."""
        if what not in self.degraded:
            self.degraded.append(what)

    def sampled(self, sample: int = 0) -> Sampling:
        """The caller's sampling, made random enough for answers to differ, reproducibly when a seed was given."""
        own = self.request.sampling
        temperature = own.temperature
        if temperature is None and not self._settled:
            temperature = SAMPLING_TEMPERATURE
        elif temperature == 0 and len({model.id for model in self.plan.models}) < self._width:
            temperature = SAMPLING_TEMPERATURE  # at 0 one model would only repeat itself
            self.degrade("temperature_raised")
        return replace(own, temperature=temperature, seed=own.seed_of(sample))

    @property
    def _settled(self) -> bool:
        """Whether the caller's wishes leave no room for a temperature of ours.

        Beside thoughts Anthropic takes none but 1, and its newer models take a temperature or top_p, not both.
        """
        own = self.request.sampling
        return own.thinks or (own.top_p is not None and own.temperature is None)

    @property
    def _width(self) -> int:
        """How many answers the plan asks for at once."""
        return max(self.plan.samples, len(self.plan.models))

    def cooled(self, temperature: float) -> Sampling:
        """The caller's sampling, at no more than `temperature` where it leaves room for that."""
        own = self.request.sampling
        if self._settled:
            return own
        return replace(own, temperature=min(own.temperature if own.temperature is not None else 1.0, temperature))

    def sober(self) -> Sampling:
        """For a call whose text the caller never sees: greedy, and free of what was meant to shape the answer."""
        return Sampling(temperature=0.0, max_tokens=self.request.sampling.max_tokens)

    def ask(  # noqa: PLR0913 - what there is to say about one call, by name
        self,
        kind: StageKind,
        model: Model,
        *,
        messages: Sequence[Message] | None = None,
        sampling: Sampling | None = None,
        sample: int = 0,
        parents: tuple[int, ...] = (),
        final: bool = False,
        choice: int = 0,
        within: float | None = None,
        note: str | None = None,
    ) -> Coroutine[Any, Any, Candidate]:
        """Make one call. `final` says that it is the answer, so a streaming caller sees it being written.

        `choice` is which version of the answer it is, where the caller asked for several.

        `within` seconds it is given up, and whenever the deadline is over; `note` goes on its stage. Raises
        `ProviderError`, or `BudgetExceeded` before the call when its worst case is over what is left. An answer that
        is not what the caller asked for is a failure, once its model was told so and has tried again.
        """
        request, shaped = self.request, is_shaped(self.request)
        shown = choice if final and request.stream else None
        if kind == "aggregate" and shaped:
            shown = None  # it is checked before anybody sees it: there are answers to fall back on
        turns = tuple(messages) if messages else request.messages
        asked = Asked(kind, kind, model, turns, sampling or request.sampling, sample, parents, shown, note)
        return self._checked(asked, within) if shaped else self._once(asked, within)

    async def _checked(self, asked: Asked, within: float | None) -> Candidate:
        """The answer, which has to fit; a model whose answer does not is told so, once."""
        began = time.perf_counter()
        try:
            return await self._once(asked, within)
        except Unfit as unfit:
            if asked.shown in self.shown:
                raise
            left = None if within is None else max(0.0, within - (time.perf_counter() - began))
            return await self._repaired(asked, unfit, left)

    async def _repaired(self, asked: Asked, unfit: Unfit, within: float | None) -> Candidate:
        """The answer of a model that was told what is wrong with its last; it is not told twice."""
        messages, parents = repair(asked.messages, unfit, self.nonce), (*asked.parents, unfit.stage)
        try:
            return await self._once(replace(asked, kind="repair", messages=messages, parents=parents), within)
        except BudgetExceeded:
            raise unfit from None

    async def _once(self, asked: Asked, within: float | None) -> Candidate:
        limit = self.clock.left(within)
        if limit == 0:
            raise self._out_of_time()
        call, shown = asked.call(self.request, self.plan.max_tokens, self._until), asked.shown
        reserved = 0
        if self.request.max_cost_nano is not None:  # the worst case is set aside, and again before another try
            reserved = self._reserve(call)
            call = replace(call, again=partial(self._set_aside, reserved))
        pending = Pending(call, asked.kind, self.clock.ms(), asked.parents, reserved)
        if self._heard:
            await self._emit(StageStarted(asked.kind, asked.model.id))
        try:
            provider = self._providers[call.model.provider]
            answered = provider.complete(call) if shown is None else self._show(provider, call, shown)
            completion = await (answered if limit is None else _within(limit, answered))
        except TimeoutError:
            self._keep(self._failed(pending, shown, "cancelled", "deadline"), pending)
            await self.tell()
            raise self._out_of_time() from None
        except ProviderError as error:
            self._keep(self._failed(pending, shown, "failed", error.kind, error.attempts), pending)
            self._waits.append(error.retry_after_s)
            await self.tell()
            raise
        except BaseException as error:
            self._keep(self._broken(pending, shown, error), pending)
            raise
        stage = pending.succeeded(len(self.stages), self.clock.ms(), completion, asked.note)
        candidate = Candidate(stage.i, asked.model, completion)
        if call.toolbox is not None or call.response_format is not None:
            candidate = await self._fitting(candidate, stage, pending, shown)
        self._keep(stage, pending)
        if asked.purpose in ANSWERS:
            self.answers.append(candidate)
        if self._heard:
            await self.tell()
        return candidate

    async def _fitting(self, candidate: Candidate, stage: Stage, pending: Pending, shown: int | None) -> Candidate:
        """The candidate with what it says as data; raises `Unfit` when that is not what the caller asked for."""
        completion = candidate.completion
        found = read(pending.call, completion, seen=shown in self.shown)
        if found.flaw is not None:
            self._keep(replace(stage, status="failed", error="invalid_output"), pending)
            await self.tell()
            raise Unfit(candidate.model, stage.i, told(completion), found.flaw)
        return replace(candidate, value=found.value)

    def all_failed(self) -> AllModelsFailed:
        """The error of a run in which every call failed."""
        failed = [stage for stage in self.stages if stage.status != "ok"]
        attempts = tuple(FailedAttempt(stage.model.id, stage.error or "failed") for stage in failed if stage.model)
        spent = any(stage.cost_nano != 0 for stage in failed)
        listed = ", ".join(f"{attempt.model} ({attempt.error})" for attempt in attempts)
        unfit = all(attempt.error == Unfit.code for attempt in attempts)
        why = f"No model's answer fits {WANTED}" if unfit else "Every model that was tried failed"
        fix = BETTER_ASKED if unfit else "Check the providers' keys and status, or name others."
        failure = AllModelsFailed(f"{why}: {listed}. {fix}", attempts, spent=spent)
        failure.retry_after_s = min([wait for wait in self._waits if wait is not None], default=None)
        return failure

    def note(self, kind: StageKind, parents: tuple[int, ...], note: str) -> int:
        """Record a step that made no call (a vote, say) and return its number."""
        now = self.clock.ms()
        self.stages.append(Stage(len(self.stages), kind, "ok", now, now, parents, note=note))
        return self.stages[-1].i

    async def tell(self) -> None:
        """Show the stages that ended since the last time: calls, cancelled ones among them, and votes."""
        while self._heard and self._told < len(self.stages):
            self._told += 1
            await self._emit(StageFinished(self.stages[self._told - 1]))

    def _failed(
        self,
        pending: Pending,
        shown: int | None,
        status: StageStatus,
        code: str,
        attempts: tuple[Attempt, ...] = (),
    ) -> Stage:
        written = 0 if shown is None else self.shown.get(shown, 0)
        return pending.failed(len(self.stages), self.clock.ms(), status, code, attempts, written=written)

    def _broken(self, pending: Pending, shown: int | None, error: BaseException) -> Stage:
        """The stage of a cancelled call, or of a defect of ours: what was relayed by then is on record all the same."""
        if isinstance(error, asyncio.CancelledError):
            return self._failed(pending, shown, "cancelled", "cancelled")
        return self._failed(pending, shown, "failed", PrysmError.code)

    def _out_of_time(self) -> ProviderError:
        self.degrade("deadline")
        return ProviderError("timeout", "The call had no more time within deadline_s.")

    async def _show(self, provider: Provider, call: ModelCall, shown: int) -> Completion:
        """The whole answer, written before the caller's eyes as version `shown` of it."""
        done, pieces = None, provider.stream(call)
        try:
            async for piece in pieces:  # to its end: broken off, it would not count as a success
                if isinstance(piece, Completion):
                    done = piece
                    continue
                self.shown[shown] = self.shown.get(shown, 0) + size(piece)
                await self._emit(Delta(piece, call.model.id, shown))
        finally:
            await pieces.aclose()
        if done is None:
            raise ProviderError(
                "truncated", f"{call.model.provider} ended the stream without finishing the answer."
            )
        return done

    def _reserve(self, call: ModelCall) -> int:
        """Set the call's worst case aside."""
        cap = output_cap(call.model, call.sampling.max_tokens)
        prompt = (
            tokens_at_most(call.messages, call.toolbox, call.response_format)
            if call.embed is None
            else call.embed.tokens_at_most
        )
        worst = worst_cost(call.model, prompt, cap)
        if worst is None or not self._set_aside(worst):
            raise BudgetExceeded(
                f"Calling {call.model.id} could pass max_cost_usd; raise it or lower max_tokens.",
                param="max_cost_usd",
            )
        return worst

    def _set_aside(self, worst: int) -> bool:
        """Set nano-dollars aside, if there is room for them under the ceiling."""
        if self._reserved + worst > (self.request.max_cost_nano or 0):
            return False
        self._reserved += worst
        return True

    def _keep(self, stage: Stage, pending: Pending) -> Stage:
        """Add the stage and give back what the call did not use; an estimate or an unknown keeps the worst case."""
        self.stages.append(stage)
        if pending.reserved and stage.cost_nano is not None and not (stage.usage and stage.usage.estimated):
            self._reserved += stage.cost_nano - pending.reserved
        return stage


async def _within(seconds: float, answered: Awaitable[Completion]) -> Completion:
    """What is waited for; raises `TimeoutError` after so many seconds."""
    async with asyncio.timeout(seconds):
        return await answered
