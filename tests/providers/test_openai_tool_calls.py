"""How the deltas of tool calls are told apart, with the habits of the servers that send them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.openai_answers import agrees, chunk

from prysm.core.content import ToolCall
from prysm.providers.openai_stream import OpenAIDraft

ROME, OSLO = '{"city": "Rome"}', '{"city": "Ōslo"}'
BOTH = (ToolCall("a", "weather", ROME), ToolCall("b", "weather", OSLO))


def delta(name: str | None, arguments: str | None, **call: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"function": {key: value for key, value in function.items() if value is not None}} | call


def read(*deltas: dict[str, Any]) -> tuple[ToolCall, ...]:
    draft, pieces = OpenAIDraft(), []
    for one in deltas:
        draft.add(chunk({"tool_calls": [one]}))
        pieces += draft.take()
    draft.add(chunk({}, "tool_calls"))
    done = draft.completion()
    agrees(pieces, done)
    return done.tool_calls


HABITS = {
    "interleaved": (
        delta("weather", "", index=0, id="a"),
        delta("weather", "", index=1, id="b"),
        delta(None, ROME[:5], index=0),
        delta(None, OSLO[:9], index=1),
        delta(None, ROME[5:], index=0),
        delta(None, OSLO[9:], index=1),
    ),
    "no index": (
        delta("weather", "", id="a"),
        delta(None, ROME[:5]),
        delta(None, ROME[5:]),
        delta("weather", OSLO[:2], id="b"),
        delta(None, OSLO[2:]),
    ),
    "no index but the id each time": (
        delta("weather", "", id="a"),
        delta("weather", "", id="b"),
        delta(None, ROME, id="a"),
        delta(None, OSLO, id="b"),
    ),
    "every index 0, each call whole": (
        delta("weather", ROME, index=0, id="a"),
        delta("weather", OSLO, index=0, id="b"),
    ),
    "id and name each time": (
        delta("weather", ROME[:5], index=0, id="a"),
        delta("weather", ROME[5:], index=0, id="a"),
        delta("weather", OSLO[:5], index=1, id="b"),
        delta("weather", OSLO[5:], index=1, id="b"),
    ),
    "empty id and name on later deltas": (
        delta("weather", "", index=0, id="a"),
        delta("", ROME, index=0, id=""),
        delta("weather", None, index=1, id="b"),
        delta("", OSLO, index=1, id=""),
    ),
    "another id on each later delta": (
        delta("weather", "", index=0, id="a"),
        delta(None, ROME, index=0, id="x"),
        delta("weather", "", index=1, id="b"),
        delta(None, OSLO, index=1, id="y"),
    ),
    "indexes from 1": (
        delta("weather", ROME, index=1, id="a"),
        delta("weather", OSLO, index=2, id="b"),
    ),
    "the name after the id": (
        delta(None, "", index=0, id="a"),
        delta("weather", ROME, index=0),
        delta(None, OSLO[:3], index=1, id="b"),
        delta("weather", OSLO[3:], index=1),
    ),
}


@pytest.mark.parametrize("habit", HABITS)
def test_each_habit_of_a_server_is_the_same_two_calls(habit: str) -> None:
    assert read(*HABITS[habit]) == BOTH


def test_whole_calls_without_an_id_under_one_index_are_several() -> None:
    calls = read(delta("weather", ROME, index=0, id=""), delta("weather", OSLO, index=0, id=""))
    assert [call.arguments for call in calls] == [ROME, OSLO]
    assert len({call.id for call in calls}) == 2


def test_calls_that_share_an_id_are_given_their_own() -> None:
    calls = read(delta("weather", ROME, index=0, id="a"), delta("weather", OSLO, index=1, id="a"))
    assert [call.arguments for call in calls] == [ROME, OSLO]
    assert calls[0].id == "a" != calls[1].id


def test_a_name_that_is_repeated_with_every_piece_is_one_call() -> None:
    calls = read(*(delta("weather", letter, index=0) for letter in ROME), delta("weather", "", index=0))
    assert [call.arguments for call in calls] == [ROME]


def test_an_id_that_comes_late_does_not_rename_a_call() -> None:
    calls = read(delta("weather", "", index=0), delta(None, ROME, index=0, id="late"))
    assert [(call.id.startswith("call_0_"), call.arguments) for call in calls] == [(True, ROME)]


def test_a_seal_that_comes_late_is_kept() -> None:
    sealed = {"extra_content": {"google": {"thought_signature": "c2VhbA=="}}}
    calls = read(delta("weather", ROME, index=0, id="a"), delta(None, "", index=0) | sealed)
    assert calls == (ToolCall("a", "weather", ROME, signature="c2VhbA=="),)


cut = st.lists(st.integers(0, len(OSLO)), max_size=6).map(lambda at: [0, *sorted(at), len(OSLO)])


@given(st.lists(cut, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_any_pieces_of_any_calls_in_any_order_are_put_together(cuts: list[list[int]], chance: Any) -> None:
    waiting = [
        [delta(f"t{i}", "", index=i, id=f"c{i}")]
        + [delta(None, OSLO[start:end], index=i) for start, end in pairwise(at)]
        for i, at in enumerate(cuts)
    ]
    sent = [calls.pop(0) for calls in waiting]  # calls begin in order, and go on in any
    while any(waiting):
        sent.append(chance.choice([calls for calls in waiting if calls]).pop(0))
    assert read(*sent) == tuple(ToolCall(f"c{i}", f"t{i}", OSLO) for i in range(len(cuts)))
