"""What must hold of confidence whatever was fitted: agreement never lowers it, dissent and copies never raise it."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prysm.classify import classify
from prysm.core.chat import Completion, Message, Usage
from prysm.core.model import Model
from prysm.core.run import Candidate, Score
from prysm.scoring import consensus, score_escalated, score_fused, score_single, score_votes
from prysm.scoring.calibration import Parameters, shipped

if TYPE_CHECKING:
    from prysm.core.model import Tier
    from prysm.scoring.consensus import Rule

WORDS = "Anna has 12 apples and eats 5 of them on Monday. How many apples are left?"
CHOICE = "Which planet is the largest?\nA) Mars\nB) Venus\nC) Jupiter\nD) Earth\nAnswer with the letter."
CODE = "def f(x):\n    return x + 1\nassert f(6) == ??\nWhat does the assertion need in place of ??"
RIDDLE = "Explain in a sentence how many legs a spider has, and why."
TEXTS = {WORDS: ("The answer is 7.", "So 12 - 5 leaves 7, I think.\nThe answer is 7"), CHOICE: ("C", "Answer: C")}
OTHERS = {WORDS: ("The answer is 33.", "#### 41"), CHOICE: ("A", "B")}
QUESTIONS = (WORDS, CHOICE, CODE, RIDDLE)
FAMILIES: dict[str, Tier] = {"a": "small", "b": "mid", "c": "strong", "d": "mid"}
RULES: tuple[Rule, ...] = ("expert", "majority")

NAMES = st.sampled_from(sorted(FAMILIES))
LENGTHS = (None, 150)
"""Tokens: as told by the text, far from what any class was fitted on, or like a reasoned answer."""
PRIORS = st.fixed_dictionaries({name: st.none() | st.floats(0.05, 0.95) for name in FAMILIES})
VOICES = st.lists(st.tuples(NAMES, st.integers(0, 1)), min_size=1, max_size=5)
AGAINST = st.lists(st.tuples(NAMES, st.integers(0, 1)), max_size=4)
_calls = count()


def candidate(model: str, prior: float | None, text: str, tokens: int | None = None) -> Candidate:
    known = {} if prior is None else {"default": prior}
    entry = Model(model, "p", model, model, family=model, tier=FAMILIES[model], quality=known)
    usage = Usage(completion_tokens=tokens)
    return Candidate(0, entry, Completion(text, "stop", usage, provider_request_id=f"r{next(_calls)}"))


def heard(
    question: str, priors: dict[str, float | None], own: list[tuple[str, int]], against: list[tuple[str, int]]
) -> list[Candidate]:
    says, denies = TEXTS.get(question, ("7", "The answer is 7.")), OTHERS.get(question, ("33", "41"))
    agreeing = [candidate(name, priors[name], says[i], LENGTHS[i]) for name, i in own]
    return agreeing + [candidate(name, priors[name], denies[i], LENGTHS[i]) for name, i in against]


def trust(candidates: list[Candidate], question: str, calibration: Parameters | None = None) -> float:
    """How far the first candidate's answer is trusted, whether it wins the vote or not."""
    profile = classify([Message("user", question)])
    ballot = score_votes(candidates, profile, question, calibration=calibration)
    if not ballot.score.clusters or 0 in ballot.score.clusters[0].members:
        return value(ballot.score)
    return value(score_escalated(0, candidates, ballot, profile, question, calibration=calibration).score)


def wins(candidates: list[Candidate], question: str) -> bool:
    clusters = score_votes(candidates, classify([Message("user", question)]), question).score.clusters
    return not clusters or 0 in clusters[0].members


def value(score: Score) -> float:
    assert score.confidence is not None
    return score.confidence


@given(st.sampled_from(QUESTIONS), PRIORS, VOICES, AGAINST, st.tuples(NAMES, st.integers(0, 1)))
@settings(deadline=None, max_examples=150)
def test_one_more_who_agrees_never_lowers_confidence(
    question: str,
    priors: dict[str, float | None],
    own: list[tuple[str, int]],
    against: list[tuple[str, int]],
    more: tuple[str, int],
) -> None:
    before, after = heard(question, priors, own, against), heard(question, priors, [*own, more], against)
    if wins(before, question):
        assert trust(after, question) >= trust(before, question) - 1e-9


@given(st.sampled_from(QUESTIONS), PRIORS, VOICES, AGAINST, st.tuples(NAMES, st.integers(0, 1)))
@settings(deadline=None, max_examples=150)
def test_one_more_who_dissents_never_raises_confidence(
    question: str,
    priors: dict[str, float | None],
    own: list[tuple[str, int]],
    against: list[tuple[str, int]],
    more: tuple[str, int],
) -> None:
    before, after = heard(question, priors, own, against), heard(question, priors, own, [*against, more])
    if wins(after, question):
        assert trust(after, question) <= trust(before, question) + 1e-9


@given(st.sampled_from(QUESTIONS), PRIORS, VOICES, AGAINST, st.integers(1, 4), st.data())
@settings(deadline=None, max_examples=100)
def test_copies_of_a_call_change_nothing(  # noqa: PLR0917 - what a vote is drawn from
    question: str,
    priors: dict[str, float | None],
    own: list[tuple[str, int]],
    against: list[tuple[str, int]],
    copies: int,
    data: st.DataObject,
) -> None:
    votes = heard(question, priors, own, against)
    copied = votes[data.draw(st.integers(0, len(votes) - 1))]
    assert trust([*votes, *[copied] * copies], question) == pytest.approx(trust(votes, question))


@given(st.sampled_from(QUESTIONS), PRIORS, NAMES, st.integers(2, 6), st.integers(0, 1))
@settings(deadline=None)
def test_unanimous_samples_say_at_least_what_one_answer_says(
    question: str, priors: dict[str, float | None], model: str, samples: int, text: int
) -> None:
    alone = trust(heard(question, priors, [(model, text)], []), question)
    assert trust(heard(question, priors, [(model, text)] * samples, []), question) >= alone


@given(st.sampled_from(QUESTIONS), PRIORS, NAMES, AGAINST)
@settings(deadline=None)
def test_the_word_of_an_expert_against_others_is_trusted_no_more_than_alone(
    question: str, priors: dict[str, float | None], expert: str, others: list[tuple[str, int]]
) -> None:
    """Nor is it and what most say together likelier than anything can be."""
    profile = classify([Message("user", question)])
    votes = heard(question, priors, [(expert, 1)], others)
    ballot = score_votes(votes, profile, question)
    against = value(score_escalated(0, votes, ballot, profile, question).score)
    assert against <= value(score_single(votes[0], profile, question)) + 1e-9
    if ballot.score.clusters and ballot.score.clusters[0].weight > 0.5 and ballot.winner is not votes[0]:
        assert against + value(ballot.score) <= 1 + 1e-9


@given(st.sampled_from(QUESTIONS), PRIORS, NAMES, st.floats(0.05, 0.9), st.floats(0, 0.1))
@settings(deadline=None)
def test_a_better_model_is_never_trusted_less(
    question: str, priors: dict[str, float | None], model: str, prior: float, gain: float
) -> None:
    worse, better = ({**priors, model: quality} for quality in (prior, prior + gain))
    calibration = replace(shipped(), classes={})  # one fit: a class knows priors up to an edge, beyond it says so
    said = [trust(heard(question, known, [(model, 0)] * 3, []), question, calibration) for known in (worse, better)]
    assert said[0] <= said[1] + 1e-9


def test_an_expert_against_two_who_agree_is_trusted_less_than_alone_and_not_more_than_they() -> None:
    votes = heard(WORDS, dict.fromkeys(FAMILIES), [("a", 1), ("b", 1)], [("c", 1)])
    profile = classify([Message("user", WORDS)])
    found = consensus(votes, profile, WORDS, rule="expert").ballot
    assert found.winner is votes[2]
    assert value(found.score) < value(score_single(votes[2], profile, WORDS)) - 0.1


def test_an_expert_who_is_in_the_majority_is_scored_with_it() -> None:
    votes = heard(WORDS, dict.fromkeys(FAMILIES), [("a", 1), ("c", 1)], [("b", 1)])
    profile = classify([Message("user", WORDS)])
    found, majority = (consensus(votes, profile, WORDS, rule=rule).ballot for rule in RULES)
    assert found.winner is votes[1]
    assert found.score == majority.score


def test_an_abstention_changes_nothing() -> None:
    votes = heard(WORDS, dict.fromkeys(FAMILIES, 0.6), [("a", 1), ("b", 1)], [])
    refusal = candidate("d", None, "I'm sorry, but I can't help with that.")
    assert trust([*votes, refusal], WORDS) == trust(votes, WORDS)


def test_a_merged_answer_is_trusted_no_more_than_its_parts() -> None:
    profile = classify([Message("user", WORDS)])
    votes = heard(WORDS, dict.fromkeys(FAMILIES, 0.7), [("a", 1), ("a", 1)], [])
    ballot = score_votes(votes, profile, WORDS)
    merged = candidate("a", 0.7, "Both agree: the answer is 7.")
    parts = max(value(ballot.score), value(score_single(merged, profile, WORDS)))
    assert value(score_fused(merged, ballot, profile, WORDS)) <= parts < 1


def test_an_expert_among_answers_that_all_differ_is_no_mere_vote() -> None:
    votes = heard(WORDS, dict.fromkeys(FAMILIES), [("c", 1)], [("a", 0), ("b", 1)])
    profile = classify([Message("user", WORDS)])
    found, majority = (consensus(votes, profile, WORDS, rule=rule).ballot for rule in RULES)
    assert value(majority.score) < value(found.score) <= value(score_single(votes[0], profile, WORDS))
