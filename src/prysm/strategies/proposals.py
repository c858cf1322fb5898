"""The first step of every panel: several independent answers at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prysm.scoring import consensus, score_single, score_votes
from prysm.strategies.fan_out import fan_out, quorum_of
from prysm.strategies.prompts import with_answer_hint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.chat import Message
    from prysm.core.run import Candidate, Score
    from prysm.scoring import Ballot
    from prysm.strategies.run import Run

LEAST_OF_ONE_MODEL = 3
"""Equal answers of one model count as unanimous from this many on: its samples share their mistakes."""


async def propose(
    run: Run, messages: Sequence[Message] | None = None, parents: tuple[int, ...] = ()
) -> list[Candidate]:
    """One answer of each of the plan's models; raises when all fail, says so when some do.

    `messages` is what they are asked, the request itself unless given; `parents` the stages it repeats.
    """
    models = run.plan.models
    asked = with_answer_hint(messages or run.request.messages, run.plan.profile.task)
    calls = [
        run.ask(
            "propose",
            model,
            messages=asked,
            sampling=run.sampled(i),
            sample=models[:i].count(model),
            parents=parents,
        )
        for i, model in enumerate(models)
    ]
    proposals = await fan_out(calls, quorum_of(len(calls)))
    if not proposals:
        raise run.all_failed()
    if len(proposals) < len(models):
        run.degrade(f"partial:{len(proposals)} of {len(models)} proposals")
    return proposals


def vote(run: Run, candidates: Sequence[Candidate], weights: Sequence[float] | None = None) -> Ballot:
    """What the candidates decide: by the caller's consensus rule where there is one, else by `weights`."""
    request, profile = run.request, run.plan.profile
    if request.consensus is None and request.consensus_threshold is None:
        return score_votes(candidates, profile, run.question, weights=weights)
    rule, threshold = request.consensus or "majority", request.consensus_threshold
    found = consensus(candidates, profile, run.question, rule=rule, threshold=threshold)
    if not found.reached:
        run.degrade("no_consensus")
    return found.ballot


def settled(proposals: Sequence[Candidate], ballot: Ballot) -> bool:
    """Whether a closed question was answered alike by enough independent voices that nothing is left to do."""
    models = {candidate.model.id for candidate in proposals}
    return ballot.closed and ballot.unanimous and (len(models) > 1 or len(proposals) >= LEAST_OF_ONE_MODEL)


def standing(run: Run, candidate: Candidate, heard: Sequence[Candidate], ballot: Ballot) -> Score:
    """How far to trust one candidate among those that were heard: with the vote, or alone against it."""
    at, winner = heard.index(candidate), heard.index(ballot.winner)
    if any(at in cluster.members and winner in cluster.members for cluster in ballot.score.clusters):
        return ballot.score
    alone = score_single(candidate, run.plan.profile, run.question)
    return replace(alone, agreement=ballot.score.agreement, clusters=ballot.score.clusters)
