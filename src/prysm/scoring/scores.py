"""From candidates to a score: what the strategies call."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from prysm.core.run import Candidate, Cluster, Score
from prysm.scoring import confidence
from prysm.scoring import question as asked
from prysm.scoring.cluster import Clustering, cluster
from prysm.scoring.equivalence import LINK, Answer, prepare, similarity
from prysm.scoring.extract import Extracted, extract
from prysm.scoring.question import OPEN
from prysm.scoring.standing import standing
from prysm.scoring.surface import quality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.model import Model
    from prysm.core.plan import Profile
    from prysm.scoring.question import Question

SAME_MODEL, SAME_FAMILY, OTHER_FAMILY = 0.5, 0.25, 0.1
"""Assumed correlation of two answers' errors, by how related their models are."""
KEPT_FACTS = 0.55
OPEN_TASKS = frozenset(("writing", "translation", "chat"))
"""Tasks whose answers have no form to look for."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """The outcome of a vote. `winner` is the medoid of the top cluster.

    `unanimous`: at least two answers, one cluster, nobody abstained. `closed`: the answers were short enough to be
    extracted and compared exactly.
    """

    winner: Candidate
    score: Score
    unanimous: bool
    closed: bool


@dataclass(frozen=True, slots=True)
class _Voter:
    """A candidate that votes: its position among all, what it says, and its part of the vote."""

    at: int
    candidate: Candidate
    answer: Answer
    weight: float


def score_single(candidate: Candidate, profile: Profile, question: str) -> Score:
    """Score the only answer there is. `agreement` is `None`: one answer agrees with nobody."""
    return _single(candidate, profile, OPEN if profile.task in OPEN_TASKS else asked.read(question))


def score_votes(
    candidates: Sequence[Candidate], profile: Profile, question: str, *, weights: Sequence[float] | None = None
) -> Ballot:
    """Cluster the answers and score the medoid of the heaviest cluster.

    Refused, empty, cut and endlessly repeating answers abstain while better ones are there; so do answers that
    state nothing where most state something. Copies of one call count once. `Cluster.members` are positions in
    `candidates`. At least one candidate is needed, and weights, if given, must be positive and as many.
    """
    form = asked.read(question)
    voters = _voters(candidates, form, weights)
    if sum(1 for voter in voters if voter.weight) <= 1:
        return _alone(voters, profile, form)
    found = cluster(
        [voter.answer for voter in voters],
        [voter.weight for voter in voters],
        [voter.candidate.model.quality_for(profile.task) for voter in voters],
    )
    return Ballot(
        winner=voters[found.medoids[0]].candidate,
        score=_vote_score(found, voters, candidates, profile),
        unanimous=len(found.groups) == 1 and len(voters) == len(candidates),
        closed=all(voter.answer.extracted is not None for voter in voters),
    )


def score_fused(output: Candidate, ballot: Ballot, profile: Profile, question: str) -> Score:
    """Score an answer that a model wrote from the candidates of `ballot`.

    Agreement stays that of the independent answers; the fused one is no further vote.
    """
    form = asked.read(question)
    alone = _single(output, profile, form)
    if standing(output.completion) != "whole" or ballot.score.agreement is None:
        return alone
    answer = prepare(output.text, form)
    support = _support(answer, ballot, form)
    looks = quality(output.text, profile, form, answer.extracted)
    against = ballot.unanimous and ballot.closed and not support
    value, method = confidence.fused(ballot.score.agreement, support, looks, against_panel=against)
    return Score(value, ballot.score.agreement, method, ballot.score.clusters)


def _support(output: Answer, ballot: Ballot, form: Question) -> float:
    """Return the weight of the clusters whose answer the output keeps; of an open question, of the top one only."""
    top, *others = ballot.score.clusters
    kept = top.weight if _keeps(output, prepare(ballot.winner.text, form)) else 0.0
    for cluster_ in others:
        if cluster_.answer is not None and _keeps(output, prepare(cluster_.answer, form)):
            kept += cluster_.weight
    return kept


def _keeps(output: Answer, answer: Answer) -> bool:
    """Tell whether an output says what an answer says, or has most of its facts."""
    if similarity(output, answer) >= LINK:
        return True
    facts = answer.numbers | answer.names
    open_answer = answer.extracted is None or output.extracted is None
    return open_answer and bool(facts) and len(facts & (output.numbers | output.names)) >= KEPT_FACTS * len(facts)


def _single(candidate: Candidate, profile: Profile, form: Question) -> Score:
    completion = candidate.completion
    extracted = extract(completion.text, form) if form.closed else None
    looks = quality(completion.text, profile, form, extracted)
    prior = candidate.model.quality_for(profile.task)
    value, method = confidence.single(prior, looks, standing(completion))
    return Score(value, None, method)


def _voters(candidates: Sequence[Candidate], form: Question, weights: Sequence[float] | None) -> list[_Voter]:
    """Leave out who abstains; give a copy of a call no weight."""
    given = weights if weights is not None else [1.0] * len(candidates)
    counted: set[object] = set()
    voters = []
    for at in _standing_positions(candidates):
        call = _call(candidates[at], at)
        weight = 0.0 if call in counted else given[at]
        counted.add(call)
        voters.append(_Voter(at, candidates[at], prepare(candidates[at].text, form), weight))
    stating = [voter for voter in voters if voter.answer.extracted is not None]
    return stating if form.closed and 2 * len(stating) > len(voters) else voters


def _standing_positions(candidates: Sequence[Candidate]) -> list[int]:
    """Return the positions of the best standing there is."""
    standings = [standing(candidate.completion) for candidate in candidates]
    for best in ("whole", "truncated"):
        if best in standings:
            return [at for at, found in enumerate(standings) if found == best]
    return [at for at, found in enumerate(standings) if found == "refused"] or list(range(len(candidates)))


def _call(candidate: Candidate, at: int) -> object:
    """Name the call that an answer came from: the same provider request is the same answer, served twice."""
    return candidate.completion.provider_request_id or at


def _alone(voters: Sequence[_Voter], profile: Profile, form: Question) -> Ballot:
    """Score a vote with one voter, as one answer."""
    winner = max(voters, key=lambda voter: voter.weight)
    score = _single(winner.candidate, profile, form)
    closed = winner.answer.extracted is not None
    return Ballot(winner.candidate, score, unanimous=False, closed=closed)


def _vote_score(
    found: Clustering, voters: Sequence[_Voter], candidates: Sequence[Candidate], profile: Profile
) -> Score:
    winner = voters[found.medoids[0]].candidate
    independent = [voter.candidate.model for voter in voters if voter.weight]
    value, method = confidence.votes(
        found.shares[0],
        found.degree(found.medoids[0], [voter.weight for voter in voters]),
        prior=winner.model.quality_for(profile.task),
        effective=confidence.effective_share(len(independent), _correlation(independent)),
        valid=len(voters) / len(candidates),
    )
    cap = confidence.STANDING_CAPS[standing(winner.completion)]
    return Score(min(value, cap), found.shares[0], method, _clusters(found, voters))


def _clusters(found: Clustering, voters: Sequence[_Voter]) -> tuple[Cluster, ...]:
    return tuple(
        Cluster(
            members=tuple(voters[i].at for i in group),
            models=tuple(voters[i].candidate.model.id for i in group),
            weight=share,
            answer=_value(voters[medoid].answer.extracted),
        )
        for group, share, medoid in zip(found.groups, found.shares, found.medoids, strict=True)
    )


def _value(extracted: Extracted | None) -> str | None:
    return extracted.value if extracted is not None and extracted.kind != "code" else None


def _correlation(models: Sequence[Model]) -> float:
    """Return the mean assumed correlation over all pairs."""
    pairs = [_related(a, b) for a, b in combinations(models, 2)]
    return sum(pairs) / len(pairs)


def _related(a: Model, b: Model) -> float:
    if a.id == b.id:
        return SAME_MODEL
    return SAME_FAMILY if a.family == b.family else OTHER_FAMILY
