"""A provider behind its limits, calls to it, and the hands of its clock."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.resilience.scripted_provider import CALL, DONE, Hands, Scripted, spec

from prysm.errors import ProviderError
from prysm.resilience.limits import Limits
from prysm.resilience.slots import PAYS

if TYPE_CHECKING:
    from uuid import UUID

    from prysm.core.chat import Completion, ModelCall

Task = asyncio.Task["Completion"]


def sized(tokens: int) -> ModelCall:
    """A call that may use so many tokens."""
    room = tokens - CALL.estimated_prompt_tokens
    return replace(CALL, sampling=replace(CALL.sampling, max_tokens=room))


class Held(Scripted):
    """Answers nobody before it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Event()

    async def complete(self, _: ModelCall) -> Completion:
        """Wait to be told."""
        self.calls += 1
        await self.answers.wait()
        return DONE


class Paced:
    """Calls to one provider, and the hands of its clock."""

    def __init__(self, script: Scripted | None = None, **more: Any) -> None:
        self.hands = Hands()
        self.script = script or Scripted()
        self.limits = Limits(self.script, spec(**more), self.hands.clock)

    async def calls(self, count: int, call: ModelCall = CALL, org: UUID | None = None) -> list[Task]:
        """Begin as many calls; they go as far as they get."""
        PAYS.set(org)
        tasks = [asyncio.create_task(self.limits.complete(call)) for _ in range(count)]
        await self.passes(0)
        return tasks

    async def passes(self, seconds: float) -> int:
        """Let time pass, and return how many calls have been let go so far."""
        self.hands.advance(seconds)
        for _ in range(4):
            await asyncio.sleep(0)
        return self.script.calls


def refusal(task: Task) -> ProviderError:
    """How the rates refused a call."""
    error = task.exception()
    assert isinstance(error, ProviderError)
    assert (error.kind, error.sent) == ("rate_limited", False)
    assert "rpm or tpm" in error.message
    return error
