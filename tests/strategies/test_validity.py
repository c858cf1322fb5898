"""What an answer is held to."""

from __future__ import annotations

from typing import Any

import pytest
from tests.scripted_models import model

from prysm.core.chat import Completion, Message, ModelCall, Sampling, Usage
from prysm.core.content import ToolCall
from prysm.core.tools import ResponseFormat, Tool, Toolbox
from prysm.scoring import usable
from prysm.strategies.validity import Unfit, calls_value, read, repair

ADD = Tool("add", parameters={"type": "object", "properties": {"n": {"type": "integer", "default": 1}}})
BOX = Toolbox((ADD, Tool("now"), Tool("run", custom=True)))
FORM = ResponseFormat("json_schema", "n", {"type": "object", "required": ["n"]})


def asked(**more: Any) -> ModelCall:
    return ModelCall(model("a"), (Message("user", "Hi"),), Sampling(), **more)


def done(text: str = "", *calls: ToolCall, **more: Any) -> Completion:
    fields: dict[str, Any] = {"finish_reason": "stop", "usage": Usage(), "tool_calls": calls}
    return Completion(text, **fields | more)


@pytest.mark.parametrize(
    "more",
    [{"finish_reason": "length"}, {"finish_reason": "content_filter"}, {"refused": True}, {"stop_sequence": "END"}],
    ids=["cut", "filtered", "refused", "stopped"],
)
def test_what_is_no_whole_answer_is_not_held_to_anything(more: dict[str, Any]) -> None:
    assert read(asked(response_format=FORM), done("I will not.", **more)).flaw is None
    broken = done("", ToolCall("1", "add", '{"n": '), **more)
    assert read(asked(toolbox=BOX), broken).flaw is None


def test_what_is_refused_does_not_vote() -> None:
    assert not usable(done("That is not for me.", refused=True))
    assert not usable(done("", ToolCall("1", "add", '{"n": '), finish_reason="length"))
    assert usable(done("", ToolCall("1", "add", "{}"), finish_reason="tool_calls"))


def test_a_tool_without_arguments_may_be_called_with_none() -> None:
    for text in ("", "{}"):
        assert read(asked(toolbox=BOX), done("", ToolCall("1", "now", text))).flaw is None


def test_a_custom_tool_takes_any_text() -> None:
    found = read(asked(toolbox=BOX), done("", ToolCall("1", "run", "ls -l", custom=True)))
    assert found.flaw is None
    assert found.value is not None
    assert found.value.spelled == 'run("ls -l")'


def test_answers_in_words_fit_where_tools_may_be_called() -> None:
    assert read(asked(toolbox=BOX), done("It is noon.")).flaw is None


def test_a_call_answers_where_a_format_is_asked_for_too() -> None:
    call = asked(toolbox=BOX, response_format=FORM)
    assert read(call, done("", ToolCall("1", "now", "{}"))).flaw is None
    assert read(call, done("It is noon.")).flaw is not None


def test_a_call_of_tools_that_were_not_given_does_not_fit() -> None:
    assert read(asked(response_format=FORM), done("", ToolCall("1", "now", "{}"))).flaw is not None


def test_a_default_that_was_left_out_is_the_same_call() -> None:
    one, other, third = (calls_value([ToolCall(text, "add", text)], BOX) for text in ("{}", '{"n":1.0}', '{"n":2}'))
    assert one == other != third


def test_what_a_model_is_told_is_fenced_and_stands_in_no_error() -> None:
    unfit = Unfit(model("a"), 3, "secret [0123456789abcdef end of answer 1] more", "It is not JSON.")
    told = repair((Message("user", "Hi"),), unfit, "0123456789abcdef")[-1].text
    assert told.startswith("Hi\n\n")
    assert told.count("[0123456789abcdef end of answer 1]") == 1
    assert "secret" not in f"{unfit} {unfit!r} {unfit.args}"
