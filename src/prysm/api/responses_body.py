"""What `POST /v1/responses` takes, and the one request it becomes.

https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from prysm.api.bodies import ModelName, Ours, StreamOptions, target_of
from prysm.api.in_words import Place
from prysm.api.json_schema import JsonObject  # noqa: TC001 - pydantic reads annotations at run time
from prysm.api.parameters import OWN, SILENT, Label, Metadata
from prysm.api.parse import Strict, asks_nothing
from prysm.api.responses_items import Items  # noqa: TC001
from prysm.api.responses_tools import Choice, Text, Tools, toolbox
from prysm.api.responses_turns import places, turns
from prysm.core.chat import Effort, Message, Sampling
from prysm.core.plan import ChatRequest, RoutingMode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prysm.api.responses_items import AnyItem

OWN_FIELDS = (
    "moderation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
)
NAMES = MappingProxyType(
    {
        "logprobs": "include",
        "max_tokens": "max_output_tokens",
        "messages": "input",
        "reasoning_effort": "reasoning.effort",
        "response_format": "text.format",
        "verbosity": "text.verbosity",
    }
)
"""Of fields of chat completions in this API, where they differ."""
LOGPROBS = "message.output_text.logprobs"


class Reasoning(Strict):
    """How much to think. Thoughts are shown as the model tells them, so of summaries there is `auto` alone."""

    effort: Effort | None = None
    summary: Literal["auto"] | None = None
    generate_summary: Literal["auto"] | None = None
    context: Literal["auto"] | None = None
    mode: Literal["standard"] | None = None


class ResponsesBody(Ours):
    """`POST /v1/responses`: OpenAI's body and Prysm's extras."""

    model: ModelName
    input: Annotated[str, Field(min_length=1)] | Annotated[Items, Field(min_length=1)]
    routing_mode: RoutingMode = "balanced"
    instructions: str | None = None
    previous_response_id: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    include: list[Literal["message.output_text.logprobs", "reasoning.encrypted_content"]] | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    text: Text | None = None
    reasoning: Reasoning | None = None
    tools: Tools | None = None
    tool_choice: Choice | None = None
    parallel_tool_calls: bool | None = None
    metadata: Metadata | None = None
    user: Label | None = None
    moderation: JsonObject | None = None
    prompt_cache_key: Label | None = None
    prompt_cache_options: JsonObject | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    safety_identifier: Label | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    access_programs: Annotated[Any, asks_nothing("no program is behind a key of this gateway; leave it out")] = None
    background: Annotated[
        bool | None, asks_nothing("nothing runs in the background here; stream the answer instead")
    ] = None
    context_management: Annotated[Any, asks_nothing("nothing is compacted here; send what matters", [])] = None
    conversation: Annotated[
        Any, asks_nothing("conversations are not kept here; use previous_response_id, or send the whole input")
    ] = None
    image: Annotated[Any, asks_nothing("images are passed on as they are; leave it out", {})] = None
    max_tool_calls: Annotated[
        Any, asks_nothing("no tools run here, so there are no calls to count; leave it out")
    ] = None
    prompt: Annotated[Any, asks_nothing("there are no prompt templates here; send the text as instructions")] = None
    truncation: Annotated[
        Literal["auto", "disabled"] | None,
        asks_nothing("nothing is cut off silently: leave it out, and shorten an input that is refused", "disabled"),
    ] = None

    @property
    def wants_logprobs(self) -> bool:
        """Whether log probabilities are to be shown."""
        return LOGPROBS in (self.include or ()) or bool(self.top_logprobs)

    def chat_request(self, earlier: Sequence[AnyItem] = ()) -> ChatRequest:
        """The request in our vocabulary, going on from `earlier` items."""
        form = self.text.format if self.text else None
        return ChatRequest(
            messages=self._messages(earlier),
            sampling=self._sampling(),
            toolbox=toolbox(self.tools, self.tool_choice, self.parallel_tool_calls),
            response_format=form.response_format() if form else None,
            routing_mode=self.routing_mode,
            stream=self.stream is True,
            metadata=MappingProxyType(self.metadata or {}),
            **target_of(self.model),
            **self.orchestration(),
        )

    def names(self) -> Mapping[str, str]:
        """The fields of this API that errors are to name; log probabilities are asked for in two."""
        return NAMES if LOGPROBS in (self.include or ()) else {**NAMES, "logprobs": "top_logprobs"}

    def places(self, earlier: Sequence[AnyItem]) -> list[Place]:
        """Where each message of the request came from."""
        told = [Place("instructions")] if self.instructions else []
        if isinstance(self.input, str):
            return [*told, *places((), earlier), Place("input")]
        return [*told, *places(self.input, earlier)]

    def _messages(self, earlier: Sequence[AnyItem]) -> tuple[Message, ...]:
        told = (Message("system", self.instructions),) if self.instructions else ()
        if isinstance(self.input, str):
            return (*told, *turns((), earlier), Message("user", self.input))
        return (*told, *turns(self.input, earlier))

    def _sampling(self) -> Sampling:
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_output_tokens,
            logprobs=self.wants_logprobs,
            top_logprobs=self.top_logprobs if self.wants_logprobs else None,
            effort=self.reasoning.effort if self.reasoning else None,
            user=self.user,
            own=self._own(),
        )

    def _own(self) -> Mapping[str, Any] | None:
        """What OpenAI's format alone has a word for; values that ask for nothing are left out."""
        given = {name: getattr(self, name) for name in OWN_FIELDS}
        given["verbosity"] = self.text.verbosity if self.text else None
        asked = {name: value for name, value in given.items() if value not in (*SILENT, *OWN[name])}
        return MappingProxyType(asked) if asked else None
