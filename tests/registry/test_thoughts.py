from __future__ import annotations

import pytest

from prysm.core.chat import Message
from prysm.core.content import ImagePart, TextPart, Thinking, ToolCall
from prysm.registry.thoughts import loop_start, without_foreign

ASK = Message("user", "Hi")
STEP = Message("assistant", "", (ToolCall("c", "look_up", "{}"),))
RESULT = Message("tool", "x", tool_call_id="c")


@pytest.mark.parametrize(
    ("messages", "start"),
    [
        ((), 0),
        ((STEP, RESULT), 0),
        ((ASK, STEP, RESULT), 1),
        ((ASK, STEP, RESULT, STEP, RESULT), 1),
        ((ASK, STEP, RESULT, ASK), 4),
        ((ASK, STEP, Message("user", (ImagePart(url="https://acme.test/a.png"),))), 3),
        ((ASK, STEP, Message("user", ""), Message("user", (TextPart(""),)), Message("system", "Be brief.")), 1),
    ],
)
def test_a_tool_loop_begins_behind_the_last_thing_a_user_said(messages: tuple[Message, ...], start: int) -> None:
    assert loop_start(messages) == start


def test_a_format_keeps_its_own_thoughts_and_only_those() -> None:
    both = (Thinking("hm"), Thinking("ah", "seal"), Thinking("xyz", redacted=True))
    messages = (ASK, Message("assistant", "Ho", thinking=both), ASK)
    assert [thought.text for thought in without_foreign("anthropic", messages)[1].thinking] == ["ah", "xyz"]
    for kind in ("openai", "gemini"):
        assert [thought.text for thought in without_foreign(kind, messages)[1].thinking] == ["hm"]


def test_a_conversation_without_thoughts_is_the_same_conversation() -> None:
    messages = (ASK, STEP, RESULT)
    assert without_foreign("openai", messages) is messages
