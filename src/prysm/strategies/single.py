"""single: one model answers; the next target stands in when it fails (routing, FrugalGPT arXiv 2305.05176 §3).

An answer below the policy's floors counts as a failure while there is another target to try.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prysm.core.run import Verdict
from prysm.errors import BudgetExceeded, ProviderError
from prysm.scoring import score_single

if TYPE_CHECKING:
    from prysm.core.model import Model
    from prysm.core.run import Candidate
    from prysm.strategies.run import Run


class Single:
    """One call, plus one for each target that failed before it."""

    async def run(self, run: Run) -> Verdict:
        """Try the plan's model, then its fallbacks; raises when all fail or the answer broke off half-shown."""
        targets = (run.plan.models[0], *run.plan.fallbacks)
        best: Verdict | None = None
        for model in targets:
            last = model is targets[-1]
            candidate = await self._try(run, model, alone=len(targets) == 1, last=last)
            if candidate is None:
                continue
            if model is not targets[0]:
                run.degrade("fallback")
            verdict = Verdict(candidate, score_single(candidate, run.plan.profile, run.question))
            best = verdict if best is None else max(best, verdict, key=_confidence)
            below = _confidence(verdict) < (run.plan.policy.min_confidence or 0)
            if below:
                run.degrade("below_floor")
            if run.streamed or not below:
                return best
        if best is not None:
            return best
        raise run.all_failed()

    async def _try(self, run: Run, model: Model, *, alone: bool, last: bool) -> Candidate | None:
        """The model's answer; None when it failed or, with another target left, took longer than the floor allows.

        A streamed answer is shown as it is written, so it is waited for however long it takes.
        """
        floor = run.plan.policy.max_latency_ms
        try:
            if last or run.request.stream:
                return await run.ask("answer", model, final=True)
            within = run.clock.share(phases_after=1)
            if floor is None:
                return await run.ask("answer", model, within=within)
            async with asyncio.timeout(floor / 1000):
                return await run.ask("answer", model, within=within)
        except TimeoutError:
            run.degrade("below_floor")
        except (ProviderError, BudgetExceeded):
            if run.streamed or alone:
                raise
        return None


def _confidence(verdict: Verdict) -> float:
    return verdict.score.confidence or 0.0
