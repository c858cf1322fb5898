from __future__ import annotations

import json
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.classify.features import read
from prysm.classify.model import LANES, Weights, weights
from prysm.classify.signs import signs
from prysm.core.chat import Message
from prysm.core.model import TASKS

TEXT = files("prysm.classify").joinpath("weights.json").read_text(encoding="utf-8")


def test_the_shipped_weights_load_once_and_say_their_version() -> None:
    assert weights().version
    assert weights() is weights()


def test_the_shipped_weights_are_small() -> None:
    assert len(TEXT.encode()) <= 300_000


def test_no_line_of_the_weights_holds_a_long_text() -> None:
    assert max(map(len, TEXT.splitlines())) <= 120


def test_a_sign_is_a_word_or_a_pair_and_never_a_sentence() -> None:
    named = [sign for sign in weights().table if sign[0] not in "#@"]
    assert [sign for sign in named if sign.count("_") > 1 or len(sign) > 40] == []


def test_every_lane_has_signs_that_speak_for_it() -> None:
    assert set(weights().speaks) == set(LANES)
    assert all(weights().speaks.values())


@pytest.mark.parametrize("change", [{"lanes": ["code"]}, {"weights": ["AAAA"]}])
def test_weights_of_another_classifier_are_refused(change: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match="Fit them again"):
        Weights.parse(json.dumps(json.loads(TEXT) | change))


@given(st.text(max_size=400))
def test_the_packed_sum_is_the_sum_of_the_weights(prompt: str) -> None:
    table, shown = weights(), signs(read([Message("user", prompt)]))
    known = [table.table[sign] for sign in shown if sign in table.table]
    sums = [sum((entry >> 32 * lane & 255) - 128 for entry in known) for lane in range(len(LANES))]
    damp = 4 / max(16, len(known)) ** 0.5
    scores = [one * table.scales[0] * damp + bias for one, bias in zip(sums, table.biases, strict=True)]
    reading = table.read(shown)
    assert max(scores[: len(TASKS)]) == pytest.approx(scores[TASKS.index(reading.task)])
    assert reading.compound == pytest.approx(sums[-2] * table.scales[-2] + table.biases[-2])


@pytest.mark.parametrize(
    "mark", ["()", ";\n", "{\n", "=>", "!=", "==", "+=", "->", "</", "::", "[i]", "__", ".py", '":']
)
def test_no_mark_of_code_is_overlooked(mark: str) -> None:
    assert "#marks1" in signs(read([Message("user", f"look at {mark} here")]))
