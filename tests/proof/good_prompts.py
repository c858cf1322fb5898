"""Prompts as callers have them at hand: what they sent, or what their client makes of it, opens the commitment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import rfc8785
from tests.proof.good_receipts import good
from tests.proof.made import b64, commitment, sealed
from tests.proof.runs import OPENINGS, SALTS, single

if TYPE_CHECKING:
    from tests.proof.made import Case

CALL: dict[str, Any] = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"at":"Paris"}'},
}
CALLS: list[dict[str, Any]] = [
    {"role": "user", "content": "Rain?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "content": "Some.", "tool_call_id": "call_1"},
]
CALLS_GIVEN = [
    CALLS[0] | {"name": None},
    {"role": "assistant", "tool_calls": [CALL | {"index": 0, "extra_content": None}], "refusal": None},
    CALLS[2] | {"name": "weather"},
]
"""The same as clients write it: without content, with what a stream left behind, with nulls."""


def asked(committed: Any, given: str) -> Case:
    """A receipt of a run that committed to this prompt, and the prompt as its caller has it."""
    record, bodies = single()
    record["commit"]["prompt"]["c"] = commitment(SALTS["prompt"], "prompt", "jcs", rfc8785.dumps(committed))
    openings = {"prompt": {"enc": "jcs", "salt": b64(SALTS["prompt"])}}
    assert openings["prompt"] == OPENINGS["prompt"]
    return sealed(record, bodies) | {"openings": openings, "texts": {"prompt": given}}


OPENS = good(**{"signature": True, "opening:prompt": True})


@OPENS
def prompt_with_nulls_and_fields_of_a_client() -> Case:
    """Messages as a client's objects print themselves."""
    said = [("user", "2 + 2?"), ("assistant", "4"), ("user", "Sure?")]
    committed = [{"role": role, "content": content} for role, content in said]
    nulls = dict.fromkeys(("refusal", "name", "audio", "function_call", "tool_calls", "reasoning_content"))
    given: list[dict[str, Any]] = [each | {"name": None} for each in committed]
    given[1] |= nulls | {"annotations": [], "parsed": None}
    return asked(committed, json.dumps(given))


@OPENS
def prompt_with_tool_calls() -> Case:
    """An assistant's turn without content beside its call, and the tool's answer with its name."""
    return asked(CALLS, json.dumps(CALLS_GIVEN))


@OPENS
def prompt_with_empty_content_beside_tool_calls() -> Case:
    """The same with an empty text as content."""
    return asked(CALLS, json.dumps([CALLS[0], CALLS[1] | {"content": ""}, CALLS[2]]))


@OPENS
def prompt_with_a_custom_and_a_sealed_call() -> Case:
    """A call of a custom tool, and one that bears a provider's seal."""
    custom = {"id": "call_1", "type": "custom", "custom": {"name": "shell", "input": "ls"}}
    seal = {"extra_content": {"google": {"thought_signature": "c2VhbA=="}}}
    turn: dict[str, Any] = {"role": "assistant", "content": "Both:", "tool_calls": [custom, CALL | seal]}
    given = turn | {"tool_calls": [custom | {"index": 0}, CALL | seal | {"index": 1}], "parsed": {"x": 1}}
    return asked([turn], json.dumps([given]))


@OPENS
def prompt_in_a_whole_request() -> Case:
    """The body of the request, with all that is not committed to."""
    messages = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hello", "name": "ann"}]
    body = {"model": "auto", "temperature": 0.7, "seed": 17, "prompt": None, "messages": messages}
    return asked(messages, json.dumps(body))


@OPENS
def prompt_as_one_string() -> Case:
    """The body of an orchestration that gives its prompt as one string."""
    return asked([{"role": "user", "content": "Hello 😀"}], '{"prompt": "Hello \\ud83d\\ude00", "policy": "depth"}')


@OPENS
def prompt_in_parts() -> Case:
    """Text, images, sound and a file, with what clients add to them."""
    address = {"type": "image_url", "image_url": {"url": "HTTPS://images.test/1.png", "detail": "low"}}
    committed: list[dict[str, Any]] = [
        {"type": "text", "text": "Look:"},
        address,
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
    ]
    image = {"type": "image_url", "image_url": {"url": "data:Image/PNG;name=a;base64,iVBORw0KGgo=", "detail": None}}
    file = {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0=", "file_id": None}
    given = [
        committed[0] | {"prompt_cache_breakpoint": {"mode": "explicit"}},
        address,
        image,
        committed[3],
        {"type": "file", "file": file},
    ]
    return asked([{"role": "user", "content": committed}], json.dumps([{"role": "user", "content": given}]))


@OPENS
def prompt_with_thoughts() -> Case:
    """Thoughts in the open, sealed ones and a redacted one."""
    sealed_, redacted = _block("hm", "c2VhbA=="), {"type": "redacted_thinking", "data": "b3BhcXVl"}
    said = {"role": "assistant", "content": "4"}
    committed = said | {"reasoning_content": "2 and 2", "thinking_blocks": [sealed_, redacted]}
    blocks = [_block("2 and ", None), sealed_, _block("2", None), redacted]
    return asked([committed], json.dumps([said | {"reasoning_content": "else", "thinking_blocks": blocks}]))


def _block(text: str, signature: str | None) -> dict[str, Any]:
    return {"type": "thinking", "thinking": text, "signature": signature}


@OPENS
def prompt_with_open_thoughts() -> Case:
    """Thoughts in the open alone, and a turn whose thoughts are empty."""
    turns = [{"role": "assistant", "content": "4"}, {"role": "assistant", "content": "5"}]
    committed = [turns[0] | {"reasoning_content": "2 and 2"}, turns[1]]
    given = [committed[0] | {"thinking_blocks": []}, turns[1] | {"reasoning_content": ""}]
    return asked(committed, json.dumps(given))


@OPENS
def prompt_with_a_refusal() -> Case:
    """A model's refusal is what it said, beside its turn's content or as a part of it."""
    committed = [
        {"role": "assistant", "content": "I will not."},
        {"role": "assistant", "content": [{"type": "text", "text": "I will not."}]},
    ]
    given = [
        {"role": "assistant", "content": None, "refusal": "I will not."},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "I will not."}]},
    ]
    return asked(committed, json.dumps(given))


@OPENS
def input_as_one_string() -> Case:
    """The input of an embedding as one string."""
    return asked(["hello"], '{"model": "embed", "input": "hello", "encoding_format": "base64"}')


@OPENS
def input_alone() -> Case:
    """The input of an embedding without the body around it."""
    return asked(["hello"], '"hello"')


@OPENS
def input_as_tokens() -> Case:
    """The input of an embedding as one list of tokens."""
    return asked([[1, 2, 3]], '{"input": [1, 2, 3]}')


@OPENS
def input_as_lists_of_tokens() -> Case:
    """The inputs of an embedding as lists of tokens."""
    return asked([[1, 2], [3]], '{"input": [[1, 2], [3]]}')


@OPENS
def prompt_as_it_was_committed_to() -> Case:
    """JSON that has no normal form opens as it is: numbers as ECMAScript writes them, keys by UTF-16 units."""
    committed = {"ａ": [1.0, 1e-7, -0.0, 1e21, 123456789.125, 5e-324, 0.1], "𐀀": 1}
    return asked(committed, '{"ａ": [1.0, 0.1e-6, -0.0, 1E21, 123456789.1250, 5e-324, 1e-1], "𐀀": 1}')
