"""cascade: cheap models first, the strong one only when they leave doubt (FrugalGPT, arXiv 2305.05176).

For a question with a comparable answer the gate is agreement of independent cheap models (agreement-based
cascading, arXiv 2407.02348); for an open one it is the score of the single answer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prysm.core.run import Verdict
from prysm.errors import BudgetExceeded, ProviderError
from prysm.scoring import score_single, score_votes
from prysm.strategies.fan_out import fan_out
from prysm.strategies.prompts import CLOSED_TASKS, with_answer_hint
from prysm.strategies.proposals import standing

if TYPE_CHECKING:
    from prysm.core.model import Model
    from prysm.core.run import Candidate, Score, StageKind
    from prysm.strategies.run import Run

BELOW_THE_BAR = 0.01
"""An answer returned because the ladder ended stays this far below the bar: it did not clear it."""


class Cascade:
    """One to `k + 1` calls: the cheap pair at once when answers can be compared, else rung by rung."""

    async def run(self, run: Run) -> Verdict:
        """Climb until an answer clears the policy's bar; the best answer so far when the ladder ends."""
        *cheap, strong = run.plan.models
        together = len(cheap) > 1 and run.plan.profile.task in CLOSED_TASKS
        rungs = [cheap, [strong]] if together else [[model] for model in run.plan.models]
        heard: list[Candidate] = []
        score: Score | None = None
        for rung in rungs:
            answers = await self._climb(run, rung, heard)
            if not answers:
                continue
            heard += answers
            chosen, score = self._judge(run, heard, answers)
            if (score.confidence or 0) >= run.plan.policy.bar:
                return Verdict(chosen, replace(score, bar_cleared=True))
        if score is None:
            raise run.all_failed()
        return Verdict(chosen, _not_cleared(score, run.plan.policy.bar))

    async def _climb(self, run: Run, rung: list[Model], heard: list[Candidate]) -> list[Candidate]:
        """The answers of one rung; a failed model or a reached ceiling leaves a gap and is said."""
        messages = with_answer_hint(run.request.messages, run.plan.profile.task)
        parents = tuple(candidate.stage for candidate in heard)
        kind: StageKind = "escalate" if heard else "answer"
        calls = [run.ask(kind, model, messages=messages, parents=parents) for model in rung]
        if len(calls) > 1:
            answers = await fan_out(calls, len(calls))
        else:
            try:
                answers = [await calls[0]]
            except (ProviderError, BudgetExceeded) as error:
                run.degrade("ceiling_reached" if isinstance(error, BudgetExceeded) else "rung_failed")
                return []
        if len(answers) < len(rung):
            run.degrade("rung_failed")
        return answers

    def _judge(self, run: Run, heard: list[Candidate], latest: list[Candidate]) -> tuple[Candidate, Score]:
        """The answer that stands after this rung: the vote's winner, or the latest and strongest model's own."""
        profile, question = run.plan.profile, run.question
        if len(heard) == 1:
            return heard[0], score_single(heard[0], profile, question)
        ballot = score_votes(heard, profile, question)
        run.note("vote", tuple(c.stage for c in heard), f"{len(ballot.score.clusters)} answers among {len(heard)}")
        if ballot.closed and ballot.unanimous:
            return ballot.winner, ballot.score
        best = max(latest, key=lambda candidate: candidate.model.quality_for(profile.task))
        return best, standing(run, best, heard, ballot)


def _not_cleared(score: Score, bar: float) -> Score:
    confidence = None if score.confidence is None else min(score.confidence, bar - BELOW_THE_BAR)
    return replace(score, confidence=confidence, bar_cleared=False)
