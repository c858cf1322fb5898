from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.scoring import answers
from prysm.scoring.cluster import Clustering, Compared, cluster
from prysm.scoring.question import OPEN

WORDS = st.sampled_from(
    ["paris", "rome", "not paris", "42", "42.0", "the answer is 42", "-42", "Paris, France", "?"]
)


def clustered(texts: list[str], weights: list[float] | None = None) -> Clustering:
    flat = [1.0] * len(texts)
    return cluster(answers(texts, None), weights or flat, flat)


def test_equal_answers_share_a_group_and_the_heaviest_comes_first() -> None:
    found = clustered(["7", "42", "42.0", "#### 42"])
    assert found.groups == ((1, 2, 3), (0,))
    assert found.shares == (0.75, 0.25)


def test_weights_move_shares() -> None:
    assert clustered(["7", "42", "42"], [6.0, 1.0, 1.0]).shares == (0.75, 0.25)


def test_a_text_between_two_opposites_does_not_join_them() -> None:
    texts = ["the drug is safe for adults", "the drug is not safe for adults", "the drug is safe for all adults"]
    for group in clustered(texts).groups:
        assert not {0, 1} <= set(group)


def test_a_tie_is_broken_the_same_way_every_time() -> None:
    assert {clustered(["1", "2", "1", "2"]).groups for _ in range(5)} == {((0, 2), (1, 3))}


@given(st.lists(WORDS, min_size=1, max_size=12))
def test_what_was_compared_before_changes_no_vote_and_is_not_compared_again(texts: list[str]) -> None:
    kept, read, flat = Compared(), answers(texts, None), [1.0] * len(texts)
    for n in range(1, len(texts) + 1):
        assert cluster(read[:n], flat[:n], flat[:n], kept) == cluster(read[:n], flat[:n], flat[:n])
    assert all(kept.read(text, OPEN) is kept.read(text, OPEN) for text in texts)


@given(st.lists(WORDS, min_size=1, max_size=12), st.data())
def test_groups_partition_the_answers_and_shares_sum_to_one(texts: list[str], data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.floats(0.1, 5), min_size=len(texts), max_size=len(texts)))
    found = clustered(texts, weights)
    assert sorted(i for group in found.groups for i in group) == list(range(len(texts)))
    assert sum(found.shares) == pytest.approx(1.0)
    assert list(found.shares) == sorted(found.shares, reverse=True) or max(found.shares) == pytest.approx(
        found.shares[0]
    )
    assert all(medoid in group for medoid, group in zip(found.medoids, found.groups, strict=True))
