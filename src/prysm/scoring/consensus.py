"""Rules for what several independent answers decide: majority, weighted by confidence, or the expert's word.

Weights are the log odds of a voter's prior, optimal for independent voters (Nitzan and Paroush 1982), times how far
its own stated confidence is to be believed (ReConcile, arXiv 2309.13007).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from prysm.scoring.evidence import stated_confidence
from prysm.scoring.logistic import logit
from prysm.scoring.scores import Ballot, score_escalated, score_votes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.model import Task
    from prysm.core.plan import Profile
    from prysm.core.run import Candidate
    from prysm.scoring.calibration import Parameters
    from prysm.scoring.cluster import Compared

Rule: TypeAlias = Literal["majority", "weighted_confidence", "expert"]

HALF = 0.5
LEAST_PRIOR, MOST_PRIOR = 0.55, 0.95
REPEATED = 0.5
"""What a further sample of one model counts: it repeats the model's mistakes."""
MOST_OF_ALL = 0.40
"""Part of the whole weight that one voter has at most, so that no loud one decides alone."""
UNSTATED = 0.5
BELIEVED = ((1.0, 1.0), (0.9, 0.8), (0.8, 0.5), (0.6, 0.3), (0.0, 0.1))
"""From a stated confidence on, how far it is believed: models say too much (ReConcile, appendix)."""
OVERRULED_BY, OVERRULING = 2 / 3, 3
"""Part of the other voters, and how many of them at least, that overrule an expert who is not sure."""


@dataclass(frozen=True, slots=True)
class Consensus:
    """A ballot by a rule. Below the threshold `reached` is false: the answer stands, with `no_consensus` said."""

    ballot: Ballot
    reached: bool


def consensus(
    candidates: Sequence[Candidate],
    profile: Profile,
    question: str,
    *,
    rule: Rule = "majority",
    threshold: float | None = None,
    calibration: Parameters | None = None,
    compared: Compared | None = None,
) -> Consensus:
    """Decide by a rule; `threshold`, 0–1, is the least weight of the winning cluster, by default more than half.

    `compared` as for `score_votes`.
    """
    weights = confidence_weights(candidates, profile.task) if rule == "weighted_confidence" else None
    ballot = score_votes(candidates, profile, question, weights=weights, calibration=calibration, compared=compared)
    if rule == "expert":
        chosen = _expert(candidates, ballot, profile.task)
        if chosen is not None and _with_majority(chosen, ballot):
            ballot = replace(ballot, winner=candidates[chosen])
        elif chosen is not None:
            ballot = score_escalated(chosen, candidates, ballot, profile, question, calibration=calibration)
    return Consensus(ballot, _reached(candidates, ballot, threshold))


def _with_majority(chosen: int, ballot: Ballot) -> bool:
    """Tell whether a candidate says what most say: then it stands for their votes too."""
    return any(found.weight > HALF and chosen in found.members for found in ballot.score.clusters)


def confidence_weights(candidates: Sequence[Candidate], task: Task) -> list[float]:
    """Return each voter's weight; together 1."""
    times = [sum(1 for other in candidates if other.model.id == one.model.id) for one in candidates]
    raw = [
        logit(min(MOST_PRIOR, max(LEAST_PRIOR, one.model.quality_for(task))))
        * _believed(one)
        * (1 + (n - 1) * REPEATED)
        / n
        for one, n in zip(candidates, times, strict=True)
    ]
    return _capped([weight / sum(raw) for weight in raw])


def _believed(candidate: Candidate) -> float:
    stated = stated_confidence(candidate.text)
    return UNSTATED if stated is None else next(factor for least, factor in BELIEVED if stated >= least)


def _capped(shares: list[float]) -> list[float]:
    """Cut who has more than the most of all, and give the rest their part; with two voters the cap is half."""
    most = max(MOST_OF_ALL, 1 / len(shares))
    for _ in shares:
        over = {i for i, share in enumerate(shares) if share >= most}
        rest = sum(share for i, share in enumerate(shares) if i not in over)
        if not rest or not any(shares[i] > most for i in over):
            break
        left = 1 - most * len(over)
        shares = [most if i in over else share * left / rest for i, share in enumerate(shares)]
    return shares


def _expert(candidates: Sequence[Candidate], ballot: Ballot, task: Task) -> int | None:
    """Return the position of the answer that the best model gives most, unless the others overrule it."""
    voting = [member for found in ballot.score.clusters for member in found.members]
    if not voting:
        return None
    best = max((candidates[i].model for i in voting), key=lambda model: model.quality_for(task))
    own = [[i for i in found.members if candidates[i].model.id == best.id] for found in ballot.score.clusters]
    word = max(own, key=len)
    samples = sum(map(len, own))
    others = [[i for i in found.members if candidates[i].model.id != best.id] for found in ballot.score.clusters]
    against = max((len(group) for group, mine in zip(others, own, strict=True) if mine is not word), default=0)
    heard = sum(map(len, others))
    unsure = samples == 1 or len(word) < HALF * samples
    overruled = unsure and heard >= OVERRULING and against >= OVERRULED_BY * heard
    return None if overruled else word[0]


def _reached(candidates: Sequence[Candidate], ballot: Ballot, threshold: float | None) -> bool:
    """Tell whether the winner's cluster has the weight; one answer that nobody else gave agrees with nobody."""
    at = next(i for i, candidate in enumerate(candidates) if candidate is ballot.winner)
    weight = next((found.weight for found in ballot.score.clusters if at in found.members), 0.0)
    return weight > HALF if threshold is None else weight >= threshold
