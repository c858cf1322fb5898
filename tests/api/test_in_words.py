"""What a refusal calls the field that is wrong, on each surface."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

import pytest
from tests.api.wire import completion
from tests.providers.upstream import answer
from tests.serving import PROMPT

from prysm.api.in_words import InWords
from prysm.api.messages_body import MessagesBody
from prysm.api.parse import read
from prysm.api.responses_body import ResponsesBody
from prysm.core.caller import ROOT
from prysm.core.events import ignore
from prysm.errors import UnsupportedParameter

if TYPE_CHECKING:
    from tests.providers.upstream import Upstream
    from tests.serving import Served


def said(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


IMAGE = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
RESULT = {"type": "tool_result", "tool_use_id": "c1", "content": "21"}
USE = {"type": "tool_use", "id": "c1", "name": "now", "input": {}}
SHOWN = [{"type": "text", "text": "Look"}, IMAGE]
ITEMS = [
    said("user", "Hi"),
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
    said("assistant", "Yes?"),
    said("user", [{"type": "input_image", "image_url": "https://example.org/a.png", "detail": "high"}]),
]
LONG = "word " * 40_000


def messages(gateway: Served, model: str, **more: Any) -> tuple[str, str]:
    """Field and sentence of a refusal of `/v1/messages`."""
    asked = {"model": model, "max_tokens": 50, "messages": [said("user", PROMPT)]} | more
    response = gateway.http.post("/v1/messages", json=asked)
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    return error["details"]["param"], error["message"]


def responses(gateway: Served, model: str, **more: Any) -> tuple[str, str]:
    """Field and sentence of a refusal of `/v1/responses`."""
    response = gateway.http.post("/v1/responses", json={"model": model, "input": PROMPT} | more)
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    return error["param"], error["message"]


async def reworded(body: MessagesBody | ResponsesBody, field: str) -> tuple[str | None, str]:
    """What becomes of a refusal that names a field of chat completions."""

    class Refusing:
        async def run(self, *_: object) -> NoReturn:
            raise UnsupportedParameter(f"It cannot say '{field}'. Leave out '{field}'.", param=field)

    places = body.places if isinstance(body, MessagesBody) else partial(body.places, ())
    with pytest.raises(UnsupportedParameter) as caught:
        await InWords(Refusing(), body.names(), places).run(body.chat_request(), UUID(int=1), ignore, ROOT)
    assert str(caught.value) == caught.value.message
    return caught.value.param, caught.value.message


@pytest.mark.parametrize(
    ("more", "theirs", "field"),
    [
        ({}, "response_format", "output_config.format"),
        ({}, "parallel_tool_calls", "tool_choice.disable_parallel_tool_use"),
        ({"output_config": {"effort": "low"}}, "reasoning_effort", "output_config.effort"),
        ({"thinking": {"type": "adaptive"}}, "reasoning_effort", "thinking"),
        ({}, "top_k", "top_k"),
        ({"messages": [said("user", SHOWN)]}, "messages[0].content[1].type", "messages[0].content[1].type"),
        (
            {"messages": [said("user", SHOWN)], "system": "Be brief."},
            "messages[1].content[1]",
            "messages[0].content[1]",
        ),
        ({"messages": [said("assistant", [USE]), said("user", [RESULT, IMAGE])]}, "messages[2]", "messages[1]"),
        (
            {"messages": [said("user", "Hi"), said("assistant", [USE])]},
            "messages[1].tool_calls[0].type",
            "messages[1]",
        ),
    ],
)
async def test_refusals_on_messages_name_its_own_fields(more: dict[str, Any], theirs: str, field: str) -> None:
    asked = {"model": "auto", "max_tokens": 50, "messages": [said("user", PROMPT)]} | more
    body = read(MessagesBody, json.dumps(asked).encode())
    assert await reworded(body, theirs) == (field, f"It cannot say '{field}'. Leave out '{field}'.")


@pytest.mark.parametrize(
    ("more", "theirs", "field"),
    [
        ({}, "response_format", "text.format"),
        ({}, "reasoning_effort", "reasoning.effort"),
        ({}, "max_tokens", "max_output_tokens"),
        ({"top_logprobs": 2}, "logprobs", "top_logprobs"),
        ({"include": ["message.output_text.logprobs"]}, "logprobs", "include"),
        ({"instructions": "Be brief."}, "messages[1].content[0]", "input"),
        (
            {"instructions": "Be brief.", "input": ITEMS},
            "messages[3].content[0].image_url.detail",
            "input[3].content[0].detail",
        ),
        ({"input": ITEMS}, "messages[1].reasoning_content", "input[1]"),
    ],
)
async def test_refusals_on_responses_name_its_own_fields(more: dict[str, Any], theirs: str, field: str) -> None:
    body = read(ResponsesBody, json.dumps({"model": "auto", "input": PROMPT} | more).encode())
    assert await reworded(body, theirs) == (field, f"It cannot say '{field}'. Leave out '{field}'.")


def test_both_surfaces_refuse_in_their_own_words(formats: Served) -> None:
    param, message = messages(formats, "openai", stop_sequences=list("abcde"))
    assert (param, "stop_sequences" in message) == ("stop_sequences", True)
    param, message = responses(formats, "gemini", text={"verbosity": "low"})
    assert (param, "text.verbosity" in message) == ("text.verbosity", True)
    assert responses(formats, "openai", input=LONG)[0] == "input"


def test_a_prompt_that_is_too_long_upstream_is_named_in_the_surfaces_words(formats: Served, left: Upstream) -> None:
    refusal = {"error": {"message": "too long", "code": "context_length_exceeded"}}
    left.plays(*[_refused(refusal)] * 2)
    assert responses(formats, "openai")[0] == "input"
    assert messages(formats, "openai")[0] == "messages"


def test_what_node_sdks_parse_adds_may_be_sent_back(scripted: Served, left: Upstream) -> None:
    left.plays(completion("Fine."))
    call = {"type": "function_call", "call_id": "c1", "name": "now", "arguments": "{}", "parsed_arguments": {}}
    spoken = {"type": "output_text", "text": "{}", "annotations": [], "parsed": {}}
    items = [
        said("user", PROMPT),
        {"type": "message", **said("assistant", [spoken])},
        call,
        {"type": "function_call_output", "call_id": "c1", "output": "12"},
    ]
    answered = scripted.http.post("/v1/responses", json={"model": "left", "input": items})
    assert answered.status_code == 200, answered.text
    assert "parsed" not in str(left.seen[0].json)


def _refused(body: dict[str, Any]) -> bytes:
    return answer(json.dumps(body).encode(), "400 Bad Request")
