"""A call in flight, and the stage it becomes when it ends, with what it cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from prysm.core.chat import Usage
from prysm.core.run import Attempt, Stage

if TYPE_CHECKING:
    from prysm.core.chat import Completion, ModelCall
    from prysm.core.run import StageKind, StageStatus

UNBILLED = frozenset({"connect", "auth", "rate_limited", "rejected", "context_length"})
"""Failures before a model ran; after any other, tokens may have been billed that we can only estimate."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A call that was sent. `reserved` is its worst case in nano-dollars, set aside under a ceiling."""

    call: ModelCall
    kind: StageKind
    started_ms: int
    parents: tuple[int, ...]
    reserved: int

    def succeeded(self, i: int, ended_ms: int, completion: Completion) -> Stage:
        """The stage of an answered call."""
        usage = counted(self.call, completion)
        cost = self.call.model.price.cost(usage)
        return self._ended(i, ended_ms, "ok", usage=usage, cost=cost, completion=completion)

    def failed(self, i: int, ended_ms: int, status: StageStatus, code: str) -> Stage:
        """The stage of a call that failed or was cancelled, charged for its prompt unless none was billed."""
        if code in UNBILLED:
            return self._ended(i, ended_ms, status, code=code, usage=Usage(0, 0), cost=0)
        usage = Usage(estimated_prompt_tokens(self.call), 0, estimated=True)
        return self._ended(i, ended_ms, status, code=code, usage=usage, cost=self.call.model.price.cost(usage))

    def _ended(
        self,
        i: int,
        ended_ms: int,
        status: StageStatus,
        *,
        usage: Usage,
        cost: int | None,
        code: str | None = None,
        completion: Completion | None = None,
    ) -> Stage:
        return Stage(
            i=i,
            kind=self.kind,
            status=status,
            started_ms=self.started_ms,
            ended_ms=ended_ms,
            parents=self.parents,
            model=self.call.model,
            completion=completion,
            usage=usage,
            cost_nano=cost,
            sample=self.call.sample,
            error=code,
            attempts=(Attempt(status, code, ended_ms - self.started_ms),),
        )


def counted(call: ModelCall, completion: Completion) -> Usage:
    """The provider's own count, or ours, marked as estimated, where it gave none."""
    usage = completion.usage
    if usage.prompt_tokens is not None and usage.completion_tokens is not None:
        return usage
    prompt, answer = usage.prompt_tokens, usage.completion_tokens
    return replace(
        usage,
        prompt_tokens=estimated_prompt_tokens(call) if prompt is None else prompt,
        completion_tokens=_tokens(completion.text) if answer is None else answer,
        estimated=True,
    )


def estimated_prompt_tokens(call: ModelCall) -> int:
    """About four characters a token, the usual rule for English."""
    return sum(_tokens(message.content) for message in call.messages)


def _tokens(text: str) -> int:
    return -(-len(text) // 4)
