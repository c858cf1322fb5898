"""What a model must be able to do to take a request (tools, images, a schema), and what it must not insist on."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from prysm.core.content import AudioPart, FilePart, ImagePart, TextPart

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prysm.core.chat import Sampling
    from prysm.core.content import Part
    from prysm.core.plan import ChatRequest

DEFAULTS: Mapping[str, float | None] = MappingProxyType(
    {"temperature": 1, "top_p": 1, "top_k": None, "frequency_penalty": 0, "presence_penalty": 0}
)
"""Wishes about sampling that some models refuse, with the value that they have anyway:
https://platform.claude.com/docs/en/models/haiku-5-5/migration-guide,
https://developers.openai.com/api/docs/guides/latest-model."""

BARS = frozenset({"fixed_sampling", "always_thinks", "tools_without_thinking", "unforced_tools"})
"""The capabilities that `bars` names; most models have none of them."""

_BY_PART: dict[type[Part], str] = {ImagePart: "vision", AudioPart: "audio", FilePart: "files"}


class Need(NamedTuple):
    """A capability of the catalog, and the field that asks for it."""

    capability: str
    param: str


def needs(request: ChatRequest) -> tuple[Need, ...]:
    """Every capability the request asks for, once, with the first field that does."""
    found: dict[str, str] = {}
    for i, message in enumerate(request.messages):
        if not isinstance(message.content, str):
            for j, part in enumerate(message.content):
                if type(part) is not TextPart:
                    found.setdefault(_BY_PART[type(part)], f"messages[{i}].content[{j}]")
    sampling = request.sampling
    if request.toolbox is not None:
        found["tools"] = "tools"
    if request.response_format is not None and request.response_format.kind == "json_schema":
        found["json_schema"] = "response_format"
    if sampling.logprobs:
        found["logprobs"] = "logprobs"
    if sampling.effort not in {None, "none"} or sampling.thinking_tokens:
        found["reasoning"] = "reasoning_effort" if sampling.effort else "thinking"
    if sampling.own and "audio" in sampling.own.get("modalities", ()):
        found.setdefault("audio", "modalities")
    return tuple([Need(*item) for item in found.items()]) if found else ()


def bars(request: ChatRequest) -> tuple[Need, ...]:
    """Every capability that bars a model from the request, with the field that it would refuse.

    Values that are every vendor's default ask for nothing, and are not sent to models that refuse the field.
    """
    sampling = request.sampling
    found = [Need("fixed_sampling", field) for field in _sampled(sampling)]
    if sampling.effort == "none" or (sampling.effort is None and sampling.thinking_tokens == 0):
        found.append(Need("always_thinks", "reasoning_effort" if sampling.effort else "thinking"))
    elif sampling.effort is not None and request.toolbox is not None:
        found.append(Need("tools_without_thinking", "reasoning_effort"))
    if request.toolbox is not None and request.toolbox.choice not in {None, "auto", "none"}:
        found.append(Need("unforced_tools", "tool_choice"))
    return tuple(found)


def _sampled(sampling: Sampling) -> Iterator[str]:
    """What the caller set of the sampling, otherwise than vendors have it anyway."""
    yield from (name for name, default in DEFAULTS.items() if getattr(sampling, name) not in {None, default})
    if sampling.thinking_tokens:
        yield "thinking"
    if sampling.own and "logit_bias" in sampling.own:
        yield "logit_bias"
