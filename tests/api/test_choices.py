"""An answer's message, as it is written and as it comes back in the next request."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.chat_completion import Choice

from prysm.api.bodies import ChatBody
from prysm.api.choices import choice
from prysm.api.parse import read
from prysm.core.chat import Completion, Message, Usage
from prysm.core.content import Thinking, ToolCall

NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
CALLS = st.builds(ToolCall, NAMES, NAMES, TEXTS, st.booleans(), st.none() | NAMES)
SEALED = st.builds(Thinking, TEXTS, NAMES) | st.builds(Thinking, TEXTS, redacted=st.just(value=True))
THOUGHTS = st.lists(SEALED, max_size=3) | st.lists(st.builds(Thinking, TEXTS.filter(bool)), max_size=1)


@given(TEXTS, st.lists(CALLS, max_size=3).map(tuple), THOUGHTS.map(tuple))
def test_a_message_that_is_sent_back_says_what_it_said(
    text: str, calls: tuple[ToolCall, ...], thinking: tuple[Thinking, ...]
) -> None:
    done = Completion(text, "tool_calls" if calls else "stop", Usage(), tool_calls=calls, thinking=thinking)
    written = choice(0, done, told=False, legacy=False)
    Choice.model_validate_json(json.dumps(written), strict=True)
    body = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}, written["message"]]}
    back = read(ChatBody, json.dumps(body).encode()).chat_request().messages[1]
    assert back == Message("assistant", text, calls, thinking=thinking)


def test_several_calls_stay_beside_the_one_that_the_older_spelling_has_room_for() -> None:
    done = Completion("", "tool_calls", Usage(), tool_calls=(ToolCall("1", "a", "{}"), ToolCall("2", "b", "{}")))
    written = choice(0, done, told=False, legacy=True)
    assert written["message"]["function_call"] == {"name": "a", "arguments": "{}"}
    assert [call["id"] for call in written["message"]["tool_calls"]] == ["1", "2"]
