"""Makes a call again that failed for no fault of its own, as long as nothing of an answer was shown."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from prysm.core.chat import Completion
from prysm.errors import UNBILLED, Attempt, ProviderError
from prysm.resilience.opening import opened
from prysm.resilience.port import REAL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from prysm.core.chat import ModelCall, Piece
    from prysm.core.ports import Provider
    from prysm.core.provider import ProviderSpec
    from prysm.errors import FailureKind
    from prysm.resilience.port import Clock, Watch
    from prysm.resilience.retry_budget import RetryBudget

T = TypeVar("T")

PASSING: frozenset[FailureKind] = frozenset(
    {"connect", "timeout", "rate_limited", "unavailable", "malformed", "truncated"}
)
"""Failures that the same call may not meet again. What a model made of a prompt, it may well make again."""
BACKOFF_S = 0.25
LONGEST_PAUSE_S = 10.0
"""Asked to wait longer, we give up at once: the next target, or the caller, makes better use of the time."""


def may_pass(error: BaseException) -> bool:
    """Whether a failure may go away."""
    return isinstance(error, ProviderError) and error.sent and error.kind in PASSING


class Retry:
    """A provider that tries again: exponential backoff with full jitter, or as long as the provider asks to wait.

    At most `spec.retries` times, within `spec.timeout_s` for all tries and pauses and within the run's deadline,
    and only while the provider's budget for retries lasts and the caller's ceiling on the cost has room. A try that
    succeeds at once costs nothing.
    """

    def __init__(
        self, inner: Provider, spec: ProviderSpec, budget: RetryBudget, watch: Watch, clock: Clock = REAL
    ) -> None:
        self._inner = inner
        self._spec = spec
        self._budget = budget
        self._watch = watch
        self._clock = clock

    @property
    def id(self) -> str:
        """The provider's name in the catalog."""
        return self._inner.id

    async def complete(self, call: ModelCall) -> Completion:
        """Answer, at the first or a later try; `attempts` lists them when there was more than one."""
        began = self._clock.now()
        self._budget.deposit()
        try:
            return await self._inner.complete(call)
        except ProviderError as error:
            if not may_pass(error):
                raise
            tries = self._tries(call, began, error)
        return tries.answered(await self._again(tries, self._inner.complete))

    async def stream(self, call: ModelCall) -> AsyncGenerator[Piece | Completion, None]:
        """Answer as it is written. Once a first piece is there, that try is the answer or the failure."""
        began = self._clock.now()
        self._budget.deposit()
        tries = None
        try:
            pieces, first = await opened(self._inner, call)
        except ProviderError as error:
            if not may_pass(error):
                raise
            tries = self._tries(call, began, error)
        if tries is not None:
            pieces, first = await self._again(tries, partial(opened, self._inner))
        try:
            if tries is None:
                yield first
                async for piece in pieces:
                    yield piece
            else:
                async with aclosing(tries.told(first, pieces)) as told:
                    async for piece in told:
                        yield piece
        finally:
            await pieces.aclose()

    def _tries(self, call: ModelCall, began: float, error: ProviderError) -> Tries:
        tries = Tries(call, self._clock, began, began + self._spec.timeout_s)
        tries.failed(error)
        return tries

    async def _again(self, tries: Tries, once: Callable[[ModelCall], Awaitable[T]]) -> T:
        """The further tries; the first failure is put in front of them as it was met."""

        async def attempt() -> T:
            if tries.unmet is not None:
                error, tries.unmet = tries.unmet, None
                raise error
            return await tries.make(once)

        retrying = AsyncRetrying(
            retry=retry_if_exception(may_pass),
            wait=tries.pause,
            stop=lambda state: (
                tries.over(state, self._spec.retries) or not tries.afforded() or not self._budget.withdraw()
            ),
            before_sleep=lambda _: self._watch.retried(tries.call.model, tries.last.kind),
            sleep=self._clock.sleep,
            reraise=True,
        )
        try:
            return await retrying(attempt)
        except ProviderError as error:
            error.attempts = tries.listed()
            raise


class Tries:
    """The tries of one call that failed at least once, and whether another is worth it."""

    def __init__(self, call: ModelCall, clock: Clock, began: float, end: float) -> None:
        self.call = call
        self.unmet: ProviderError | None = None
        self._clock = clock
        self._began = began
        self._end = end
        self._listed: list[Attempt] = []
        self._backoff = wait_random_exponential(multiplier=BACKOFF_S, max=LONGEST_PAUSE_S)

    def failed(self, error: ProviderError) -> None:
        """Note the first failure."""
        self.last = self.unmet = error
        self._note(error)

    def afforded(self) -> bool:
        """Whether another try costs no more than the caller allowed; its worst case is then set aside."""
        return self.last.kind in UNBILLED or self.call.again is None or self.call.again()

    def pause(self, state: RetryCallState) -> float:
        """Seconds until the next try; after what the provider asked for a moment more, so that not all come at once."""
        jittered = self._backoff(state)
        wait = self.last.retry_after_s
        return jittered if wait is None else wait + min(jittered, BACKOFF_S)

    def over(self, state: RetryCallState, retries: int) -> bool:
        """Whether another try would be one too many or come too late."""
        latest = self._end if self.call.until is None else min(self._end, self.call.until)
        late = self._clock.now() + state.upcoming_sleep >= latest
        too_long = (self.last.retry_after_s or 0) > LONGEST_PAUSE_S
        return late or too_long or state.attempt_number > retries

    async def make(self, once: Callable[[ModelCall], Awaitable[T]]) -> T:
        """One more try, within what is left of the whole call's time."""
        self._began = self._clock.now()
        try:
            async with asyncio.timeout(self._end - self._began):
                return await once(self.call)
        except ProviderError as error:
            self.last = error
        except TimeoutError:
            self.last = self._too_late()
        self._note(self.last)
        raise self.last

    async def told(
        self, first: Piece | Completion, rest: AsyncGenerator[Piece | Completion, None]
    ) -> AsyncGenerator[Piece | Completion, None]:
        """A stream, within the time that is left; its end lists the tries, well or not."""
        piece: Piece | Completion | None = first
        try:
            while piece is not None:
                shown = self._clock.now()
                yield self.answered(piece) if isinstance(piece, Completion) else piece
                self._end += self._clock.now() - shown  # the caller's time, not the provider's
                async with asyncio.timeout(max(0.0, self._end - self._clock.now())):
                    piece = await anext(rest, None)
        except ProviderError as error:
            raise self._last(error) from None
        except TimeoutError:
            raise self._last(self._too_late()) from None

    def answered(self, completion: Completion) -> Completion:
        """The answer with the tries that it took."""
        own = completion.attempts or (Attempt("ok", None, self._ms()),)
        return replace(completion, attempts=(*self._listed, *own))

    def listed(self) -> tuple[Attempt, ...]:
        """The tries so far; none when there was only one, of which the error says all."""
        return tuple(self._listed) if len(self._listed) > 1 else ()

    def _note(self, error: ProviderError) -> None:
        self._listed.extend(error.attempts or (Attempt("failed", error.kind, self._ms()),))

    def _last(self, error: ProviderError) -> ProviderError:
        self._note(error)
        error.attempts = self.listed()
        return error

    def _too_late(self) -> ProviderError:
        why = (
            f"{self.call.model.provider} did not finish within timeout_s, retries included; raise it or try again."
        )
        return ProviderError("timeout", why)

    def _ms(self) -> int:
        return int((self._clock.now() - self._began) * 1000)
