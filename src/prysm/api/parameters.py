"""The rarer fields of OpenAI's chat completions: tools, formats, and what OpenAI's format alone can say.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field

from prysm.api.json_schema import AnswerFormat, JsonObject  # noqa: TC001 - pydantic reads annotations at run time
from prysm.api.parse import Strict
from prysm.api.tools import Choice, FunctionCallChoice, Functions, Tools, functions, toolbox
from prysm.core.chat import Effort  # noqa: TC001 - pydantic reads annotations at run time
from prysm.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.core.tools import Toolbox

OWN: Mapping[str, tuple[object, ...]] = MappingProxyType(
    {
        "audio": (),
        "logit_bias": ({},),
        "modalities": (["text"],),
        "moderation": (),
        "prediction": (),
        "prompt_cache_key": (),
        "prompt_cache_options": (),
        "prompt_cache_retention": (),
        "safety_identifier": (),
        "service_tier": ("auto",),
        "store": (),
        "verbosity": ("medium",),
        "web_search_options": (),
    }
)
"""Fields that OpenAI's format alone has a word for, with the values, beside empty ones, that ask for nothing."""

SILENT: tuple[object, ...] = (None, False, [], "")
"""Values that ask for nothing. An empty object may: `web_search_options: {}` searches."""

_OWN_NAMES = frozenset(OWN)


def _storable(text: str) -> str:
    """Text that the database can hold: it has no NUL in texts."""
    if "\0" in text:
        raise ValueError("leave out the character NUL")
    return text


Label: TypeAlias = Annotated[str, Field(max_length=512)]
Bias: TypeAlias = Annotated[dict[str, Annotated[int | float, Field(ge=-100, le=100)]], Field(max_length=2048)]


Metadata: TypeAlias = Annotated[
    dict[
        Annotated[str, Field(max_length=64), AfterValidator(_storable)],
        Annotated[str, Field(max_length=512), AfterValidator(_storable)],
    ],
    Field(max_length=16),
]
"""As long as OpenAI's: it is stored with every run, and told by /v1/usage."""


class Rarer(Strict):
    """What most requests leave out. Read only where something of it is there, so the others do not pay for it."""

    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    reasoning_effort: Effort | None = None
    user: Label | None = None
    metadata: Metadata | None = None
    tools: Tools | None = None
    tool_choice: Choice | None = None
    parallel_tool_calls: bool | None = None
    functions: Functions | None = None
    function_call: FunctionCallChoice | None = None
    response_format: AnswerFormat | None = None
    audio: JsonObject | None = None
    logit_bias: Bias | None = None
    modalities: Annotated[list[Literal["text", "audio"]], Field(max_length=2)] | None = None
    moderation: JsonObject | None = None
    prediction: JsonObject | None = None
    prompt_cache_key: Label | None = None
    prompt_cache_options: JsonObject | None = None
    prompt_cache_retention: Literal["in_memory", "in-memory", "24h"] | None = None
    safety_identifier: Label | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    store: bool | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    web_search_options: JsonObject | None = None

    @property
    def legacy(self) -> bool:
        """Whether tools were given in OpenAI's older spelling, and calls are expected in it."""
        return bool(self.functions)

    def sampling(self) -> dict[str, Any]:
        """Fields of `Sampling`."""
        if self.top_logprobs is not None and not self.logprobs:
            raise InvalidRequest("'top_logprobs' needs 'logprobs': true beside it.", param="top_logprobs")
        return {
            "logprobs": self.logprobs is True,
            "top_logprobs": self.top_logprobs,
            "effort": self.reasoning_effort,
            "user": self.user,
            "own": self._own(),
        }

    def request(self) -> dict[str, Any]:
        """Fields of `ChatRequest`."""
        form = self.response_format
        return {
            "toolbox": self._toolbox(),
            "response_format": None if form is None else form.response_format(),
            "metadata": MappingProxyType(self.metadata or {}),
        }

    def _toolbox(self) -> Toolbox | None:
        """The tools, in whichever spelling they came."""
        if not self.functions and self.function_call is None:
            return toolbox(self.tools, self.tool_choice, self.parallel_tool_calls)
        if self.tools or self.tool_choice is not None:
            raise InvalidRequest(
                "Give 'tools' with 'tool_choice', or 'functions' with 'function_call', and not both.",
                param="functions" if self.functions else "function_call",
            )
        return functions(self.functions or (), self.function_call)

    def _own(self) -> Mapping[str, Any] | None:
        given = self.model_fields_set & _OWN_NAMES
        if not given:
            return None
        asked = {name: getattr(self, name) for name in OWN if name in given}
        asked = {name: value for name, value in asked.items() if value not in (*SILENT, *OWN[name])}
        return MappingProxyType(asked) if asked else None
