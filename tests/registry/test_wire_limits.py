from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from tests.providers.conversations import calls

from prysm.core.chat import Message, ModelCall, Sampling
from prysm.core.content import AudioPart, FilePart, ImagePart, TextPart, Thinking, ToolCall
from prysm.core.model import Model
from prysm.core.plan import ChatRequest
from prysm.core.tools import NamedTool, Tool, Toolbox
from prysm.providers.build import OVER_HTTP
from prysm.providers.failures import Unusable
from prysm.registry.wire_limits import inexpressible

if TYPE_CHECKING:
    from prysm.core.content import Part
    from prysm.core.provider import WireFormat

MODEL = Model(id="tiny", provider="acme", upstream="tiny-1", display="Tiny", family="acme", tier="small")
ASK = Message("user", "Hi")
TOOL = Tool("look_up")
PNG = ImagePart(data="aGk=", media_type="image/png")
EVERY: tuple[WireFormat, ...] = ("openai", "anthropic", "gemini")


def sampled(**sampling: Any) -> ChatRequest:
    """A plain request, sampled so."""
    return ChatRequest((ASK,), Sampling(**sampling))


def shown(part: Part, **message: Any) -> ChatRequest:
    """A request whose user shows something."""
    return ChatRequest((Message("user", (TextPart("a"), part), **message),))


def called(**call: Any) -> ChatRequest:
    """A request whose model called a tool before."""
    made = ToolCall(**({"id": "c", "name": "look_up", "arguments": "{}"} | call))
    return ChatRequest((ASK, Message("assistant", "", (made,)), Message("tool", "x", tool_call_id="c")))


def returned(*parts: Part) -> ChatRequest:
    """A request whose tool answered with more than text."""
    request = called()
    return replace(request, messages=(*request.messages[:2], Message("tool", parts, tool_call_id="c")))


def thought(thinking: Thinking, *then: Message) -> ChatRequest:
    """A request whose model thought before it called a tool."""
    step = Message("assistant", "Ho", (ToolCall("c", "look_up", "{}"),), thinking=(thinking,))
    return ChatRequest((ASK, step, Message("tool", "x", tool_call_id="c"), *then))


def offered(tool: Tool = TOOL, sampling: Sampling | None = None, **box: Any) -> ChatRequest:
    """A request with a tool."""
    return ChatRequest((ASK,), sampling or Sampling(), Toolbox((tool,), **box))


LIMITS: list[tuple[ChatRequest, dict[str, str]]] = [
    (sampled(top_k=4), {"openai": "top_k"}),
    (sampled(seed=4), {"anthropic": "seed"}),
    (sampled(seed=2**40), {"anthropic": "seed", "gemini": "seed"}),
    (sampled(frequency_penalty=0.1), {"anthropic": "frequency_penalty"}),
    (sampled(presence_penalty=0.1), {"anthropic": "presence_penalty"}),
    (sampled(temperature=1.1), {"anthropic": "temperature"}),
    (sampled(stop=("END", "\n")), {"anthropic": "stop"}),
    (sampled(stop=("a", "b", "c", "d", "e")), {"openai": "stop"}),
    (sampled(stop=("a", "b", "c", "d", "e", "f")), {"openai": "stop", "gemini": "stop"}),
    (sampled(effort="high", thinking_display="summarized"), {}),
    (sampled(effort="high", thinking_display="omitted"), dict.fromkeys(("openai", "gemini"), "thinking.display")),
    (offered(Tool("x" * 65)), {"openai": "tools[0].name"}),
    (sampled(logprobs=True), {"anthropic": "logprobs"}),
    (sampled(logprobs=True, top_logprobs=2), {"anthropic": "top_logprobs"}),
    (sampled(effort="minimal"), {"anthropic": "reasoning_effort"}),
    (sampled(effort="xhigh"), {"gemini": "reasoning_effort"}),
    (sampled(effort="max"), {"gemini": "reasoning_effort"}),
    (sampled(effort="none"), {}),
    (sampled(thinking_tokens=0), {}),
    (sampled(thinking_tokens=0, effort="none"), {}),
    (sampled(thinking_tokens=0, effort="high"), {"openai": "thinking", "gemini": "thinking"}),
    (sampled(thinking_tokens=2000, effort="high"), {"openai": "thinking", "gemini": "thinking"}),
    (sampled(thinking_tokens=2000, effort="none"), dict.fromkeys(EVERY, "thinking")),
    (sampled(thinking_tokens=2000), {"openai": "thinking"}),
    (sampled(thinking_tokens=100), {"openai": "thinking", "anthropic": "thinking"}),
    (sampled(thinking_tokens=2000, max_tokens=1024), {"openai": "thinking", "anthropic": "max_tokens"}),
    (sampled(thinking_tokens=2000, temperature=0.5), {"openai": "thinking", "anthropic": "temperature"}),
    (sampled(thinking_tokens=2000, top_k=5), {"openai": "top_k", "anthropic": "top_k"}),
    (sampled(thinking_tokens=2000, top_p=0.9), {"openai": "thinking", "anthropic": "top_p"}),
    (sampled(effort="high", temperature=0.5), {"anthropic": "temperature"}),
    (sampled(effort="high", temperature=1, top_p=0.95), {}),
    (sampled(effort="high", top_p=0.9), {"anthropic": "top_p"}),
    (sampled(effort="low", top_k=5), {"openai": "top_k", "anthropic": "top_k"}),
    (sampled(effort="none", temperature=0.5, top_p=0.9), {}),
    (offered(choice="required", sampling=Sampling(effort="low")), {"anthropic": "tool_choice"}),
    (offered(choice=NamedTool("look_up"), sampling=Sampling(effort="low")), {"anthropic": "tool_choice"}),
    (offered(choice="required", sampling=Sampling(effort="none")), {}),
    (offered(choice="auto", sampling=Sampling(effort="low")), {}),
    (sampled(own={"logit_bias": {}}), {"anthropic": "logit_bias", "gemini": "logit_bias"}),
    (sampled(user="ann"), {}),
    (ChatRequest((Message("system", "Be brief."),)), dict.fromkeys(("anthropic", "gemini"), "messages")),
    (ChatRequest((Message("user", ""),)), dict.fromkeys(("anthropic", "gemini"), "messages")),
    (ChatRequest((Message("user", ()),)), dict.fromkeys(("anthropic", "gemini"), "messages")),
    (ChatRequest((Message("user", (TextPart(" \n"),)),)), {"anthropic": "messages"}),
    (ChatRequest((Message("user", ""), ASK)), {}),
    (shown(PNG), {}),
    (shown(replace(PNG, detail="auto")), {}),
    (
        shown(replace(PNG, detail="high")),
        dict.fromkeys(("anthropic", "gemini"), "messages[0].content[1].image_url.detail"),
    ),
    (shown(ImagePart(data="aGk=", media_type="image/tiff")), {"anthropic": "messages[0].content[1].type"}),
    (shown(ImagePart(url="https://acme.test/a.png")), {}),
    (shown(AudioPart("aGk=", "wav")), {"anthropic": "messages[0].content[1].type"}),
    (shown(FilePart(data="aGk=", media_type="application/pdf")), {}),
    (shown(FilePart(data="aGk=", media_type="text/csv")), {"anthropic": "messages[0].content[1].type"}),
    (shown(FilePart(url="https://acme.test/a.pdf")), {"openai": "messages[0].content[1].type"}),
    (shown(FilePart(file_id="file-1")), dict.fromkeys(("anthropic", "gemini"), "messages[0].content[1].type")),
    (shown(FilePart(file_id="file_1")), {"gemini": "messages[0].content[1].type"}),
    (shown(PNG, name="ann"), dict.fromkeys(("anthropic", "gemini"), "messages[0].name")),
    (returned(PNG), {"openai": "messages[2].content[0].type"}),
    (
        returned(ImagePart(url="https://acme.test/a.png")),
        dict.fromkeys(("openai", "gemini"), "messages[2].content[0].type"),
    ),
    (returned(AudioPart("aGk=", "wav")), dict.fromkeys(EVERY, "messages[2].content[0].type")),
    (
        returned(FilePart(data="aGk=", media_type="application/pdf", filename="a.pdf")),
        dict.fromkeys(("openai", "gemini"), "messages[2].content[0].type"),
    ),
    (called(), {}),
    (called(arguments=""), {}),
    (
        called(arguments="[1]"),
        dict.fromkeys(("anthropic", "gemini"), "messages[1].tool_calls[0].function.arguments"),
    ),
    (
        called(arguments='{"a": '),
        dict.fromkeys(("anthropic", "gemini"), "messages[1].tool_calls[0].function.arguments"),
    ),
    (called(custom=True), dict.fromkeys(("anthropic", "gemini"), "messages[1].tool_calls[0].type")),
    (called(signature="seal"), {}),
    (ChatRequest((ASK, Message("tool", "x", tool_call_id="c"))), {"gemini": "messages[1].tool_call_id"}),
    (ChatRequest((ASK, Message("tool", "x", tool_call_id="c", name="look_up"))), {}),
    (thought(Thinking("hm")), {"anthropic": "messages[1].reasoning_content"}),
    (thought(Thinking("hm", "seal")), dict.fromkeys(("openai", "gemini"), "messages[1].thinking_blocks")),
    (thought(Thinking("hm", redacted=True)), dict.fromkeys(("openai", "gemini"), "messages[1].thinking_blocks")),
    (thought(Thinking("hm"), ASK), {}),
    (thought(Thinking("hm", "seal"), Message("assistant", "Ha"), ASK), {}),
    (thought(Thinking("hm", redacted=True), Message("user", (PNG,))), {}),
    (thought(Thinking("hm"), Message("user", "")), {"anthropic": "messages[1].reasoning_content"}),
    (offered(Tool("look_up", strict=True), choice="required", parallel=True), {}),
    (offered(Tool("look_up", custom=True)), dict.fromkeys(("anthropic", "gemini"), "tools[0].type")),
    (offered(parallel=False), {"gemini": "parallel_tool_calls"}),
    (
        offered(sampling=Sampling(thinking_tokens=2000), choice=NamedTool("look_up")),
        {"openai": "thinking", "anthropic": "tool_choice"},
    ),
]


@pytest.mark.parametrize(("request_", "fields"), LIMITS)
def test_each_format_names_what_it_has_no_word_for(request_: ChatRequest, fields: dict[str, str]) -> None:
    assert {kind: field for kind in EVERY if (field := inexpressible(kind, request_)) is not None} == fields


@pytest.mark.parametrize(("request_", "fields"), LIMITS)
@pytest.mark.parametrize("kind", ["anthropic", "gemini"])
def test_an_adapter_refuses_by_name_just_what_its_format_cannot_say(
    kind: WireFormat, request_: ChatRequest, fields: dict[str, str]
) -> None:
    call = ModelCall(MODEL, request_.messages, request_.sampling, toolbox=request_.toolbox)
    if kind not in fields:
        assert OVER_HTTP[kind].to_wire(call, stream=False)
        return
    with pytest.raises(Unusable) as caught:
        OVER_HTTP[kind].to_wire(call, stream=False)
    assert caught.value.kind == "rejected"
    assert fields[kind] in caught.value.why


@pytest.mark.parametrize("kind", EVERY)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(call=calls)
def test_a_request_is_judged_as_the_call_that_comes_of_it(kind: WireFormat, call: ModelCall) -> None:
    request = ChatRequest(call.messages, call.sampling, call.toolbox, call.response_format)
    assert inexpressible(kind, request) == inexpressible(kind, call)
