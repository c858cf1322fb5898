from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prysm.scoring.question import asks_for_choice, read

LINES = st.sampled_from(("(A) salt (B) sand", "A. salt", "B. sand", "(B) sand", "What is it?", "x = 2", ""))


@given(st.lists(LINES, max_size=4).map("\n".join))
def test_a_choice_is_told_without_reading_the_rest(prompt: str) -> None:
    assert asks_for_choice(prompt) == bool(read(prompt).options)


@given(st.text("٣1½ +x.", max_size=8))
def test_a_number_counts_in_any_script(prompt: str) -> None:
    runs = "".join(sign if sign.isdecimal() else " " for sign in prompt).split()
    assert read(prompt).numbers == len(runs)
