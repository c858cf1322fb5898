"""A prompt opens as it was given, or in the normal form that the gateway commits to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.signed_receipts import OPENINGS, RECORD, SALT, Log

from prysm.api import parse
from prysm.api.bodies import ChatBody, OrchestrateBody
from prysm.api.embeddings import EmbeddingBody
from prysm.proof.canonical import canonical
from prysm.proof.hashing import commitment
from prysm.proof.jcs import jcs
from prysm.proof.prompt import normal_form
from prysm.proof.verify import verify_document, verify_opening
from prysm.receipt.commitments import asked

if TYPE_CHECKING:
    from prysm.proof.report import Check

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
SEALED_CALL = CALL | {"extra_content": {"google": {"thought_signature": "s"}}}
PIXEL = "data:image/PNG;name=x;base64,iVBORw0KGgo="
USER = {"role": "user", "content": "hi"}


def answered(*calls: Any, **fields: Any) -> list[dict[str, Any]]:
    """A turn of a model with calls, and the tool's answer to the first."""
    turn = {"role": "assistant", "tool_calls": list(calls), **fields}
    return [USER, turn, {"role": "tool", "content": "42", "tool_call_id": calls[0]["id"], "name": "f"}]


BODIES: dict[str, list[dict[str, Any]]] = {
    "plain": [USER],
    "named": [USER | {"name": "ann"}, {"role": "system", "content": "x", "name": "sys"}],
    "nulls": [USER | {"name": None}],
    "as dumped": [
        USER,
        {"role": "assistant", "content": "a", "refusal": None, "audio": None, "function_call": None},
    ],
    "read off": [USER, {"role": "assistant", "content": "a", "annotations": [], "parsed": {"a": 1.5}}],
    "refused": [USER, {"role": "assistant", "content": None, "refusal": "no"}],
    "refused beside": [USER, {"role": "assistant", "content": "a", "refusal": "no"}],
    "calls without content": answered(CALL),
    "calls beside null": answered(CALL, content=None),
    "calls beside nothing": answered(CALL, content=""),
    "calls beside no parts": answered(CALL, content=[]),
    "calls beside text": answered(CALL, content="I call"),
    "no calls": [USER, {"role": "assistant", "content": "a", "tool_calls": []}],
    "numbered calls": answered(CALL | {"index": 0}),
    "parsed calls": answered(CALL | {"function": CALL["function"] | {"parsed_arguments": {}}}),  # type: ignore[operator]
    "sealed calls": answered(SEALED_CALL),
    "unsealed calls": answered(CALL | {"extra_content": {"google": {"thought_signature": None}}}),
    "custom calls": answered({"id": "c2", "type": "custom", "custom": {"name": "f", "input": "x"}}),
    "thoughts": [USER, {"role": "assistant", "content": "a", "reasoning_content": "hm"}],
    "no thoughts": [USER, {"role": "assistant", "content": "a", "reasoning_content": "", "thinking_blocks": []}],
    "sealed thoughts": [
        USER,
        {
            "role": "assistant",
            "content": "a",
            "reasoning_content": "both",
            "thinking_blocks": [
                {"type": "thinking", "thinking": "open", "signature": None},
                {"type": "thinking", "thinking": "closed", "signature": "s"},
                {"type": "redacted_thinking", "data": "d"},
            ],
        },
    ],
    "empty parts": [{"role": "user", "content": []}],
    "parts": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}},
                {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": None}},
                {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "file", "file": {"file_id": "f1", "filename": None}},
                {"type": "file", "file": {"file_data": "data:application/PDF;base64,AAAA", "filename": "a.pdf"}},
            ],
        }
    ],
    "refusal part": [USER, {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}],
}


@pytest.mark.parametrize("messages", BODIES.values(), ids=BODIES.keys())
def test_the_normal_form_of_messages_is_what_the_gateway_commits_to(messages: Any) -> None:
    body = {"model": "auto", "temperature": 0.5, "messages": messages}
    committed = asked(parse.read(ChatBody, json.dumps(body).encode()).chat_request())
    assert normal_form(body) == normal_form(messages) == committed


def test_a_prompt_is_one_message_of_a_user() -> None:
    for body in ({"prompt": "hi"}, {"prompt": "hi", "messages": None}, {"messages": [USER], "prompt": None}):
        committed = asked(parse.read(OrchestrateBody, json.dumps(body).encode()).chat_request())
        assert normal_form(body) == committed == [USER]


@pytest.mark.parametrize("inputs", ["hello", ["a", "b"], [1, 2, 3], [[1, 2], [3]], ["a"]])
def test_the_inputs_of_an_embedding_are_a_list(inputs: Any) -> None:
    body = {"model": "auto", "input": inputs}
    committed = asked(parse.read(EmbeddingBody, json.dumps(body).encode()).request())
    assert normal_form(body) == normal_form(inputs) == committed


TEXT = st.text(max_size=5)
FIELDS = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "system"]), "content": TEXT},
    optional={"name": st.none() | st.text("ab", min_size=1, max_size=3)},
)


@given(st.lists(FIELDS, min_size=1, max_size=4))
def test_whatever_the_gateway_takes_opens(messages: list[dict[str, Any]]) -> None:
    body = json.dumps({"model": "auto", "messages": messages}).encode()
    committed = asked(parse.read(ChatBody, body).chat_request())
    assert opened(committed, body).ok


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.sampled_from(list(SEALED_CALL)), inner),
    max_leaves=6,
)
NAMES = ("role", "content", "refusal", "name", "tool_calls", "thinking_blocks", "reasoning_content", "tool_call_id")


@given(VALUES | st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=1), min_size=1, max_size=3))
def test_the_normal_form_of_any_json_is_json(value: Any) -> None:
    assert isinstance(jcs(normal_form(value)), bytes)


def opened(committed: Any, given: bytes) -> Check:
    sealed = {"enc": "jcs", "alg": "HMAC-SHA256", "c": commitment(SALT, "prompt", "jcs", jcs(committed))}
    document = Log().document({**RECORD, "commit": {"prompt": sealed, "answer": None}})  # type: ignore[dict-item]
    openings = {"prompt": OPENINGS["prompt"]}
    return verify_document(document, openings=openings, texts={"prompt": given}).checks[-1]


def test_either_the_prompt_as_it_was_given_or_its_normal_form_opens() -> None:
    odd = [USER | {"of": "another gateway", "n": [1e-7, 1.0, -0.0]}]
    assert opened(odd, json.dumps(odd, indent=1).encode()).ok
    assert opened([USER], json.dumps(odd).encode()).ok
    assert opened([USER], b'[{"role":"user","content":"ho"}]').detail == "another text was committed to"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (b"[9007199254740993]", "beyond 53 bits"),
        (b"[1e400]", "beyond a double"),
        (b'["\\ud800"]', "half a character"),
        (b"hello", "the text is to be JSON"),
        (b"\xff", "the text is to be JSON"),
    ],
)
def test_a_prompt_that_two_readers_could_take_for_two_texts_is_refused(given: bytes, why: str) -> None:
    check = opened([9007199254740992], given)
    assert check.ok is False
    assert why in check.detail


@pytest.mark.parametrize(
    ("opening", "why"),
    [
        ({"enc": "utf8"}, "the opening has no salt"),
        ({"enc": "jcs", "salt": OPENINGS["answer"]["salt"]}, "committed to utf8, the opening says 'jcs'"),
        ({"salt": OPENINGS["answer"]["salt"]}, "the opening says None"),
        ([], "the opening is no object"),
    ],
)
def test_an_opening_that_is_not_as_specified_is_refused_for_what_it_is(opening: Any, why: str) -> None:
    check = verify_opening(canonical(RECORD), "answer", opening, b"Tokyo")
    assert check.ok is False
    assert why in check.detail
