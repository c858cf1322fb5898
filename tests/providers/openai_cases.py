"""Answers that hold more than text, whole and as deltas, and what is to be read of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prysm.core.content import Thinking, ToolCall

ROME, OSLO = '{"city": "Rome"}', '{"city": "Ōslo"}'
WEATHER = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ROME}}
SHELL = {"id": "call_2", "type": "custom", "custom": {"name": "shell", "input": "ls -l"}}
SEALED = WEATHER | {"extra_content": {"google": {"thought_signature": "c2VhbA=="}}}
CITED = [{"type": "url_citation", "url_citation": {"url": "https://a.test", "title": "A"}}]


def starts(i: int, name: str, call_id: str | None = None, arguments: str = "") -> dict[str, Any]:
    """The first delta of a tool call."""
    told_id = {} if call_id is None else {"id": call_id}
    call = {"index": i, **told_id, "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"tool_calls": [call]}


def adds(i: int, arguments: str, **more: Any) -> dict[str, Any]:
    """A later delta of a tool call."""
    return {"tool_calls": [{"index": i, "function": {"arguments": arguments}} | more]}


@dataclass(frozen=True)
class Case:
    """An answer, whole and as deltas, and what is to be read of it."""

    name: str
    message: dict[str, Any]
    deltas: tuple[dict[str, Any], ...]
    means: dict[str, Any]
    reason: str = "stop"

    def __str__(self) -> str:
        return self.name


CALLS = {"finish_reason": "tool_calls", "text": ""}
CASES = [
    Case(
        "a tool call",
        {"content": None, "tool_calls": [WEATHER]},
        (starts(0, "weather", "call_1"), adds(0, '{"city"'), adds(0, ': "Rome"}')),
        CALLS | {"tool_calls": (ToolCall("call_1", "weather", ROME),)},
        "tool_calls",
    ),
    Case(
        "text and a tool call of a server that says stop",
        {"content": "Let me see.", "tool_calls": [WEATHER]},
        (
            {"role": "assistant", "content": "Let me "},
            {"content": "see."},
            {"tool_calls": [{"index": 0} | WEATHER]},
        ),
        CALLS | {"text": "Let me see.", "tool_calls": (ToolCall("call_1", "weather", ROME),)},
    ),
    Case(
        "a custom tool call beside another",
        {"content": "", "tool_calls": [WEATHER, SHELL]},
        (
            {"tool_calls": [{"index": 0} | WEATHER]},
            {"tool_calls": [{"index": 1} | SHELL | {"custom": {"name": "shell", "input": "ls"}}]},
            {"tool_calls": [{"index": 1, "custom": {"input": " -l"}}]},
        ),
        CALLS
        | {"tool_calls": (ToolCall("call_1", "weather", ROME), ToolCall("call_2", "shell", "ls -l", custom=True))},
        "tool_calls",
    ),
    Case(
        "the function call of an old server",
        {"content": None, "function_call": {"name": "weather", "arguments": ROME}},
        (
            {"function_call": {"name": "weather", "arguments": ""}},
            {"function_call": {"arguments": '{"city"'}},
            {"function_call": {"arguments": ': "Rome"}'}},
        ),
        CALLS | {"tool_calls": (ToolCall("call_0_35c588e897cd", "weather", ROME),)},
        "function_call",
    ),
    Case(
        "a sealed tool call",
        {"content": None, "tool_calls": [SEALED]},
        ({"tool_calls": [{"index": 0} | SEALED]},),
        CALLS | {"tool_calls": (ToolCall("call_1", "weather", ROME, signature="c2VhbA=="),)},
        "tool_calls",
    ),
    Case(
        "a cut tool call",
        {"content": None, "tool_calls": [WEATHER | {"function": {"name": "weather", "arguments": '{"ci'}}]},
        (starts(0, "weather", "call_1"), adds(0, '{"ci')),
        {"finish_reason": "length", "text": "", "tool_calls": (ToolCall("call_1", "weather", '{"ci'),)},
        "length",
    ),
    Case(
        "a refusal",
        {"content": None, "refusal": "I won't."},
        ({"role": "assistant", "content": None, "refusal": ""}, {"refusal": "I "}, {"refusal": "won't."}),
        {"text": "I won't.", "refused": True, "finish_reason": "stop"},
    ),
    Case(
        "thoughts as DeepSeek tells them",
        {"content": "Yes", "reasoning_content": "Is it? It is."},
        ({"reasoning_content": "Is it? ", "content": None}, {"reasoning_content": "It is."}, {"content": "Yes"}),
        {"text": "Yes", "thinking": (Thinking("Is it? It is."),), "finish_reason": "stop"},
    ),
    Case(
        "thoughts as OpenRouter tells them",
        {"content": "Yes", "reasoning": "Is it?"},
        ({"reasoning": "Is it?", "content": ""}, {"content": "Yes", "reasoning": None}),
        {"text": "Yes", "thinking": (Thinking("Is it?"),), "finish_reason": "stop"},
    ),
    Case(
        "thoughts as vLLM tells them, twice",
        {"content": "Yes", "reasoning": "Is it?", "reasoning_content": "Is it?"},
        ({"reasoning": "Is it?", "reasoning_content": "Is it?"}, {"content": "Yes"}),
        {"text": "Yes", "thinking": (Thinking("Is it?"),), "finish_reason": "stop"},
    ),
    Case(
        "thoughts as Mistral tells them",
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "Is it?"}]},
                {"type": "text", "text": "Yes"},
            ]
        },
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Is it?"}]}]}, {"content": "Yes"}),
        {"text": "Yes", "thinking": (Thinking("Is it?"),), "finish_reason": "stop"},
    ),
    Case(
        "sound",
        {"content": None, "audio": {"id": "audio_1", "data": "aGkh", "transcript": "Hi!", "expires_at": 9}},
        (
            {"audio": {"id": "audio_1", "transcript": "Hi"}},
            {"audio": {"data": "aGk=", "transcript": "!"}},
            {"audio": {"data": "IQ=="}},
            {"audio": {"expires_at": 9}},
        ),
        {"own": {"audio": {"id": "audio_1", "data": "aGkh", "transcript": "Hi!", "expires_at": 9}}, "text": ""},
    ),
    Case(
        "citations",
        {"content": "See A", "annotations": CITED},
        ({"content": "See A"}, {"annotations": CITED}),
        {"text": "See A", "own": {"annotations": CITED}},
    ),
    Case(
        "nothing but what nobody needs",
        {
            "content": "Hi",
            "refusal": None,
            "annotations": [],
            "tool_calls": [],
            "audio": None,
            "function_call": None,
        },
        ({"content": "Hi", "tool_calls": None, "reasoning_content": None, "refusal": None},),
        {"text": "Hi", "own": None, "tool_calls": (), "thinking": (), "refused": False},
    ),
]
