"""A call in flight, and the stage it becomes when it ends, with what it cost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prysm.core.chat import Usage, pieces_of, size
from prysm.core.run import Stage
from prysm.core.values import dataclass
from prysm.errors import UNBILLED, Attempt

if TYPE_CHECKING:
    from prysm.core.chat import Completion, ModelCall
    from prysm.core.run import StageKind, StageStatus


@dataclass(frozen=True, slots=True)
class Pending:
    """A call that was sent. `reserved` is its worst case in nano-dollars, set aside under a ceiling."""

    call: ModelCall
    kind: StageKind
    started_ms: int
    parents: tuple[int, ...]
    reserved: int

    def succeeded(self, i: int, ended_ms: int, completion: Completion, note: str | None = None) -> Stage:
        """The stage of an answered call, charged for the prompts of its failed tries too."""
        usage = completion.usage
        if not (usage.prompt_tokens and usage.completion_tokens):
            usage = counted(self.call, completion)
        tries = completion.attempts
        lost = self._billed(tries) if tries else 0
        if lost:
            prompt = self._prompts(lost) + (usage.prompt_tokens or 0)
            usage = replace(usage, prompt_tokens=prompt, estimated=True)
        cost = self.call.model.price.cost(usage)
        return self._ended(i, ended_ms, "ok", None, usage, cost, tries, completion, note)

    def failed(
        self,
        i: int,
        ended_ms: int,
        status: StageStatus,
        code: str,
        attempts: tuple[Attempt, ...] = (),
        *,
        written: int = 0,
    ) -> Stage:
        """The stage of a call that failed or was cancelled, charged for a prompt a try unless none was billed.

        And for what it had written by then: `written` characters. What the provider told of both is not counted again.
        """
        attempts = attempts or (Attempt(status, code, ended_ms - self.started_ms),)
        lost = max(self._billed(attempts), 1 if written else 0)
        if not lost:
            return self._ended(i, ended_ms, status, code, Usage(0, 0), 0, attempts)
        told = self.call.broken[-lost:]
        answer = max(_tokens(written), sum(usage.completion_tokens or 0 for usage in told))
        usage = replace(
            told[-1] if told else Usage(),
            prompt_tokens=self._prompts(lost),
            completion_tokens=answer,
            estimated=True,
        )
        cost = self.call.model.price.cost(usage)
        return self._ended(i, ended_ms, status, code, usage, cost, attempts)

    def _prompts(self, lost: int) -> int:
        """Tokens of the prompts of so many tries that brought nothing: as told, else by our own count."""
        told = [usage.prompt_tokens for usage in self.call.broken[-lost:] if usage.prompt_tokens]
        return sum(told) + (lost - len(told)) * self.call.estimated_prompt_tokens

    @staticmethod
    def _billed(attempts: tuple[Attempt, ...]) -> int:
        """How many tries without an answer may have been billed."""
        return sum(attempt.status != "ok" and attempt.code not in UNBILLED for attempt in attempts)

    def _ended(  # noqa: PLR0913, PLR0917 - what a stage holds, and by position: names take longer than all the rest
        self,
        i: int,
        ended_ms: int,
        status: StageStatus,
        code: str | None,
        usage: Usage,
        cost: int | None,
        tries: tuple[Attempt, ...],
        completion: Completion | None = None,
        note: str | None = None,
    ) -> Stage:
        call, began = self.call, self.started_ms
        kind, parents, model, sample = self.kind, self.parents, call.model, call.sample
        tries = tries or (Attempt(status, code, ended_ms - began),)
        return Stage(
            i, kind, status, began, ended_ms, parents, model, completion, usage, cost, sample, code, tries, note
        )


def counted(call: ModelCall, completion: Completion) -> Usage:
    """The provider's own count, or ours, marked as estimated, where it gave none; a zero for a text is none."""
    usage = completion.usage
    prompt = usage.prompt_tokens or call.estimated_prompt_tokens
    answer = usage.completion_tokens or _tokens(sum(map(size, pieces_of(completion))))
    if (prompt, answer) == (usage.prompt_tokens, usage.completion_tokens):
        return usage
    return replace(usage, prompt_tokens=prompt, completion_tokens=answer, estimated=True)


def _tokens(characters: int) -> int:
    return -(-characters // 4)
