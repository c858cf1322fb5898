from __future__ import annotations

import pytest

from prysm.classify import classify
from prysm.core.chat import Completion, Message, Usage
from prysm.core.model import Model
from prysm.core.run import Candidate, Score
from prysm.scoring import consensus, score_fused, score_single
from prysm.scoring.consensus import Rule, confidence_weights

QUESTION = "How many apples are left?"
PROFILE = classify([Message("user", QUESTION)])
RULES: tuple[Rule, Rule] = ("majority", "expert")


def trust(score: Score) -> float:
    assert score.confidence is not None
    return score.confidence


def voter(text: str, model: str, quality: float = 0.6, *, tokens: int | None = None) -> Candidate:
    entry = Model(model, "p", model, model, family=model, tier="mid", quality={"default": quality})
    return Candidate(0, entry, Completion(text, "stop", Usage(completion_tokens=tokens)))


def test_a_majority_is_more_than_half() -> None:
    split = consensus([voter("5", "a"), voter("7", "b")], PROFILE, QUESTION)
    assert not split.reached
    most = consensus([voter("5", "a"), voter("7", "b"), voter("7", "c")], PROFILE, QUESTION)
    assert most.reached
    assert most.ballot.winner.text == "7"


def test_below_the_threshold_the_answer_stands_unagreed() -> None:
    voters = [voter("5", "a"), voter("7", "b"), voter("7", "c")]
    found = consensus(voters, PROFILE, QUESTION, threshold=0.75)
    assert found.ballot.winner.text == "7"
    assert not found.reached


def test_a_better_model_that_is_sure_outweighs_two_that_are_not() -> None:
    voters = [
        voter("The answer is 5. Confidence: 95%", "a", 0.95),
        voter("The answer is 7. Confidence: 40%", "b", 0.55),
        voter("The answer is 7. Confidence: 40%", "c", 0.55),
        voter("The answer is 5.", "d", 0.6),
    ]
    assert consensus(voters, PROFILE, QUESTION, rule="weighted_confidence").ballot.winner.text.startswith(
        "The answer is 5"
    )


def test_no_voter_has_more_than_two_fifths_and_all_have_one() -> None:
    voters = [voter("5. Confidence: 100%", "a", 0.95), *(voter("7", m, 0.55) for m in "bcd")]
    weights = confidence_weights(voters, PROFILE.task)
    assert max(weights) <= 0.4 + 1e-9
    assert sum(weights) == pytest.approx(1.0)
    assert min(weights) > 0


def test_samples_of_one_model_do_not_add_up_like_models() -> None:
    repeated = confidence_weights(
        [voter("7", "a"), voter("7", "a"), voter("7", "a"), voter("5", "b")], PROFILE.task
    )
    assert repeated[0] < repeated[3]


def test_the_expert_decides_against_two() -> None:
    voters = [voter("7", "a"), voter("7", "b"), voter("5", "expert", 0.9)]
    found = consensus(voters, PROFILE, QUESTION, rule="expert")
    assert found.ballot.winner.text == "5"
    assert not found.reached
    assert found.ballot.evidence.situation == "escalated"


def test_three_against_an_expert_who_is_not_sure_overrule() -> None:
    voters = [voter("5", "expert", 0.9), *(voter("7", m) for m in "abc")]
    assert consensus(voters, PROFILE, QUESTION, rule="expert").ballot.winner.text == "7"
    sure = [voter("5", "expert", 0.9), voter("5", "expert", 0.9), *(voter("7", m) for m in "abc")]
    assert consensus(sure, PROFILE, QUESTION, rule="expert").ballot.winner.text == "5"


def test_an_answer_fused_from_an_overruled_vote_is_no_surer_than_the_expert() -> None:
    voters = [voter("33", "expert", 0.9), voter("34", "b", 0.7), voter("34", "c")]
    most, word = (consensus(voters, PROFILE, QUESTION, rule=rule).ballot for rule in RULES)
    with_expert, with_most = (
        score_fused(voter(f"The answer is {n}.", "writer", 0.9), word, PROFILE, QUESTION) for n in (33, 34)
    )
    assert trust(with_expert) <= 1 - trust(most.score)
    assert trust(with_expert) < trust(with_most)
    same = score_fused(voter("The answer is 33.", "writer", 0.9), most, PROFILE, QUESTION)
    assert trust(with_expert) == trust(same)


def test_an_expert_that_as_many_contradict_as_support_is_no_surer_than_alone() -> None:
    heard = [("7", "expert", 0.9), ("7", "a", 0.5), ("8", "b", 0.5), ("8", "c", 0.5)]
    voters = [voter(text, model, quality, tokens=1000) for text, model, quality in heard]
    tied = consensus(voters, PROFILE, QUESTION, rule="expert")
    assert tied.ballot.winner is voters[0]
    alone = max(trust(score_single(one, PROFILE, QUESTION)) for one in voters[:2])
    assert trust(tied.ballot.score) <= alone
