"""What calls will cost, expected and at the worst, before any is made. Integer nano-dollars; None is unknown."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import orjson

from prysm.core.content import AudioPart, FilePart, ImagePart
from prysm.core.model import TOKENS_PER_MTOK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prysm.core.chat import Message
    from prysm.core.model import Model, Task
    from prysm.core.plan import Profile
    from prysm.core.tools import ResponseFormat, Tool, Toolbox

EXPECTED_OUTPUT: Mapping[Task, int] = MappingProxyType(
    {
        "code": 500,
        "math": 300,
        "reasoning": 300,
        "analysis": 600,
        "writing": 600,
        "translation": 200,
        "extraction": 150,
        "factual": 120,
        "chat": 120,
        "embedding": 0,
    }
)
"""Tokens of a usual answer by task. Orders of magnitude for comparing plans, not a forecast of one answer."""

DEFAULT_OUTPUT_CAP = 4096
"""Output cap of a call when neither the caller nor the catalog gives one."""

_HALF_AN_MTOK = TOKENS_PER_MTOK // 2
_TOKENS_AROUND_A_MESSAGE = 8
_TOKENS_AROUND_A_TOOL = 32
AROUND_TOOLS_AT_MOST = 1_024
"""More than any vendor's own prompt for tools (Anthropic: up to some 530 tokens,
https://docs.anthropic.com/en/docs/tool-use-pricing-and-tokens)."""
AROUND_A_FORMAT_AT_MOST = 512
BYTES_AS_TOLD = 2
"""Vendors show a model schemas in a form of their own, indented or as declarations; no longer than twice the JSON."""
IMAGE_TOKENS_AT_MOST = 16_384
"""More than any vendor counts for one image: they scale it down first (OpenAI and Anthropic: at most some 10,000)."""


def expected_cost(model: Model, profile: Profile) -> int | None:
    """One usual call, by `Price.cost`; plain tokens each way need no `Usage`, and routing asks this of every model."""
    price = model.price
    if price.input is None or price.output is None:
        return None
    prompt, answer = profile.prompt_tokens * price.input, EXPECTED_OUTPUT[profile.task] * price.output
    return (prompt + _HALF_AN_MTOK) // TOKENS_PER_MTOK + (answer + _HALF_AN_MTOK) // TOKENS_PER_MTOK


def worst_cost(model: Model, prompt_tokens: int, max_tokens: int) -> int | None:
    """One call whose prompt is at most `prompt_tokens` and whose answer is as long as it may be."""
    price = model.price
    if price.input is None or price.output is None:
        return None
    others = (price.cache_write, price.cache_write_1h, price.cached_input, price.audio_input)
    dearest_input = max(price.input, *(rate or 0 for rate in others))
    dearest_output = max(price.output, price.reasoning or 0, price.audio_output or 0)
    return sum(-(-side // TOKENS_PER_MTOK) for side in (prompt_tokens * dearest_input, max_tokens * dearest_output))


def tokens_at_most(
    messages: Sequence[Message], toolbox: Toolbox | None = None, form: ResponseFormat | None = None
) -> int:
    """A bound on the prompt's tokens, unless it is `unbounded`: no byte-level vocabulary has tokens without a byte.

    Tools and the format of the answer are part of the prompt, with the words that vendors put around them.
    """
    tokens = sum(_message_at_most(message) for message in messages)
    if toolbox is not None and toolbox.tools:
        tokens += AROUND_TOOLS_AT_MOST + sum(_tool_at_most(tool) for tool in toolbox.tools)
    if form is not None:
        told = len((form.description or "").encode()) + len(form.name.encode()) + _bytes(form.schema)
        tokens += AROUND_A_FORMAT_AT_MOST + BYTES_AS_TOLD * told
    return tokens


def _tool_at_most(tool: Tool) -> int:
    told = len(tool.name.encode()) + len((tool.description or "").encode())
    return BYTES_AS_TOLD * (told + _bytes(tool.parameters) + _bytes(tool.format)) + _TOKENS_AROUND_A_TOOL


def _bytes(form: object) -> int:
    return 0 if form is None else len(orjson.dumps(form))


def unbounded(messages: Sequence[Message]) -> bool:
    """Whether nobody can tell how many tokens the prompt is: a short file may hold many pages, or a long sound."""
    return any(
        isinstance(part, AudioPart | FilePart)
        for message in messages
        if not isinstance(message.content, str)
        for part in message.content
    )


def _message_at_most(message: Message) -> int:
    text = len(message.text.encode()) + _TOKENS_AROUND_A_MESSAGE
    if isinstance(message.content, str) and not message.tool_calls and not message.thinking:
        return text
    images = sum(isinstance(part, ImagePart) for part in message.content) * IMAGE_TOKENS_AT_MOST
    calls = sum(_told(call.name, call.arguments, call.signature) for call in message.tool_calls)
    # A sealed thought may be told in full by its seal alone, which then is longer than the thought.
    return text + images + calls + sum(_told(thought.text, thought.signature) for thought in message.thinking)


def _told(*texts: str | None) -> int:
    return _TOKENS_AROUND_A_MESSAGE + sum(len(text.encode()) for text in texts if text)


def output_cap(model: Model, asked: int | None) -> int:
    """Tokens one answer may have: what was asked for, within what the model can give."""
    limit = model.max_output_tokens or DEFAULT_OUTPUT_CAP
    return min(asked, limit) if asked is not None else limit


def total(costs: Iterable[int | None]) -> int | None:
    """Their sum, unknown as soon as one is."""
    listed = list(costs)
    return None if None in listed else sum(cost for cost in listed if cost is not None)
