"""What callers may send, and the one request it becomes."""

from __future__ import annotations

import re
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from prysm.core.chat import Message, Sampling
from prysm.core.model import NANO_PER_USD
from prysm.core.plan import STRATEGIES, ChatRequest, Consensus, RoutingMode, StrategyName
from prysm.errors import InvalidRequest, UnsupportedParameter

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_MESSAGES = 2048
MAX_MODELS = 8
STRATEGY_ALIASES: Mapping[str, StrategyName] = MappingProxyType({"rank_fuse": "blender"})

LATER: Mapping[str, tuple[object, ...]] = MappingProxyType(
    {
        "audio": (),
        "brain_config": (),
        "cache": (),
        "compliance": (),
        "function_call": (),
        "functions": (),
        "logit_bias": (),
        "logprobs": (),
        "modalities": (),
        "moderation": (),
        "parallel_tool_calls": (True,),
        "prediction": (),
        "prompt_cache_key": (),
        "prompt_cache_options": (),
        "prompt_cache_retention": (),
        "reasoning_effort": (),
        "response_format": ({"type": "text"},),
        "safety_identifier": (),
        "service_tier": ("auto", "default"),
        "store": (),
        "tool_choice": ("auto", "none"),
        "tools": (),
        "top_logprobs": (),
        "verbosity": ("medium",),
        "web_search_options": (),
    }
)
"""Fields of OpenAI's API and of ours that this version cannot honour, with the values that ask for nothing."""

ModelName: TypeAlias = Annotated[str, Field(min_length=1, max_length=256)]
Names: TypeAlias = Annotated[list[Annotated[str, Field(max_length=256)]], Field(max_length=MAX_MODELS)]
StopWord: TypeAlias = Annotated[str, Field(min_length=1, max_length=1000)]
Body = TypeVar("Body", bound=BaseModel)


class TextPart(BaseModel):
    """A text part of a message's content."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """One turn. `content` is text, or a list of text parts, which are joined."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    def message(self) -> Message:
        """The turn in our vocabulary."""
        if isinstance(self.content, str):
            return Message(self.role, self.content)
        return Message(self.role, "".join(part.text for part in self.content))


class StreamOptions(BaseModel):
    """OpenAI's `stream_options`."""

    model_config = ConfigDict(extra="ignore", strict=True)

    include_usage: bool = False


class _Shared(BaseModel):
    """The fields every surface takes. Unknown ones are collected and refused unless they ask for nothing."""

    model_config = ConfigDict(extra="allow", strict=True)

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    stop: StopWord | Annotated[list[StopWord], Field(max_length=4)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    metadata: Annotated[dict[str, str], Field(max_length=16)] | None = None
    user: str | None = None
    k: Annotated[int, Field(ge=1, le=8)] | None = None
    samples: Annotated[int, Field(ge=2, le=40)] | None = None
    rounds: Annotated[int, Field(ge=1, le=4)] | None = None
    layers: Annotated[int, Field(ge=1, le=3)] | None = None
    judge_model: ModelName | None = None
    consensus: Consensus | None = None
    consensus_threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    models: Names | None = None
    aggregator: ModelName | None = None
    fallback: Names | None = None
    max_cost_usd: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] | None = None
    deadline_s: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] | None = None
    retention: Literal["zero"] | None = None
    prysm_events: bool | None = None
    include_trace: bool = True

    def sampling(self) -> Sampling:
        """How models are to sample; the newer name of the output cap wins."""
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens,
            stop=stop,
            seed=self.seed,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
        )

    def refuse_extras(self) -> None:
        """Refuse unknown fields, and later ones unless they are null, false or empty, naming them."""
        extra = (self.model_extra or {}).items()
        asked = [name for name, value in extra if name not in LATER or not _asks_nothing(name, value)]
        if asked:
            listed = ", ".join(f"'{name[:64]}'" for name in asked[:8])
            raise UnsupportedParameter(
                f"Unknown or not yet supported: {listed}. Nothing is ignored silently: leave them out.",
                param=asked[0][:64],
            )

    def request(self, messages: tuple[Message, ...], **target: Any) -> ChatRequest:
        """The request in our vocabulary; `target` says who answers."""
        self.refuse_extras()
        return ChatRequest(
            messages=messages,
            sampling=self.sampling(),
            k=self.k,
            samples=self.samples,
            rounds=self.rounds,
            layers=self.layers,
            judge=self.judge_model,
            consensus=self.consensus,
            consensus_threshold=self.consensus_threshold,
            models=tuple(self.models or ()),
            aggregator=self.aggregator,
            fallback=tuple(self.fallback or ()),
            max_cost_nano=None
            if self.max_cost_usd is None
            else int(Decimal(repr(self.max_cost_usd)) * NANO_PER_USD),
            deadline_s=self.deadline_s,
            stream=bool(self.stream),
            retention_zero=self.retention == "zero",
            metadata=MappingProxyType(self.metadata or {}),
            **target,
        )


class ChatBody(_Shared):
    """`POST /v1/chat/completions`: OpenAI's body and Prysm's extras."""

    model: Annotated[str, Field(min_length=1, max_length=256)]
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MAX_MESSAGES)]
    routing_mode: RoutingMode = "balanced"
    n: Literal[1] | None = None

    def chat_request(self) -> ChatRequest:
        """`auto` routes, `prysm/<policy or strategy>` orchestrates, anything else names a model."""
        messages = tuple(message.message() for message in self.messages)
        return self.request(messages, routing_mode=self.routing_mode, **_target(self.model))


class OrchestrateBody(_Shared):
    """`POST /v2/orchestrate`."""

    prompt: Annotated[str, Field(min_length=1)] | None = None
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MAX_MESSAGES)] | None = None
    policy: Annotated[str, Field(min_length=1, max_length=64)] = "balanced"
    strategy: StrategyName | Literal["rank_fuse"] | None = None
    dry_run: bool = False

    def chat_request(self) -> ChatRequest:
        """The orchestration that was asked for."""
        strategy = None if self.strategy is None else STRATEGY_ALIASES.get(self.strategy, self.strategy)
        return self.request(prompt_or_messages(self.prompt, self.messages), policy=self.policy, strategy=strategy)


class RouteBody(BaseModel):
    """`POST /v1/route`: which model would answer, without asking it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    prompt: Annotated[str, Field(min_length=1)] | None = None
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MAX_MESSAGES)] | None = None
    routing_mode: RoutingMode = "balanced"
    brain_config: Annotated[dict[str, object], Field(max_length=0)] | None = None

    def chat_request(self) -> ChatRequest:
        """The request routing would see."""
        messages = prompt_or_messages(self.prompt, self.messages)
        return ChatRequest(messages=messages, routing_mode=self.routing_mode)


def _asks_nothing(name: str, value: object) -> bool:
    return value is False or value in (None, [], {}, "") or value in LATER[name]


def read(kind: type[Body], raw: bytes) -> Body:
    """Parse a body once; raises `InvalidRequest` naming the field that is wrong and what is allowed."""
    try:
        return kind.model_validate_json(raw)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
    wrong = max(found, key=lambda detail: (len(detail["loc"]), detail["type"] != "string_type"))
    param = _path(wrong["loc"])
    if wrong["type"] == "json_invalid":
        raise InvalidRequest(f"The body is not valid JSON: {wrong['msg']}.")
    if not param:
        raise InvalidRequest("The body must be a JSON object.")
    if wrong["type"] == "extra_forbidden":
        raise UnsupportedParameter(f"Unknown or not yet supported: '{param}'.", param=param)
    if _PART_TYPE.search(param):
        raise UnsupportedParameter(f"'{param}': only parts of the type 'text' are supported yet.", param=param)
    raise InvalidRequest(f"'{param}': {wrong['msg']}.", param=param)


_PART_TYPE = re.compile(r"\.content\[\d+\]\.type$")


def prompt_or_messages(prompt: str | None, messages: list[ChatMessage] | None) -> tuple[Message, ...]:
    """Exactly one of the two ways to say what is asked."""
    if (prompt is None) == (messages is None):
        raise InvalidRequest(
            "Give either 'prompt' (a string) or 'messages' (a list), and not both.", param="messages"
        )
    if prompt is not None:
        return (Message("user", prompt),)
    return tuple(message.message() for message in messages or ())


def _target(model: str) -> dict[str, Any]:
    """Who answers, read off OpenAI's `model` field."""
    if model == "auto":
        return {}
    if not model.startswith("prysm/"):
        return {"pinned": model}
    name = model.removeprefix("prysm/")
    strategy = STRATEGY_ALIASES.get(name, name)
    return {"strategy": strategy} if strategy in STRATEGIES else {"policy": name}


def _path(loc: tuple[int | str, ...]) -> str:
    """`messages[2].content`, without the names of the union's branches that pydantic adds."""
    path = ""
    for step in loc:
        if isinstance(step, int):
            path += f"[{step}]"
        elif not path:
            path = step
        elif "[" not in step and step not in {"str", "constrained-str"}:
            path += f".{step}"
    return path[:120]
