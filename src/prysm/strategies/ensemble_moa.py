"""ensemble_moa: several models propose, the strongest merges (Mixture-of-Agents, arXiv 2406.04692).

Proposers are near-equal models, or samples of the best one where the pool is uneven (Self-MoA, arXiv 2502.00674).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.core.run import Verdict
from prysm.errors import BudgetExceeded, ProviderError
from prysm.scoring import score_fused, score_single, score_votes, usable
from prysm.strategies.fan_out import fan_out, quorum_of
from prysm.strategies.prompts import aggregate, with_answer_hint

if TYPE_CHECKING:
    from prysm.core.model import Model
    from prysm.core.run import Candidate
    from prysm.scoring import Ballot
    from prysm.strategies.run import Run

LEAST_OF_ONE_MODEL = 3
"""Equal answers of one model count as unanimous from this many on: its samples share their mistakes."""

AGGREGATOR_TEMPERATURE = 0.3


class EnsembleMoa:
    """`k` calls at once, then one that merges them; without it when a closed question is unanimous."""

    async def run(self, run: Run) -> Verdict:
        """Propose, compare, merge; raises when every proposer failed."""
        proposals = await self._propose(run)
        if not proposals:
            raise run.all_failed()
        if len(proposals) == 1:
            return Verdict(proposals[0], score_single(proposals[0], run.plan.profile, run.question))
        ballot = score_votes(proposals, run.plan.profile, run.question)
        if ballot.closed and ballot.unanimous and _independent(proposals):
            run.note("vote", tuple(c.stage for c in proposals), f"all {len(proposals)} agree, nothing to merge")
            return Verdict(ballot.winner, ballot.score)
        return await self._merge(run, proposals, ballot)

    async def _propose(self, run: Run) -> list[Candidate]:
        models, messages = run.plan.models, with_answer_hint(run.request.messages, run.plan.profile.task)
        calls = [
            run.ask("propose", model, messages=messages, sampling=run.sampled(i), sample=models[:i].count(model))
            for i, model in enumerate(models)
        ]
        proposals = await fan_out(calls, quorum_of(len(calls)))
        if len(proposals) < len(models):
            run.degrade(f"partial:{len(proposals)} of {len(models)} proposals")
        return proposals

    async def _merge(self, run: Run, proposals: list[Candidate], ballot: Ballot) -> Verdict:
        """Merge by the aggregator, else by the best proposer's model; the vote's winner when neither can."""
        order = list(range(len(proposals)))
        run.rng.shuffle(order)
        shuffled = [proposals[i] for i in order]
        answers = [candidate.text for candidate in shuffled]
        vote = run.note("vote", tuple(c.stage for c in proposals), f"order {','.join(map(str, order))}")
        for aggregator in _aggregators(run, proposals):
            try:
                merged = await run.ask(
                    "aggregate",
                    aggregator,
                    messages=aggregate(run.request.messages, answers, run.nonce),
                    sampling=run.cooled(AGGREGATOR_TEMPERATURE),
                    parents=(vote,),
                    final=True,
                )
            except (ProviderError, BudgetExceeded):
                if run.streamed:
                    raise
                run.degrade("aggregator_failed")
                continue
            if run.streamed or usable(merged.completion) or not usable(ballot.winner.completion):
                return Verdict(merged, score_fused(merged, ballot, run.plan.profile, run.question))
            run.degrade("aggregator_unusable")
        return Verdict(ballot.winner, ballot.score)


def _aggregators(run: Run, proposals: list[Candidate]) -> list[Model]:
    """The plan's aggregator first, then the strongest proposer that answered."""
    task = run.plan.profile.task
    best = max((candidate.model for candidate in proposals), key=lambda model: model.quality_for(task))
    first = run.plan.aggregator or best
    return [first] if first is best else [first, best]


def _independent(proposals: list[Candidate]) -> bool:
    models = {candidate.model.id for candidate in proposals}
    return len(models) > 1 or len(proposals) >= LEAST_OF_ONE_MODEL
