"""What `POST /v1/messages` takes, and the one request it becomes.

https://docs.anthropic.com/en/api/messages
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field

from prysm.api.bodies import Later, ModelName, Ours, StopWord, target_of
from prysm.api.json_schema import JsonSchema, TextFormat  # noqa: TC001 - pydantic reads annotations at run time
from prysm.api.messages_blocks import Cacheable
from prysm.api.messages_tools import Choice, Tools, toolbox
from prysm.api.messages_turns import System, Turns, conversation, places
from prysm.api.parameters import Label  # noqa: TC001 - pydantic reads annotations at run time
from prysm.api.parse import Strict, asks_nothing
from prysm.core.chat import Message, Sampling, ThoughtsShown
from prysm.core.plan import ChatRequest, RoutingMode
from prysm.core.tools import ResponseFormat, Toolbox
from prysm.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.api.in_words import Place

MAX_STOPS = 64
USUAL_EFFORT: Literal["high"] = "high"
"""Of a model that thinks as it sees fit, where nothing else is said."""
NAMES = MappingProxyType(
    {
        "stop": "stop_sequences",
        "response_format": "output_config.format",
        "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
        "reasoning_effort": "output_config.effort",
    }
)
"""Of fields of chat completions in this API, where they differ."""
UNSAID = "no other format has a word for it; leave it out"
THREADLESS = "no conversations are kept here: send all of it each time, without this field"
NO_THREADS = "thread_unsupported_request"
"""The code on which Anthropic's SDKs, whose tool runners ask for a thread, go on without one."""


class Metadata(Strict):
    """Who asks."""

    user_id: Label | None = None


class Thinking(Strict):
    """Thoughts in the measure of `budget_tokens`."""

    type: Literal["enabled"]
    budget_tokens: Annotated[int, Field(ge=1024, le=1_000_000)]
    display: ThoughtsShown | None = None


class NoThinking(Strict):
    """No thoughts."""

    type: Literal["disabled"]


class AdaptiveThinking(Strict):
    """As many thoughts as the model sees fit, by the effort that is asked for."""

    type: Literal["adaptive"]
    display: ThoughtsShown | None = None


class JsonFormat(Strict):
    """JSON that a schema describes."""

    type: Literal["json_schema"]
    definition: Annotated[JsonSchema, Field(alias="schema")]

    def response_format(self) -> ResponseFormat:
        """The format in our vocabulary."""
        return ResponseFormat("json_schema", schema=self.definition)


class OutputConfig(Strict):
    """How much to think, and the format of the answer."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: Annotated[JsonFormat | TextFormat, Field(discriminator="type")] | None = None


AnyThinking: TypeAlias = Annotated[Thinking | NoThinking | AdaptiveThinking, Field(discriminator="type")]


class Prompt(Cacheable):
    """What both routes take: all that a model is to read."""

    model: ModelName
    messages: Turns
    system: System | None = None
    tools: Tools | None = None
    tool_choice: Choice | None = None
    thinking: AnyThinking | None = None
    output_config: OutputConfig | None = None
    speed: Annotated[Literal["standard", "fast"] | None, asks_nothing(UNSAID, "standard")] = None
    context_management: Later = None
    mcp_servers: Later = None

    def conversation(self) -> tuple[Message, ...]:
        """The system prompt and the turns in our vocabulary."""
        return conversation(self.system, self.messages, self.kept)

    def toolbox(self) -> Toolbox | None:
        """The tools in our vocabulary."""
        return toolbox(self.tools, self.tool_choice)


class CountBody(Prompt):
    """`POST /v1/messages/count_tokens`."""


class MessagesBody(Prompt, Ours):
    """`POST /v1/messages`: Anthropic's body and Prysm's extras."""

    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)]
    routing_mode: RoutingMode = "balanced"
    stream: bool | None = None
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    stop_sequences: Annotated[list[StopWord], Field(max_length=MAX_STOPS)] | None = None
    metadata: Metadata | None = None
    service_tier: Annotated[Literal["auto", "standard_only"] | None, asks_nothing(UNSAID, "auto")] = None
    thread: Annotated[Any, asks_nothing(THREADLESS, code=NO_THREADS)] = None
    container: Later = None
    diagnostics: Later = None
    inference_geo: Later = None

    def chat_request(self) -> ChatRequest:
        """`auto` routes, `prysm/<policy or strategy>` orchestrates, anything else names a model."""
        form = self.output_config.format if self.output_config else None
        return ChatRequest(
            messages=self.conversation(),
            sampling=self._sampling(),
            toolbox=self.toolbox(),
            response_format=form.response_format() if form else None,
            routing_mode=self.routing_mode,
            stream=self.stream is True,
            **target_of(self.model),
            **self.orchestration(),
        )

    def names(self) -> Mapping[str, str]:
        """The fields of this API that errors are to name; an effort that was not given comes of the thinking."""
        given = self.output_config is not None and self.output_config.effort is not None
        return NAMES if given else {**NAMES, "reasoning_effort": "thinking"}

    def places(self) -> list[Place]:
        """Where each message of the request came from."""
        return places(self.system, self.messages)

    def _sampling(self) -> Sampling:
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            max_tokens=self.max_tokens,
            stop=tuple(self.stop_sequences or ()),
            user=self.metadata.user_id if self.metadata else None,
            **self._thoughts(),
        )

    def _thoughts(self) -> dict[str, Any]:
        """How much to think, as a budget and as a degree."""
        effort = self.output_config.effort if self.output_config else None
        match self.thinking:
            case NoThinking():
                return {"thinking_tokens": 0, "effort": effort}
            case AdaptiveThinking(display=shown):
                return {"effort": effort or USUAL_EFFORT, "thinking_display": shown}
            case Thinking(budget_tokens=budget) if budget >= self.max_tokens:
                raise InvalidRequest(
                    f"'thinking.budget_tokens': {budget} do not fit into 'max_tokens', {self.max_tokens}: thoughts "
                    "count against it. Ask for less of the one or more of the other.",
                    param="thinking.budget_tokens",
                )
            case Thinking(budget_tokens=budget, display=shown):
                return {"thinking_tokens": budget, "effort": effort, "thinking_display": shown}
        return {"effort": effort}
