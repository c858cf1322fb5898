"""ensemble_moa: several models propose, the strongest merges (Mixture-of-Agents, arXiv 2406.04692).

Proposers are near-equal models, or samples of the best one where the pool is uneven (Self-MoA, arXiv 2502.00674).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.core.run import Verdict
from prysm.errors import AllModelsFailed, BudgetExceeded, ProviderError
from prysm.scoring import score_fused, score_votes, usable
from prysm.strategies.called import called, calls_tools, in_words
from prysm.strategies.patience import patience_with, until
from prysm.strategies.prompts import aggregate, hinted
from prysm.strategies.proposals import alone, as_heard, propose, settled, shuffled, vote
from prysm.strategies.validity import Unfit

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
        proposals = await propose(run, phases_after=run.plan.layers)
        least = len(proposals)
        for phases_after in range(run.plan.layers - 1, 0, -1):
            proposals = await self._next_layer(run, proposals, phases_after)
            least = min(least, len(proposals))
        return as_heard(await self._decide(run, proposals), least, len(run.plan.models))

    async def _decide(self, run: Run, proposals: list[Candidate]) -> Verdict:
        if len(proposals) == 1:
            return alone(run, proposals[0])
        ballot = vote(run, proposals)
        if settled(proposals, ballot):
            run.note("vote", tuple(c.stage for c in proposals), f"all {len(proposals)} agree, nothing to merge")
            return Verdict(ballot.winner, ballot.score)
        if tools := called(run, proposals, ballot):
            return tools
        return await self._merge(run, in_words(proposals), ballot)

    async def _next_layer(self, run: Run, proposals: list[Candidate], phases_after: int) -> list[Candidate]:
        """Every proposer answers again, having read the layer before; that layer stands when this one fails."""
        ballot = score_votes(proposals, run.plan.profile, run.question)
        if settled(proposals, ballot) or any(map(calls_tools, proposals)):
            return proposals
        shown, note = shuffled(run, proposals)
        messages = aggregate(hinted(run), [c.text for c in shown], run.nonce)
        parents = tuple(c.stage for c in shown)
        try:
            return await propose(run, messages, parents, note=note, phases_after=phases_after)
        except AllModelsFailed:
            run.degrade("layer_failed")
            return proposals

    async def _merge(self, run: Run, proposals: list[Candidate], ballot: Ballot) -> Verdict:
        """Merge by the aggregator, else by the best proposer's model; the vote's winner when neither can.

        So it is when the merged text does not fit what the caller asked for.
        """
        if len(proposals) == 1:
            return Verdict(ballot.winner, ballot.score)
        shown, order = shuffled(run, proposals)
        answers = [candidate.text for candidate in shown]
        voted = run.note("vote", tuple(c.stage for c in proposals), order)
        for aggregator in _aggregators(run, proposals):
            try:
                merging = run.ask(
                    "aggregate",
                    aggregator,
                    messages=aggregate(run.request.messages, answers, run.nonce),
                    sampling=run.cooled(AGGREGATOR_TEMPERATURE),
                    parents=(voted,),
                    final=True,
                )
                merged = await until(run, merging, patience_with(run, aggregator))
            except Unfit:
                run.degrade("invalid_merge")
                break
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
