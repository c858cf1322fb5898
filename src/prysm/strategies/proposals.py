"""The first step of every panel: several independent answers at once."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from prysm.core.run import Verdict
from prysm.scoring import Consensus, consensus, score_single, score_votes
from prysm.scoring.consensus import HALF, confidence_weights
from prysm.strategies.fan_out import PATIENCE, fan_out, quorum_of
from prysm.strategies.prompts import hinted

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from prysm.core.chat import Message
    from prysm.core.model import Task
    from prysm.core.run import Candidate, Score
    from prysm.scoring import Ballot, Compared
    from prysm.scoring.consensus import Rule
    from prysm.strategies.run import Run

T = TypeVar("T")

LEAST_OF_ONE_MODEL = 3
"""Equal answers of one model count as unanimous from this many on: its samples share their mistakes."""


async def propose(
    run: Run,
    messages: Sequence[Message] | None = None,
    parents: tuple[int, ...] = (),
    *,
    note: str | None = None,
    phases_after: int = 0,
) -> list[Candidate]:
    """One answer of each of the plan's models; raises when all fail, says so when some do.

    `messages` is what they are asked, the request itself unless given; `parents` the stages it repeats, in the order
    that `note` tells. Under a deadline `phases_after` are left their share of the time.
    """
    models = run.plan.models
    asked = hinted(run, messages)
    calls = [
        run.ask(
            "propose",
            model,
            messages=asked,
            sampling=run.sampled(i),
            sample=models[:i].count(model),
            parents=parents,
            note=note,
        )
        for i, model in enumerate(models)
    ]
    proposals = await heard(run, calls, phases_after)
    if not proposals:
        raise run.all_failed()
    if len(proposals) < len(models):
        run.degrade(f"partial:{len(proposals)} of {len(models)} proposals")
    return proposals


def as_heard(verdict: Verdict, answered: int, planned: int) -> Verdict:
    """The verdict of a panel of which only so many answered: the odds of its confidence lose the share of the missing.

    What the missing would have said is not known: no outcome tells what a silence is worth, so that calibration leaves
    it out. But the panel was planned as wide as it is to be as sure as it is, and one that lost a member has heard less
    of what could speak against it. That is a decision, not a fit: a whole panel loses nothing, and nobody gains.
    """
    confidence = verdict.score.confidence
    if confidence is None or answered >= planned:
        return verdict
    left = confidence * answered / planned
    return replace(verdict, score=replace(verdict.score, confidence=left / (left + 1 - confidence)))


async def heard(run: Run, calls: Sequence[Coroutine[object, object, T]], phases_after: int = 0) -> list[T]:
    """What a quorum says in its share of the deadline; a share that was too short for all is said."""
    share, began = run.clock.share(phases_after), time.perf_counter()
    usual = max(model.latency_ms or 0 for model in run.plan.models) / 1000
    found = await fan_out(calls, quorum_of(len(calls)), within=share, patience=PATIENCE * usual)
    if share is not None and len(found) < len(calls) and time.perf_counter() - began >= share:
        run.degrade("deadline")
    return found


def shuffled(run: Run, candidates: Sequence[Candidate]) -> tuple[list[Candidate], str]:
    """The candidates in the order in which a model is to read them, and that order for the trace."""
    order = run.rng.sample(range(len(candidates)), len(candidates))
    return [candidates[i] for i in order], f"order {','.join(map(str, order))}"


def alone(run: Run, candidate: Candidate) -> Verdict:
    """The verdict on the only answer there is; it is no consensus, where the caller asked for one."""
    if _rule(run) is not None:
        run.degrade("no_consensus")
    return Verdict(candidate, score_single(candidate, run.plan.profile, run.question))


def vote(
    run: Run,
    candidates: Sequence[Candidate],
    weights: Sequence[float] | None = None,
    compared: Compared | None = None,
) -> Ballot:
    """What the candidates decide: by the caller's consensus rule where there is one, else by majority.

    `weights` are the candidates' parts of the vote, by default equal; a rule's own weights multiply them.
    """
    profile, rule, threshold = run.plan.profile, _rule(run), run.request.consensus_threshold
    if rule is None:
        return score_votes(candidates, profile, run.question, weights=weights, compared=compared)
    if weights is None or rule == "expert":  # whose word counts for who gave it, not for its votes
        found = consensus(candidates, profile, run.question, rule=rule, threshold=threshold, compared=compared)
    else:
        both = list(weights)
        if rule == "weighted_confidence":
            both = [w * _voice(one, candidates, profile.task) for w, one in zip(weights, candidates, strict=True)]
        ballot = score_votes(candidates, profile, run.question, weights=both, compared=compared)
        most = ballot.score.agreement or 0.0
        found = Consensus(ballot, most > HALF if threshold is None else most >= threshold)
    if not found.reached:
        run.degrade("no_consensus")
    return found.ballot


def _voice(one: Candidate, candidates: Sequence[Candidate], task: Task) -> float:
    """What the rule gives to one voice of each model; how often a model speaks is in the weights already."""
    voices = {candidate.model.id: candidate for candidate in candidates} | {one.model.id: one}
    return confidence_weights(list(voices.values()), task)[list(voices).index(one.model.id)]


def _rule(run: Run) -> Rule | None:
    """The caller's consensus rule; a threshold alone is one of the majority."""
    request = run.request
    return request.consensus or (None if request.consensus_threshold is None else "majority")


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
