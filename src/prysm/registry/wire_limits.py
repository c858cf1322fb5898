"""What a wire format has no word for. Such a request is refused, or sent to another model; never trimmed.

Only hints go unsaid: how long to cache the prompt, who asks (`user`), the name of an answer's schema, the seal on
another provider's tool call, and thoughts of another's that no answer waits for any more.
"""

from __future__ import annotations

from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING

import orjson

from prysm.core.content import AudioPart, FilePart, ImagePart, TextPart
from prysm.core.tools import NamedTool
from prysm.registry.thoughts import is_foreign, is_sealed, loop_start

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prysm.core.chat import Message, ModelCall, Sampling
    from prysm.core.content import Content, Part, ToolCall
    from prysm.core.embedding import Embed
    from prysm.core.plan import ChatRequest
    from prysm.core.provider import WireFormat
    from prysm.core.tools import Toolbox

NO_WORD_FOR: Mapping[WireFormat, tuple[str, ...]] = MappingProxyType(
    {
        "openai": ("top_k",),
        "anthropic": ("seed", "frequency_penalty", "presence_penalty", "top_logprobs"),
    }
)
"""Parameters that a format does not have: https://platform.openai.com/docs/api-reference/chat/create,
https://docs.anthropic.com/en/api/messages, https://ai.google.dev/api/generate-content."""

NO_EFFORT: Mapping[WireFormat, frozenset[str]] = MappingProxyType(
    {"anthropic": frozenset({"minimal"}), "gemini": frozenset({"xhigh", "max"})}
)
"""Degrees of effort that a format does not know."""

MOST_STOPS: Mapping[WireFormat, int] = MappingProxyType({"openai": 4, "gemini": 5})
"""How many stop sequences a format takes, where that is limited."""

LONGEST_NAME_OPENAI = 64
HOTTEST_ANTHROPIC = 1.0
LEAST_THINKING_ANTHROPIC = 1024
LEAST_TOP_P_THINKING_ANTHROPIC = 0.95
LARGEST_SEED_GEMINI = 2**31 - 1
LARGEST_BATCH_GEMINI = 100
"""Inputs of one `batchEmbedContents`; the API refuses more."""
IMAGES_ANTHROPIC = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
FILES_ANTHROPIC = frozenset({"application/pdf", "text/plain"})
_wishes = attrgetter("top_k", "stop", "effort", "thinking_tokens", "thinking_display")
_NO_WISHES = (None, (), None, None, None)
"""What of the sampling OpenAI's format may not express; few requests hold any of it."""

FILE_ID_ANTHROPIC = "file_"
"""How ids of Anthropic's files begin; OpenAI's begin with `file-`."""


def inexpressible(kind: WireFormat, request: ChatRequest | ModelCall) -> str | None:
    """The first field of a request, or of one call, that `kind` cannot express, or None. Names are OpenAI's."""
    if kind == "openai" and _is_plain(request):
        return None
    return next(_unsaid(kind, request), None)


def _is_plain(request: ChatRequest | ModelCall) -> bool:
    """Whether it holds nothing that OpenAI's format may not express: asked of every request and of every call."""
    if request.embed is not None or request.toolbox is not None or _wishes(request.sampling) != _NO_WISHES:
        return False
    for message in request.messages:
        if message.thinking or message.tool_calls or message.name or type(message.content) is not str:
            return False
    return True


def _unsaid(kind: WireFormat, request: ChatRequest | ModelCall) -> Iterator[str]:
    if request.embed is not None:
        yield from _inputs(kind, request.embed)
    yield from _sampling(kind, request.sampling)
    if request.toolbox is not None:
        yield from _tools(kind, request.toolbox, request.sampling)
    start: int | None = None
    for i, message in enumerate(request.messages):
        if message.thinking:
            start = loop_start(request.messages) if start is None else start
            if i >= start:
                yield from (f"messages[{i}].{field}" for field in _thoughts(kind, message))
        if not isinstance(message.content, str) or message.name or message.tool_calls:
            yield from (f"messages[{i}].{field}" for field in _message(kind, message))
    if kind == "gemini":
        yield from _nameless(request.messages)
    heeds_silence = kind in {"anthropic", "gemini"} and request.embed is None
    if heeds_silence and not any(_says_something(kind, message) for message in request.messages):
        yield "messages"


def _inputs(kind: WireFormat, embed: Embed) -> Iterator[str]:
    tokens = any(not isinstance(each, str) for each in embed.inputs)
    if kind == "anthropic" or (kind == "gemini" and (tokens or len(embed.inputs) > LARGEST_BATCH_GEMINI)):
        yield "input"


def _sampling(kind: WireFormat, sampling: Sampling) -> Iterator[str]:
    for name in NO_WORD_FOR.get(kind, ()):
        if getattr(sampling, name) is not None:
            yield name
    if sampling.effort in NO_EFFORT.get(kind, ()):
        yield "reasoning_effort"
    if kind != "openai" and sampling.own:
        yield next(iter(sampling.own))
    if kind != "anthropic" and sampling.thinking_display == "omitted":
        yield "thinking.display"
    if len(sampling.stop) > MOST_STOPS.get(kind, len(sampling.stop)):
        yield "stop"
    if kind == "anthropic":
        yield from _sampling_anthropic(sampling)
    elif kind == "gemini":
        yield from _sampling_gemini(sampling)
    elif kind == "openai" and not _in_words(sampling):
        yield "thinking"


def _in_words(sampling: Sampling) -> bool:
    """Whether effort says it all: of budgets it can say but none, and that only where it says nothing else."""
    return sampling.thinking_tokens is None or (sampling.thinking_tokens == 0 and sampling.effort in {None, "none"})


def _sampling_anthropic(sampling: Sampling) -> Iterator[str]:
    if sampling.temperature is not None and sampling.temperature > HOTTEST_ANTHROPIC:
        yield "temperature"
    if sampling.logprobs:
        yield "logprobs"
    if any(not text.strip() for text in sampling.stop):
        yield "stop"
    if sampling.thinking_tokens:
        yield from _budget_anthropic(sampling, sampling.thinking_tokens)
    if sampling.thinks:
        yield from _beside_thoughts_anthropic(sampling)


def _budget_anthropic(sampling: Sampling, budget: int) -> Iterator[str]:
    """What is wrong with a budget for thoughts, which has to fit into the limit of the answer."""
    if budget < LEAST_THINKING_ANTHROPIC or sampling.effort == "none":
        yield "thinking"
    if sampling.max_tokens is not None and sampling.max_tokens <= LEAST_THINKING_ANTHROPIC:
        yield "max_tokens"


def _beside_thoughts_anthropic(sampling: Sampling) -> Iterator[str]:
    """What the format forbids beside thoughts, in a budget or as the model sees fit.

    https://platform.claude.com/docs/en/build-with-claude/extended-thinking#feature-compatibility
    """
    if sampling.temperature not in {None, HOTTEST_ANTHROPIC}:
        yield "temperature"
    if sampling.top_p is not None and sampling.top_p < LEAST_TOP_P_THINKING_ANTHROPIC:
        yield "top_p"
    if sampling.top_k is not None:
        yield "top_k"


def _sampling_gemini(sampling: Sampling) -> Iterator[str]:
    if sampling.seed is not None and abs(sampling.seed) > LARGEST_SEED_GEMINI:
        yield "seed"
    both = sampling.thinking_tokens is not None and sampling.effort is not None
    if both and (sampling.thinking_tokens, sampling.effort) != (0, "none"):
        yield "thinking"  # the format takes a budget or a degree


def _tools(kind: WireFormat, box: Toolbox, sampling: Sampling) -> Iterator[str]:
    for i, tool in enumerate(box.tools):
        if tool.custom and kind != "openai":
            yield f"tools[{i}].type"
        if len(tool.name) > LONGEST_NAME_OPENAI and kind == "openai":
            yield f"tools[{i}].name"
    if kind == "gemini" and box.parallel is False:
        yield "parallel_tool_calls"
    forced = box.choice == "required" or isinstance(box.choice, NamedTool)
    if kind == "anthropic" and forced and sampling.thinks:
        yield "tool_choice"


def _thoughts(kind: WireFormat, message: Message) -> Iterator[str]:
    for thought in message.thinking:
        if is_foreign(kind, thought):
            yield "thinking_blocks" if is_sealed(thought) else "reasoning_content"


def _message(kind: WireFormat, message: Message) -> Iterator[str]:
    # The name of a tool is known by the id of the call that it answers.
    if message.name is not None and message.role != "tool" and kind in {"anthropic", "gemini"}:
        yield "name"
    for i, call in enumerate(message.tool_calls):
        yield from (f"tool_calls[{i}].{field}" for field in _call(kind, call))
    if not isinstance(message.content, str):
        for i, part in enumerate(message.content):
            yield from (f"content[{i}].{field}" for field in _part(kind, message, part))


def _call(kind: WireFormat, call: ToolCall) -> Iterator[str]:
    if kind not in {"anthropic", "gemini"}:
        return
    if call.custom:
        yield "type"
    elif not _is_object(call.arguments or "{}"):
        yield "function.arguments"


def _is_object(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False


def _nameless(messages: tuple[Message, ...]) -> Iterator[str]:
    """Results of tools whose name nothing tells."""
    names: set[str] = set()
    for i, message in enumerate(messages):
        names.update(call.id for call in message.tool_calls)
        if message.role == "tool" and message.name is None and message.tool_call_id not in names:
            yield f"messages[{i}].tool_call_id"


def _says_something(kind: WireFormat, message: Message) -> bool:
    """Whether a turn is more than instructions, and more than nothing: such turns are left out."""
    if message.role in {"system", "developer"}:
        return False
    return message.role == "tool" or bool(message.tool_calls) or not _is_blank(kind, message.content)


def _is_blank(kind: WireFormat, content: Content) -> bool:
    """Whether there is no text, or, for Anthropic, none but white space, and nothing else."""
    if isinstance(content, str):
        return not content or (kind == "anthropic" and content.isspace())
    return all(isinstance(part, TextPart) and _is_blank(kind, part.text) for part in content)


def _part(kind: WireFormat, message: Message, part: Part) -> Iterator[str]:
    if isinstance(part, TextPart):
        return
    if not (_takes(kind, part) if message.role == "user" else _returns(kind, message, part)):
        yield "type"
    if isinstance(part, ImagePart) and part.detail not in {None, "auto"} and kind in {"anthropic", "gemini"}:
        yield "image_url.detail"


def _takes(kind: WireFormat, part: Part) -> bool:
    """Whether a format has a word for the part in what a user says."""
    match kind:
        case "openai":
            return not (isinstance(part, FilePart) and part.url is not None)
        case "anthropic":
            return _takes_anthropic(part)
        case "gemini":
            return not (isinstance(part, FilePart) and part.file_id is not None)
        case "sandbox":
            return False


def _takes_anthropic(part: Part) -> bool:
    match part:
        case AudioPart():
            return False
        case ImagePart(url=None):
            return part.media_type in IMAGES_ANTHROPIC
        case FilePart(url=None, file_id=None):
            return part.media_type in FILES_ANTHROPIC
        case FilePart(file_id=str() as file_id):
            return file_id.startswith(FILE_ID_ANTHROPIC)
    return True


def _returns(kind: WireFormat, message: Message, part: Part) -> bool:
    """Whether a format has a word for the part in a tool's answer; in no format can others than users show any."""
    if message.role != "tool" or isinstance(part, AudioPart):
        return False
    if kind == "gemini":  # which takes the bytes of a result, and no name or address of theirs
        return isinstance(part, ImagePart | FilePart) and part.data is not None and not _named(part)
    return kind == "anthropic" and _takes_anthropic(part)


def _named(part: Part) -> bool:
    return isinstance(part, FilePart) and part.filename is not None
