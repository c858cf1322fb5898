"""A model of the catalog: what it costs, what it can do, how good it is."""

from __future__ import annotations

from dataclasses import field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from prysm.core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.core.chat import Usage

Task: TypeAlias = Literal[
    "code", "math", "reasoning", "analysis", "writing", "translation", "extraction", "factual", "chat", "embedding"
]
Tier: TypeAlias = Literal["small", "mid", "strong"]
TASKS: tuple[Task, ...] = tuple(task for task in get_args(Task) if task != "embedding")
"""What prompts ask for. Routing and feedback know these; no prompt asks for an embedding."""
TIERS: tuple[Tier, ...] = get_args(Tier)

TOKENS_PER_MTOK = 1_000_000
NANO_PER_USD = 1_000_000_000
TIER_QUALITY: Mapping[Tier, float] = MappingProxyType({"small": 0.50, "mid": 0.60, "strong": 0.75})
"""Prior P(correct) of a model the catalog says nothing about."""


@dataclass(frozen=True, slots=True)
class Price:
    """Integer nano-dollars per million tokens; `None` is unknown, which is not free."""

    input: int | None = None
    output: int | None = None
    cached_input: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None
    cache_write_1h: int | None = None

    def cost(self, usage: Usage) -> int | None:
        """Nano-dollars for one call, rounded half up once; `None` when a price or a count is unknown."""
        prompt, answer = self.input_cost(usage), self.output_cost(usage)
        return None if prompt is None or answer is None else prompt + answer

    def input_cost(self, usage: Usage) -> int | None:
        """Nano-dollars for the prompt; cached, cache-write and audio tokens at their own rate where one is known."""
        if usage.prompt_tokens is None or self.input is None:
            return None
        if not (usage.cached_tokens or usage.cache_write_tokens or usage.audio_prompt_tokens):
            return _round(usage.prompt_tokens * self.input)
        # Parts of the prompt: a surplus that a provider reports is not counted as cost.
        cached = min(usage.cached_tokens or 0, usage.prompt_tokens)
        written = min(usage.cache_write_tokens or 0, usage.prompt_tokens - cached)
        heard = min(usage.audio_prompt_tokens or 0, usage.prompt_tokens - cached - written)
        kept = min(usage.cache_write_1h_tokens or 0, written)
        plain = usage.prompt_tokens - cached - written - heard
        cached_rate = self.input if self.cached_input is None else self.cached_input
        written_rate = self.input if self.cache_write is None else self.cache_write
        kept_rate = written_rate if self.cache_write_1h is None else self.cache_write_1h
        heard_rate = self.input if self.audio_input is None else self.audio_input
        stored = (written - kept) * written_rate + kept * kept_rate
        return _round(plain * self.input + cached * cached_rate + stored + heard * heard_rate)

    def output_cost(self, usage: Usage) -> int | None:
        """Nano-dollars for the answer; reasoning and audio tokens at their own rate where one is known."""
        if usage.completion_tokens is None or self.output is None:
            return None
        if not (usage.reasoning_tokens or usage.audio_completion_tokens):
            return _round(usage.completion_tokens * self.output)
        reasoning = min(usage.reasoning_tokens or 0, usage.completion_tokens) if self.reasoning is not None else 0
        spoken = min(usage.audio_completion_tokens or 0, usage.completion_tokens - reasoning)
        spoken_rate = self.output if self.audio_output is None else self.audio_output
        plain = usage.completion_tokens - reasoning - spoken
        return _round(plain * self.output + reasoning * (self.reasoning or 0) + spoken * spoken_rate)


def _round(nano_times_mtok: int) -> int:
    return (nano_times_mtok + TOKENS_PER_MTOK // 2) // TOKENS_PER_MTOK


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of the catalog. `id` is what callers write, `upstream` the name on the wire."""

    id: str
    provider: str
    upstream: str
    display: str
    family: str
    tier: Tier
    price: Price = field(default_factory=Price)
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[str] = frozenset()
    quality: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    latency_ms: int | None = None
    simulated: bool = False

    @property
    def embeds(self) -> bool:
        """Whether it makes vectors, and answers no prompt."""
        return "embeddings" in self.capabilities

    def quality_for(self, task: Task) -> float:
        """Prior P(correct) on `task`, 0–1; 0 says: never use it for that."""
        return self.quality.get(task, self.quality.get("default", TIER_QUALITY[self.tier]))
