"""Messages as OpenAI writes them: what receipts commit to, so that nothing of a turn may be missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from prysm.core.chat import Completion, Message, Usage
from prysm.core.content import Thinking, ToolCall
from prysm.core.openai_form import answer_form, message_form

CALL = ToolCall("call_1", "now", "{}")
TURN = Message("assistant", "Hi")


@pytest.mark.parametrize(
    "other",
    [
        {"content": "Ho"},
        {"role": "user"},
        {"name": "ada"},
        {"tool_calls": (CALL,)},
        {"tool_calls": (replace(CALL, custom=True),)},
        {"tool_calls": (replace(CALL, signature="seal"),)},
        {"tool_call_id": "call_1"},
        {"thinking": (Thinking("hm"),)},
        {"thinking": (Thinking("hm", "seal"),)},
        {"thinking": (Thinking("hm", redacted=True),)},
        {"failed": True},
    ],
)
def test_turns_that_differ_are_written_differently(other: dict[str, Any]) -> None:
    assert message_form(replace(TURN, **other)) != message_form(TURN)


def test_sealed_thoughts_are_whole_blocks_and_open_ones_text() -> None:
    thinking = (Thinking("a", "seal"), Thinking("b"), Thinking("c", redacted=True), Thinking("d"))
    assert message_form(replace(TURN, thinking=thinking)) == {
        "role": "assistant",
        "content": "Hi",
        "reasoning_content": "bd",
        "thinking_blocks": [
            {"type": "thinking", "thinking": "a", "signature": "seal"},
            {"type": "redacted_thinking", "data": "c"},
        ],
    }


@pytest.mark.parametrize(
    ("done", "content", "refusal"),
    [
        ({"text": "Hi"}, "Hi", None),
        ({"text": ""}, "", None),
        ({"text": "No", "refused": True}, None, "No"),
        ({"text": "", "tool_calls": (CALL,)}, None, None),
        ({"text": "Wait", "tool_calls": (CALL,)}, "Wait", None),
        ({"text": "", "own": {"audio": {"id": "a"}}}, None, None),
    ],
)
def test_what_stands_in_the_place_of_text_leaves_it_null(
    done: Any, content: str | None, refusal: str | None
) -> None:
    form = answer_form(Completion(finish_reason="stop", usage=Usage(), **done))
    assert (form["content"], form["refusal"]) == (content, refusal)
