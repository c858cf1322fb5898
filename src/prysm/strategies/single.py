"""single: one model answers; the next target stands in when it fails (routing, FrugalGPT arXiv 2305.05176 §3).

An answer below the policy's floors counts as a failure while there is another target to try, and so does a block that
came in place of an answer; when nobody else answers, it is what the caller gets.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Final

from prysm.core.run import Score, Verdict
from prysm.errors import BudgetExceeded, ProviderError
from prysm.scoring import score_single
from prysm.strategies.patience import GivenUp, share_of, until
from prysm.strategies.stand_in import stand_ins
from prysm.strategies.versions import versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.model import Model
    from prysm.core.run import Candidate
    from prysm.strategies.run import Run

FILTERED: Final = "content_filter"


class Single:
    """One call, plus one for each target that failed before it."""

    async def run(self, run: Run) -> Verdict:
        """Try the plan's model, then its fallbacks; raises when all fail or the answer broke off half-shown."""
        left = [run.plan.models[0], *run.plan.fallbacks]
        first, alone = left[0], len(left) == 1
        best: Verdict | None = None
        blocked: list[Verdict] = []
        while left:
            model = left.pop(0)
            made = await self._try(run, model, alone=alone, after=left[:1])
            if not made:
                left = stand_ins(left, model, run.stages[-1].error if run.stages else None)
                continue
            verdict = Verdict(made[0], _score(run, made[0]), made[1:])
            if not run.shown and _blocked(made) and (others := stand_ins(left, model, FILTERED)):
                left, blocked = others, [*blocked, verdict]
                continue
            if blocked:
                _fail(run, blocked)
            if model is not first:
                run.degrade("fallback")
            best = verdict if best is None else max(best, verdict, key=_confidence)
            floor = run.plan.policy.min_confidence
            if not floor or _confidence(verdict) >= floor:
                return best
            run.degrade("below_floor")
            if run.shown:
                return best
        if best or blocked:
            return best or blocked[0]
        raise run.all_failed()

    async def _try(self, run: Run, model: Model, *, alone: bool, after: Sequence[Model]) -> tuple[Candidate, ...]:
        """The model's answer, in as many versions as were asked for.

        Empty when it failed or, with another target left, took longer than the floor allows.

        A streamed answer is shown as it is written, so from its first piece on it is waited for however long it takes.
        """
        try:
            if not after:
                return await versions(run, model)
            floor = run.plan.policy.max_latency_ms
            within = share_of(run, [model], after)
            if run.request.stream:
                return await until(run, versions(run, model), within)
            if floor is None:
                return await versions(run, model, within)
            async with asyncio.timeout(floor / 1000):
                return await versions(run, model, within)
        except TimeoutError:
            run.degrade("below_floor")
        except GivenUp:
            run.degrade("deadline")
        except (ProviderError, BudgetExceeded):
            if run.streamed or alone:
                raise
        return ()


def _blocked(made: Sequence[Candidate]) -> bool:
    """Whether a filter of the provider's let nothing through."""
    for candidate in made:
        end = candidate.completion
        if end.finish_reason != FILTERED or end.text or end.tool_calls:
            return False
    return True


def _fail(run: Run, blocked: Sequence[Verdict]) -> None:
    """Another model answered: that is what the blocks before it are to be known as."""
    for candidate in chain.from_iterable(verdict.choices for verdict in blocked):
        run.stages[candidate.stage] = replace(run.stages[candidate.stage], status="failed", error=FILTERED)


def _score(run: Run, candidate: Candidate) -> Score:
    """How far to trust the answer; of vectors nothing can be said."""
    if candidate.completion.vectors is not None:
        return Score(None, None, "none")
    return score_single(candidate, run.plan.profile, run.question)


def _confidence(verdict: Verdict) -> float:
    return verdict.score.confidence or 0.0
