"""What callers may send, and the one request it becomes."""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from prysm.api.cached import Wish, caching
from prysm.api.conversation import Turns, conversation, prompt_or_messages
from prysm.api.parameters import Rarer
from prysm.api.parse import Strict, asks_nothing, check
from prysm.core.chat import Sampling
from prysm.core.model import NANO_PER_USD
from prysm.core.plan import STRATEGIES, ChatRequest, Consensus, RoutingMode, StrategyName
from prysm.errors import UnsupportedParameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.core.chat import Message

MAX_MODELS = 8
MAX_VERSIONS = 8
STRATEGY_ALIASES: Mapping[str, StrategyName] = MappingProxyType({"rank_fuse": "blender"})


ModelName: TypeAlias = Annotated[str, Field(min_length=1, max_length=256)]
Names: TypeAlias = Annotated[list[Annotated[str, Field(max_length=256)]], Field(max_length=MAX_MODELS)]
StopWord: TypeAlias = Annotated[str, Field(min_length=1, max_length=1000)]
Later: TypeAlias = Annotated[Any, asks_nothing("this version cannot honour it; leave it out", [], {}, "")]
"""A field of ours that this version cannot honour; taken while it is null, false or empty."""


class StreamOptions(Strict):
    """OpenAI's `stream_options`. Nothing is padded, whatever `include_obfuscation` says."""

    include_obfuscation: bool | None = None


class ChatStreamOptions(StreamOptions):
    """Those of chat completions."""

    include_usage: bool | None = None


class Ours(Strict):
    """Prysm's own fields, the same on every surface."""

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
    brain_config: Later = None
    cache: Wish = None
    compliance: Later = None

    def orchestration(self) -> dict[str, Any]:
        """Fields of `ChatRequest`."""
        cost = self.max_cost_usd
        return {
            "k": self.k,
            "samples": self.samples,
            "rounds": self.rounds,
            "layers": self.layers,
            "judge": self.judge_model,
            "consensus": self.consensus,
            "consensus_threshold": self.consensus_threshold,
            "models": tuple(self.models or ()),
            "aggregator": self.aggregator,
            "fallback": tuple(self.fallback or ()),
            "max_cost_nano": None if cost is None else int(Decimal(repr(cost)) * NANO_PER_USD),
            "deadline_s": self.deadline_s,
            "retention_zero": self.retention == "zero",
            "cache": caching(self.cache),
        }


class Extras(Ours, Rarer):
    """Prysm's own fields, beside OpenAI's rarer ones."""

    def request(self) -> dict[str, Any]:
        """Fields of `ChatRequest`."""
        return super().request() | self.orchestration()


_NO_EXTRAS = Extras()


class _Shared(BaseModel):
    """The fields nearly every request has; the others wait in `model_extra` until someone asks for `extras`."""

    model_config = ConfigDict(extra="allow", strict=True)
    rest: ClassVar[type[BaseModel]] = Extras

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    stop: StopWord | Annotated[list[StopWord], Field(max_length=4)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    stream: bool | None = None
    stream_options: ChatStreamOptions | None = None

    @property
    def extras(self) -> Extras:
        """The rarer fields; raises `InvalidRequest` for a wrong one and for one that nobody knows."""
        return self.checked if self.__pydantic_extra__ else _NO_EXTRAS

    @cached_property
    def checked(self) -> Extras:
        """`extras`, where there are any; apart from it, since to keep costs more than most bodies have to."""
        return check(Extras, self.__pydantic_extra__ or {})

    @property
    def wants_usage(self) -> bool:
        """Whether a stream is to end with a chunk of usage."""
        return self.stream_options is not None and self.stream_options.include_usage is True

    def sampling(self) -> Sampling:
        """How models are to sample; the newer name of the output cap wins."""
        extras, cap, stop = self.extras, self.max_completion_tokens, self.stop
        return Sampling(
            self.temperature,
            self.top_p,
            None,
            self.max_tokens if cap is None else cap,
            () if stop is None else (stop,) if isinstance(stop, str) else tuple(stop),
            self.seed,
            self.frequency_penalty,
            self.presence_penalty,
            **({} if extras is _NO_EXTRAS else extras.sampling()),
        )

    def request(self, messages: tuple[Message, ...], target: dict[str, Any]) -> ChatRequest:
        """The request in our vocabulary; `target` says who answers."""
        extras = self.extras
        if extras is not _NO_EXTRAS:
            target |= extras.request()
        return ChatRequest(messages, self.sampling(), stream=self.stream is True, **target)


class ChatBody(_Shared):
    """`POST /v1/chat/completions`: OpenAI's body and Prysm's extras."""

    model: Annotated[str, Field(min_length=1, max_length=256)]
    messages: Turns
    routing_mode: RoutingMode = "balanced"
    n: Annotated[int, Field(ge=1, le=MAX_VERSIONS)] | None = None

    def chat_request(self) -> ChatRequest:
        """`auto` routes, `prysm/<policy or strategy>` orchestrates, anything else names a model."""
        target, n = target_of(self.model), self.n
        if n is not None and n > 1:
            target["n"] = _versions(n, target)
        target["routing_mode"] = self.routing_mode
        return self.request(conversation(self.messages), target)


class OrchestrateBody(_Shared):
    """`POST /v2/orchestrate`."""

    prompt: Annotated[str, Field(min_length=1)] | None = None
    messages: Turns | None = None
    policy: Annotated[str, Field(min_length=1, max_length=64)] = "balanced"
    strategy: StrategyName | Literal["rank_fuse"] | None = None
    dry_run: bool = False

    def chat_request(self) -> ChatRequest:
        """The orchestration that was asked for."""
        strategy = None if self.strategy is None else STRATEGY_ALIASES.get(self.strategy, self.strategy)
        messages = prompt_or_messages(self.prompt, self.messages)
        return self.request(messages, {"policy": self.policy, "strategy": strategy})


class RouteBody(Strict):
    """`POST /v1/route`: which model would answer, without asking it."""

    prompt: Annotated[str, Field(min_length=1)] | None = None
    messages: Turns | None = None
    routing_mode: RoutingMode = "balanced"
    brain_config: Annotated[dict[str, object], Field(max_length=0)] | None = None

    def chat_request(self) -> ChatRequest:
        """The request routing would see."""
        messages = prompt_or_messages(self.prompt, self.messages)
        return ChatRequest(messages=messages, routing_mode=self.routing_mode)


def target_of(model: str) -> dict[str, Any]:
    """Who answers, read off OpenAI's `model` field."""
    if model == "auto":
        return {}
    if not model.startswith("prysm/"):
        return {"pinned": model}
    name = model.removeprefix("prysm/")
    strategy = STRATEGY_ALIASES.get(name, name)
    return {"strategy": strategy} if strategy in STRATEGIES else {"policy": name}


def _versions(n: int, target: Mapping[str, Any]) -> int:
    """How many versions of the answer to write: side by side only where one model is at work."""
    if "policy" in target or target.get("strategy", "single") != "single":
        raise UnsupportedParameter(
            f"'n': {n} versions of an answer come from one model. Leave out n, or use 'auto' or a model's id.",
            param="n",
        )
    return n
