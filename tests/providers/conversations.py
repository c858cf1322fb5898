"""Generated requests: everything that one can hold, whether or not a format has a word for it."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
from hypothesis import strategies as st

from prysm.core.chat import Message, ModelCall, Sampling
from prysm.core.content import AudioPart, FilePart, ImagePart, TextPart, Thinking, ToolCall
from prysm.core.model import Model
from prysm.core.tools import NamedTool, ResponseFormat, Tool, Toolbox

if TYPE_CHECKING:
    from prysm.core.content import CacheTtl, Part
    from prysm.core.tools import ToolChoice

MODEL = Model(
    id="tiny",
    provider="acme",
    upstream="tiny-1",
    display="Tiny",
    family="acme",
    tier="small",
    capabilities=frozenset({"reasoning"}),
)
NAMES = ("weather", "look_up")

texts = st.text('aä€😀\n "\\{', min_size=1, max_size=8)
data = st.binary(min_size=1, max_size=6).map(lambda raw: base64.b64encode(raw).decode())
plain_text = texts.map(lambda text: base64.b64encode(text.encode()).decode())
cache: st.SearchStrategy[CacheTtl | None] = st.sampled_from([None, None, "5m", "1h"])
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts
objects = st.dictionaries(texts, scalars | st.lists(scalars, max_size=2), max_size=3)
arguments = objects.map(lambda value: orjson.dumps(value).decode()) | st.sampled_from(["", "{}", '{"a": 1.50}'])
schemas = st.sampled_from(
    [
        {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        {"type": "object", "properties": {}, "description": "Nothing."},
    ]
)

text_parts = st.builds(TextPart, texts, cache)
image_parts = st.one_of(
    st.builds(
        ImagePart,
        data=data,
        media_type=st.sampled_from(["image/png", "image/jpeg"]),
        detail=st.sampled_from([None, "auto"] * 5 + ["low"]),
        cache=cache,
    ),
    st.builds(ImagePart, url=st.just("https://acme.test/a.png"), cache=cache),
)
file_parts = st.one_of(
    st.builds(
        FilePart, data=data, media_type=st.just("application/pdf"), filename=st.sampled_from([None, "a.pdf"])
    ),
    st.builds(
        FilePart, data=plain_text, media_type=st.just("text/plain"), filename=st.sampled_from([None, "a.txt"])
    ),
    st.builds(FilePart, url=st.just("https://acme.test/a.pdf")),
    st.builds(FilePart, file_id=st.sampled_from(["file_1", "file-1"])),
)
audio_parts = st.builds(AudioPart, data, st.sampled_from(["wav", "mp3"]))


def contents(*kinds: st.SearchStrategy[Any]) -> st.SearchStrategy[str | tuple[Part, ...]]:
    """Text, or parts of these kinds."""
    return texts | st.lists(st.one_of(text_parts, *kinds), min_size=1, max_size=3).map(tuple)


systems = st.builds(Message, st.sampled_from(["system", "developer"]), contents(), cache=cache)
users = st.builds(
    Message,
    st.just("user"),
    st.one_of(contents(), contents(image_parts), contents(image_parts, file_parts, audio_parts)),
    name=st.sampled_from([None] * 19 + ["ann"]),
    cache=cache,
)
open_thoughts = st.builds(Thinking, texts)
sealed_thoughts = st.one_of(
    st.builds(Thinking, texts, signature=texts), st.builds(Thinking, texts, redacted=st.sampled_from([True]))
)
thoughts = st.one_of(
    st.just(()),
    st.just(()),
    st.lists(open_thoughts, max_size=2).map(tuple),
    st.lists(sealed_thoughts, max_size=2).map(tuple),
)


call_ids = st.one_of(
    st.uuids().map(lambda uid: f"call_{uid.hex}"),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["functions.f", "functions-f", "é"]),
        st.sampled_from(":_ "),
        st.integers(0),
    ),
)
"""Of providers that make them at random, and of those that make them otherwise."""


@st.composite
def steps(draw: st.DrawFn) -> list[Message]:
    """An answer of a model, and, where it called tools, what they returned."""
    seals = draw(st.sampled_from([None, None, "seal"]))
    ids = draw(st.lists(call_ids, max_size=3, unique=True))
    calls = tuple(
        ToolCall(
            uid,
            draw(st.sampled_from(NAMES)),
            draw(arguments),
            custom=draw(st.sampled_from([False] * 29 + [True])),
            signature=seals,
        )
        for uid in ids
    )
    said = draw(contents() if not calls else contents() | st.just(""))
    answer = Message("assistant", said, calls, thinking=draw(thoughts), cache=draw(cache))
    returned = st.one_of(st.just(""), contents(), contents(), contents(image_parts))
    results = [
        Message(
            "tool",
            draw(returned),
            tool_call_id=call.id,
            name=draw(st.sampled_from([None, call.name])),
            failed=draw(st.booleans()),
            cache=draw(cache),
        )
        for call in calls
    ]
    return [answer, *results]


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    """System messages, then what users and models say in turn, with more system messages between."""
    messages = draw(st.lists(systems, max_size=2))
    messages.append(draw(users))
    for _ in range(draw(st.integers(0, 3))):
        messages += draw(st.one_of(steps(), st.lists(users, min_size=1, max_size=2), st.lists(systems, max_size=1)))
    return tuple(messages)


tools = st.lists(
    st.builds(
        Tool,
        st.sampled_from(NAMES),
        description=st.none() | texts,
        parameters=st.none() | st.just({}) | schemas,
        strict=st.sampled_from([None, True, False]),
        custom=st.sampled_from([False] * 29 + [True]),
        cache=cache,
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda tool: tool.name,
)


@st.composite
def toolboxes(draw: st.DrawFn) -> Toolbox:
    """Tools, and how they may be called."""
    offered = tuple(draw(tools))
    choices: list[ToolChoice | None] = [None, "auto", "none", "required", NamedTool(offered[0].name)]
    choice = draw(st.sampled_from(choices))
    return Toolbox(offered, choice, None if choice == "none" else draw(st.sampled_from([None, True, False])))


response_formats = st.one_of(
    st.just(ResponseFormat("json_object")),
    st.builds(
        ResponseFormat, st.just("json_schema"), schema=schemas, strict=st.booleans(), description=st.none() | texts
    ),
)


common_samplings = st.builds(
    Sampling,
    temperature=st.sampled_from([None, 0.0, 0.5, 1.0]),
    top_p=st.sampled_from([None, 0.9]),
    max_tokens=st.just(4000),
    stop=st.sampled_from([(), ("END",), ("A", "B")]),
    effort=st.sampled_from([None, None, "none", "low", "medium", "high"]),
    user=st.sampled_from([None, None, "ann"]),
)
"""What every format has a word for."""
odd_fields: tuple[dict[str, Any], ...] = (
    {"temperature": 1.5},
    {"top_k": 40},
    {"stop": (" ",)},
    {"seed": 7},
    {"seed": 2**40},
    {"frequency_penalty": 0.5},
    {"presence_penalty": -0.5},
    {"logprobs": True},
    {"logprobs": True, "top_logprobs": 3},
    {"effort": "minimal"},
    {"effort": "xhigh"},
    {"thinking_tokens": 0},
    {"thinking_tokens": 500},
    {"thinking_tokens": 2000, "effort": None, "temperature": None},
    {"thinking_tokens": 2000, "max_tokens": 300},
    {"own": {"service_tier": "flex"}},
)
odd_samplings = st.builds(
    lambda sampling, odd: replace(sampling, **odd), common_samplings, st.sampled_from(odd_fields)
)


calls = st.builds(
    ModelCall,
    st.just(MODEL),
    conversations(),
    st.one_of(common_samplings, common_samplings, odd_samplings),
    toolbox=st.none() | toolboxes(),
    response_format=st.none() | response_formats,
)
