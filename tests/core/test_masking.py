from __future__ import annotations

import pytest

from prysm.core.masking import masked_text

OURS = "prysm_sk_abcdefghijkl" + "Z9_-" * 11
KEYS = [OURS, "sk-proj-" + "a1B2" * 8, "sk-ant-api03-" + "a1B2" * 8, "gsk_" + "a1B2" * 8, "AIzaSy" + "a1B2" * 8]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("before", ["", "resp_", "KEY_", "a=", "/v1/x_", "“", "x"])
def test_a_key_is_cut_out_wherever_it_begins(key: str, before: str) -> None:
    shown = masked_text(f"{before}{key} and more")
    assert key[-12:] not in shown
    assert shown.startswith(before)
    assert shown.endswith("... and more")


@pytest.mark.parametrize(
    "text", ["risk-or-reward-of-everything", "a task-based approach_to_things", "desk_organiser_number_one", ""]
)
def test_words_are_left_alone(text: str) -> None:
    assert masked_text(text) == text
