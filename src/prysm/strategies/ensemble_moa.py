"""ensemble_moa: several models propose, the strongest merges (Mixture-of-Agents, arXiv 2406.04692).

Proposers are near-equal models, or samples of the best one where the pool is uneven (Self-MoA, arXiv 2502.00674).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.core.run import Verdict
from prysm.errors import AllModelsFailed, BudgetExceeded, ProviderError
from prysm.scoring import score_fused, score_single, score_votes, usable
from prysm.strategies.prompts import aggregate
from prysm.strategies.proposals import propose, settled, vote

if TYPE_CHECKING:
    from prysm.core.model import Model
    from prysm.core.run import Candidate
    from prysm.scoring import Ballot
    from prysm.strategies.run import Run

AGGREGATOR_TEMPERATURE = 0.3


class EnsembleMoa:
    """`k` calls a layer, then one that merges them; without it when a closed question is unanimous."""

    async def run(self, run: Run) -> Verdict:
        """Propose, compare, merge; raises when every proposer failed."""
        proposals = await propose(run)
        for _ in range(run.plan.layers - 1):
            proposals = await self._next_layer(run, proposals)
        if len(proposals) == 1:
            return Verdict(proposals[0], score_single(proposals[0], run.plan.profile, run.question))
        ballot = vote(run, proposals)
        if settled(proposals, ballot):
            run.note("vote", tuple(c.stage for c in proposals), f"all {len(proposals)} agree, nothing to merge")
            return Verdict(ballot.winner, ballot.score)
        return await self._merge(run, proposals, ballot)

    async def _next_layer(self, run: Run, proposals: list[Candidate]) -> list[Candidate]:
        """Every proposer answers again, having read the layer before; that layer stands when this one fails."""
        ballot = score_votes(proposals, run.plan.profile, run.question)
        if settled(proposals, ballot):
            return proposals
        shown = run.rng.sample(proposals, len(proposals))
        messages = aggregate(run.request.messages, [c.text for c in shown], run.nonce)
        try:
            return await propose(run, messages, tuple(c.stage for c in shown))
        except AllModelsFailed:
            run.degrade("layer_failed")
            return proposals

    async def _merge(self, run: Run, proposals: list[Candidate], ballot: Ballot) -> Verdict:
        """Merge by the aggregator, else by the best proposer's model; the vote's winner when neither can."""
        order = list(range(len(proposals)))
        run.rng.shuffle(order)
        shuffled = [proposals[i] for i in order]
        answers = [candidate.text for candidate in shuffled]
        voted = run.note("vote", tuple(c.stage for c in proposals), f"order {','.join(map(str, order))}")
        for aggregator in _aggregators(run, proposals):
            try:
                merged = await run.ask(
                    "aggregate",
                    aggregator,
                    messages=aggregate(run.request.messages, answers, run.nonce),
                    sampling=run.cooled(AGGREGATOR_TEMPERATURE),
                    parents=(voted,),
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
