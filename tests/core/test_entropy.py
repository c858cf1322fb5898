"""Random bytes: as many as asked for, and none of them twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prysm.core.entropy import DRAWN_BYTES, Entropy


@given(st.lists(st.integers(0, DRAWN_BYTES), max_size=20))
def test_as_many_bytes_come_as_were_asked_for(counts: list[int]) -> None:
    entropy = Entropy()
    assert [len(entropy.take(count)) for count in counts] == counts


def test_no_byte_is_given_out_twice() -> None:
    entropy = Entropy()
    taken = [entropy.take(16) for _ in range(DRAWN_BYTES)]
    assert len(set(taken)) == len(taken)


def test_what_is_forgotten_is_never_given_out() -> None:
    entropy = Entropy()
    entropy.take(1)
    left = entropy._drawn
    entropy.forget()
    assert entropy.take(64) not in left
