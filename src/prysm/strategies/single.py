"""single: one model answers; the next target stands in when it fails (routing, FrugalGPT arXiv 2305.05176 §3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.core.run import Verdict
from prysm.errors import BudgetExceeded, ProviderError
from prysm.scoring import score_single

if TYPE_CHECKING:
    from prysm.strategies.run import Run


class Single:
    """One call, plus one for each target that failed before it."""

    async def run(self, run: Run) -> Verdict:
        """Try the plan's model, then its fallbacks; raises when all fail or the answer broke off half-shown."""
        plan = run.plan
        targets = (plan.models[0], *plan.fallbacks)
        for model in targets:
            try:
                candidate = await run.ask("answer", model, final=True)
            except (ProviderError, BudgetExceeded):
                if run.streamed or len(targets) == 1:
                    raise
                continue
            if model is not targets[0]:
                run.degrade("fallback")
            return Verdict(candidate, score_single(candidate, plan.profile, run.question))
        raise run.all_failed()
