"""Keeps to what a provider accepts: calls at once, requests and tokens a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.core.chat import Completion
from prysm.errors import ProviderError
from prysm.resilience.port import REAL
from prysm.resilience.rates import Rates
from prysm.resilience.slots import Slots

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from prysm.core.chat import ModelCall, Piece
    from prysm.core.ports import Provider
    from prysm.core.provider import ProviderSpec
    from prysm.resilience.port import Clock


class Limits:
    """A provider behind its limits. Calls wait for their turn; those whose turn is too far off fail "rate_limited".

    Too far is `first_byte_timeout_s`, or the run's deadline. A call's tokens are its prompt's, estimated, and the
    most it may answer; when it has answered, what it really used.
    """

    def __init__(self, inner: Provider, spec: ProviderSpec, clock: Clock = REAL) -> None:
        self._inner = inner
        self._clock = clock
        self._patience_s = spec.first_byte_timeout_s
        self._metered = spec.tpm is not None
        paced = self._metered or spec.rpm is not None
        self._slots = Slots(spec.max_concurrency, Rates(spec.rpm, spec.tpm, clock) if paced else None, clock)

    @property
    def id(self) -> str:
        """The provider's name in the catalog."""
        return self._inner.id

    async def complete(self, call: ModelCall) -> Completion:
        """Answer once it is the call's turn."""
        tokens = _most(call) if self._metered else 0
        if not self._slots.take(tokens):
            await self._queue(call, tokens)
        unused = 0
        try:
            completion = await self._inner.complete(call)
            if self._metered:
                unused = _unused(tokens, completion)
        finally:
            self._slots.release(unused)
        return completion

    async def stream(self, call: ModelCall) -> AsyncGenerator[Piece | Completion, None]:
        """Answer as it is written, once it is the call's turn; the slot is held until the stream ends."""
        tokens = _most(call) if self._metered else 0
        if not self._slots.take(tokens):
            await self._queue(call, tokens)
        unused = 0
        pieces = self._inner.stream(call)
        try:
            async for piece in pieces:
                if self._metered and isinstance(piece, Completion):
                    unused = _unused(tokens, piece)
                yield piece
        except BaseException:
            await pieces.aclose()
            raise
        finally:
            self._slots.release(unused)

    async def _queue(self, call: ModelCall, tokens: int) -> None:
        refused = await self._slots.wait(self._patience(call), tokens)
        if refused is not None:
            setting, wait_s = refused
            why = f"{self.id} has no room for another call in time; raise its {setting} or add a fallback model."
            raise ProviderError("rate_limited", why, retry_after_s=wait_s, sent=False)

    def _patience(self, call: ModelCall) -> float:
        if call.until is None:
            return self._patience_s
        return max(0.0, min(self._patience_s, call.until - self._clock.now()))


def _most(call: ModelCall) -> int:
    return call.estimated_prompt_tokens + (call.sampling.max_tokens or 0)


def _unused(most: int, completion: Completion) -> int:
    """What an answer left over of the tokens taken for it, below 0 where it used more; all is used if unknown."""
    usage = completion.usage
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return 0
    return most - usage.prompt_tokens - usage.completion_tokens
