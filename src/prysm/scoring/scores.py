"""From candidates to a score: what the strategies call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from prysm.core.run import Candidate, Cluster, Score
from prysm.scoring import confidence
from prysm.scoring import question as asked
from prysm.scoring.calibration import Evidence, current, task_class
from prysm.scoring.cluster import Clustering, Compared, cluster
from prysm.scoring.coherence import Stand
from prysm.scoring.equivalence import LINK, Answer, of_value, prepare, ready, similarity
from prysm.scoring.evidence import VOTE_FEATURES, of_answer
from prysm.scoring.extract import Extracted, extract
from prysm.scoring.question import OPEN
from prysm.scoring.standing import standing
from prysm.scoring.surface import quality

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prysm.core.plan import Profile
    from prysm.scoring.calibration import Parameters, Situation
    from prysm.scoring.question import Question

KEPT_FACTS, HALF = 0.55, 0.5
DATA_CLASSES = {"call": "tool_call", "json": "json"}
"""Classes of answers that are data: an own fit, or none."""
OPEN_TASKS = frozenset(("writing", "translation", "chat"))
"""Tasks whose answers have no form to look for."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """The outcome of a vote. `winner` is the medoid of the top cluster.

    `unanimous`: at least two answers, one cluster, nobody abstained. `closed`: the answers were short enough to be
    extracted and compared exactly. `evidence` is what the score was found from. `vote` is the ballot that an expert's
    word has overruled.
    """

    winner: Candidate
    score: Score
    unanimous: bool
    closed: bool
    evidence: Evidence
    vote: Ballot | None = None


@dataclass(frozen=True, slots=True)
class _Voter:
    """A candidate that votes: its position among all, what it says, and its part of the vote."""

    at: int
    candidate: Candidate
    answer: Answer
    weight: float


def score_single(
    candidate: Candidate, profile: Profile, question: str, *, calibration: Parameters | None = None
) -> Score:
    """Score the only answer there is. `agreement` is `None`: one answer agrees with nobody."""
    evidence = _evidence("single", candidate, _form(profile, question), profile)
    value, method = confidence.assessed(evidence, calibration or current())
    return Score(_standing(value, candidate), None, method, (), None, evidence)


def evidence_single(candidate: Candidate, profile: Profile, question: str) -> Evidence:
    """Return what `score_single` goes by, to be kept with the outcome."""
    return _evidence("single", candidate, _form(profile, question), profile)


def score_votes(
    candidates: Sequence[Candidate],
    profile: Profile,
    question: str,
    *,
    weights: Sequence[float] | None = None,
    calibration: Parameters | None = None,
    compared: Compared | None = None,
) -> Ballot:
    """Cluster the answers and score the medoid of the heaviest cluster.

    Refused, empty, cut and endlessly repeating answers abstain while better ones are there. Copies of one call
    count once. `Cluster.members` are positions in `candidates`. At least one candidate is needed, and weights, if
    given, must be positive and as many. Eight long answers take some 5 ms, forty 100: whoever votes on ever more
    of them keeps what was `compared`.
    """
    form, parameters, compared = asked.read(question), calibration or current(), compared or Compared()
    voters = _voters(candidates, form, weights, compared)
    if sum(1 for voter in voters if voter.weight) <= 1:
        return _alone(voters, profile, question, parameters)
    found = cluster(
        [voter.answer for voter in voters],
        [voter.weight for voter in voters],
        [voter.candidate.model.quality_for(profile.task) for voter in voters],
        compared,
    )
    clusters, top = _clusters(found, voters), voters[found.medoids[0]]
    value, method, evidence = _stand(top.at, candidates, clusters, profile, _form(profile, question)).trust(
        parameters
    )
    return Ballot(
        winner=top.candidate,
        score=Score(_standing(value, top.candidate), found.shares[0], method, clusters, evidence=evidence),
        unanimous=len(found.groups) == 1 and len(voters) == len(candidates),
        closed=all(voter.answer.extracted is not None for voter in voters),
        evidence=evidence,
    )


def score_escalated(
    chosen: int,
    candidates: Sequence[Candidate],
    ballot: Ballot,
    profile: Profile,
    question: str,
    *,
    calibration: Parameters | None = None,
) -> Ballot:
    """Score an answer that stands for who gave it, not for its votes: a stronger model's after others disagreed.

    `chosen` is its position among the `candidates` of `ballot`. Agreement and clusters stay those of the ballot. An
    answer that most contradict is right at most as often as they are wrong.
    """
    candidate, form, parameters = candidates[chosen], _form(profile, question), calibration or current()
    if not any(chosen in cluster_.members for cluster_ in ballot.score.clusters):
        evidence = _evidence("single", candidate, form, profile)
        value, method = confidence.assessed(evidence, parameters)
    else:
        stand = _stand(chosen, candidates, ballot.score.clusters, profile, form)
        value, method, evidence = stand.trust(parameters, "escalated")
    agreement, clusters = ballot.score.agreement, ballot.score.clusters
    if any(found.weight > HALF and chosen not in found.members for found in clusters):
        value = min(value, 1 - (ballot.score.confidence or 0.0))
    score = Score(_standing(value, candidate), agreement, method, clusters, evidence=evidence)
    return replace(ballot, winner=candidate, score=score, evidence=evidence, vote=ballot)


def score_fused(
    output: Candidate, ballot: Ballot, profile: Profile, question: str, *, calibration: Parameters | None = None
) -> Score:
    """Score an answer that a model wrote from the candidates of `ballot`.

    Agreement stays that of the independent answers; the fused one is no further vote. Nor does it gain by keeping to
    an expert who overruled them: it goes by the vote.
    """
    ballot = ballot.vote or ballot
    if standing(output.completion) != "whole" or ballot.score.agreement is None:
        return score_single(output, profile, question, calibration=calibration)
    form = asked.read(question)
    answer = ready(output.said, form)
    support = _support(answer, ballot, form)
    against = ballot.unanimous and ballot.closed and not support
    evidence = _fused_evidence(output, answer, ballot, support, profile)
    known = (calibration or current()).assess(evidence)
    if known is None:
        looks = quality(output.text, profile, form, answer.extracted)
        alone = score_single(output, profile, question, calibration=calibration).confidence or 0.0
        voted = ballot.score.confidence or 0.0
        sides = not ballot.closed or _keeps(answer, ready(ballot.winner.said, form))
        parts = max(voted, alone) if sides else min(1 - voted, alone)
        known = confidence.fused(ballot.score.agreement, support, looks, parts=parts, against_panel=against)
    return Score(known[0], ballot.score.agreement, known[1], ballot.score.clusters, evidence=evidence)


def _fused_evidence(
    output: Candidate, answer: Answer, ballot: Ballot, support: float, profile: Profile
) -> Evidence:
    """Return the panel's evidence with the output's own, its support in the place of the top share."""
    own = of_answer(output, answer.extracted, OPEN, profile.task)
    vote = {name: ballot.evidence.features.get(name, 0.0) for name in VOTE_FEATURES}
    features = {**ballot.evidence.features, **own, **vote, "share": support}
    return Evidence("fused", ballot.evidence.task_class, features)


def _support(output: Answer, ballot: Ballot, form: Question) -> float:
    """Return the weight of the clusters whose answer the output keeps; of an open question, of the top one only."""
    if output.data:
        return sum(found.weight for found in ballot.score.clusters if found.answer == output.text)
    top, *others = ballot.score.clusters
    kept = top.weight if _keeps(output, ready(ballot.winner.said, form)) else 0.0
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


def _form(profile: Profile, question: str) -> Question:
    """Read the form that answers are to have; of an open task only a choice is one."""
    return OPEN if profile.task in OPEN_TASKS and not asked.asks_for_choice(question) else asked.read(question)


def _evidence(situation: Situation, candidate: Candidate, form: Question, profile: Profile) -> Evidence:
    if candidate.value is not None:
        extracted = of_value(candidate.value).extracted
    else:
        extracted = extract(candidate.completion.text, form) if form is not OPEN else None
    features = of_answer(candidate, extracted, form, profile.task)
    return Evidence(situation, _class(candidate, profile, form), features)


def _class(candidate: Candidate, profile: Profile, form: Question) -> str:
    """Name the class of an answer: data is one of its own, whatever the prompt."""
    return task_class(profile.task, form) if candidate.value is None else DATA_CLASSES[candidate.value.kind]


def _standing(value: float, candidate: Candidate) -> float:
    """Cap what is no whole answer, whatever the evidence."""
    found = standing(candidate.completion)
    return value if found == "whole" else min(value, confidence.STANDING_CAPS[found])


def _stand(
    chosen: int, candidates: Sequence[Candidate], clusters: Sequence[Cluster], profile: Profile, form: Question
) -> Stand:
    """Gather who says what a candidate says, itself first, and who says otherwise; a copy of a call is nobody."""
    first = {_call(candidate, at): at for at, candidate in reversed(list(enumerate(candidates)))}
    heard = [[i for i in found.members if i in first.values()] for found in clusters]
    own = next(i for i, found in enumerate(clusters) if chosen in found.members)
    answers: dict[str, list[Mapping[str, float]]] = {}
    for at in dict.fromkeys((first[_call(candidates[chosen], chosen)], *heard[own])):
        features = _evidence("single", candidates[at], form, profile).features
        answers.setdefault(candidates[at].model.id, []).append(features)
    against = [[candidates[i].model.id for i in group] for j, group in enumerate(heard) if j != own and group]
    return Stand(_class(candidates[chosen], profile, form), answers, against, clusters[own].weight)


def _voters(
    candidates: Sequence[Candidate], form: Question, weights: Sequence[float] | None, compared: Compared
) -> list[_Voter]:
    """Leave out who abstains; give a copy of a call no weight.

    Whoever states nothing that can be extracted may still dissent, so it votes, for an answer of its own.
    """
    given = weights if weights is not None else [1.0] * len(candidates)
    counted: set[object] = set()
    voters = []
    for at in _standing_positions(candidates):
        call = _call(candidates[at], at)
        weight = 0.0 if call in counted else given[at]
        counted.add(call)
        voters.append(_Voter(at, candidates[at], compared.read(candidates[at].said, form), weight))
    return voters


def _standing_positions(candidates: Sequence[Candidate]) -> list[int]:
    """Return the positions of the best standing there is."""
    standings = [standing(candidate.completion) for candidate in candidates]
    for best in ("whole", "truncated"):
        if best in standings:
            return [at for at, found in enumerate(standings) if found == best]
    return [at for at, found in enumerate(standings) if found == "refused"] or list(range(len(candidates)))


def _call(candidate: Candidate, at: int) -> object:
    """Name the call that an answer came from: one model's request with one text is one answer, served twice.

    The id alone does not tell: providers give ids of their own, and some give the same to everyone.
    """
    done, model = candidate.completion, candidate.model
    return (model.provider, model.id, done.provider_request_id, candidate.said) if done.provider_request_id else at


def _alone(voters: Sequence[_Voter], profile: Profile, question: str, parameters: Parameters) -> Ballot:
    """Score a vote with one voter, as one answer."""
    winner = max(voters, key=lambda voter: voter.weight)
    return Ballot(
        winner=winner.candidate,
        score=score_single(winner.candidate, profile, question, calibration=parameters),
        unanimous=False,
        closed=winner.answer.extracted is not None,
        evidence=evidence_single(winner.candidate, profile, question),
    )


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
