"""What a model said goes out as items and comes back as the same turn."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseOutputItem
from pydantic import TypeAdapter

from prysm.api.responses_body import ResponsesBody
from prysm.api.responses_events import ResponseWriter
from prysm.api.responses_items import AnyItem
from prysm.api.responses_render import ResponseObject
from prysm.api.responses_turns import turns
from prysm.api.thoughts import opened, wrapped
from prysm.core.chat import Completion, Message, Usage, pieces_of
from prysm.core.content import Thinking, ToolCall
from prysm.errors import UnsupportedParameter

if TYPE_CHECKING:
    from typing import Any

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SOME = TEXT.filter(bool)
OPEN, SEALED = st.builds(Thinking, SOME), st.builds(Thinking, TEXT, SOME)
REDACTED = TEXT.map(lambda text: Thinking(text, redacted=True))
THOUGHTS = OPEN | SEALED | REDACTED
CALLS = st.builds(ToolCall, SOME, SOME, TEXT, st.booleans(), st.none() | TEXT)
ANSWERS = st.builds(
    Completion,
    TEXT,
    st.just("stop"),
    st.just(Usage()),
    thinking=st.lists(THOUGHTS, max_size=3).map(tuple),
    tool_calls=st.lists(CALLS, max_size=3).map(tuple),
    refused=st.booleans(),
)
ITEMS: TypeAdapter[list[AnyItem]] = TypeAdapter(list[AnyItem])
THEIRS: TypeAdapter[Any] = TypeAdapter(list[ResponseOutputItem])
ASKED = ResponsesBody(model="auto", input="Hi")


def response() -> ResponseObject:
    return ResponseObject(ASKED, UUID(int=1), stored=False)


@given(ANSWERS)
def test_an_answer_comes_back_as_the_turn_it_was(done: Completion) -> None:
    items = json.dumps([item for _, _, item in response().items(done)])
    THEIRS.validate_json(items, strict=True)
    back = turns(ITEMS.validate_json(items))
    assert back == (Message("assistant", done.text, done.tool_calls, thinking=done.thinking),)


@given(ANSWERS)
def test_the_pieces_of_a_stream_add_up_to_its_items(done: Completion) -> None:
    told = response()
    writer = ResponseWriter(told, events=False, at_once=False)
    raw = b"".join(writer.piece(piece, 0) for piece in pieces_of(done)).decode()
    events = [json.loads(block.partition("data: ")[2]) for block in raw.split("\n\n") if block]
    said = [event["delta"] for event in events if event["type"].endswith(("output_text.delta", "refusal.delta"))]
    assert "".join(said) == done.text
    begun = {event["item"]["id"] for event in events if event["type"] == "response.output_item.added"}
    assert begun <= {item["id"] for _, _, item in told.items(done)}


@given(THOUGHTS)
def test_a_sealed_thought_is_wrapped_and_opened_again(thought: Thinking) -> None:
    sealed = wrapped(thought)
    assert (sealed is None) == (thought.signature is None and not thought.redacted)
    assert sealed is None or opened(sealed, "input[0]") == thought


@pytest.mark.parametrize("odd", ["", "gAAAAAB", "prysm1.", "prysm1.e30=", "prysm1.WzFd", "prysm1.€", "prysm1.x"])
def test_what_was_not_wrapped_here_is_refused(odd: str) -> None:
    with pytest.raises(UnsupportedParameter, match=r"input\[0\]"):
        opened(odd, "input[0]")


@given(st.text())
def test_no_text_makes_a_defect_of_opening(text: str) -> None:
    for odd in (text, f"prysm1.{text}"):
        with pytest.raises(UnsupportedParameter):
            opened(odd, "input[0]")
