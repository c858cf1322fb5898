"""What a caller asks for, and the plan that answers it."""

from __future__ import annotations

from dataclasses import field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from prysm.core.chat import Message, Sampling
from prysm.core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prysm.core.cache import Caching
    from prysm.core.embedding import Embed
    from prysm.core.model import Model, Task
    from prysm.core.ports import Provider
    from prysm.core.tools import ResponseFormat, Toolbox

StrategyName: TypeAlias = Literal[
    "single",
    "cascade",
    "ensemble_moa",
    "blender",
    "decompose_and_route",
    "self_consistency",
    "debate",
]
RoutingMode: TypeAlias = Literal["quality", "balanced", "agility"]
Consensus: TypeAlias = Literal["majority", "weighted_confidence", "expert"]
PlanMode: TypeAlias = RoutingMode | Literal["direct"]
Difficulty: TypeAlias = Literal["trivial", "normal", "hard"]
STRATEGIES: tuple[StrategyName, ...] = get_args(StrategyName)


@dataclass(frozen=True, slots=True)
class Policy:
    """How much to spend for how much certainty. `bar` is a bar on P(correct), 0–1; `k` the default width.

    `min_confidence` and `max_latency_ms` are floors for a model that answers alone: below them the next target is
    tried, as after an error.
    """

    id: str
    bar: float
    k: int
    min_confidence: float | None = None
    max_latency_ms: int | None = None


_NO_METADATA: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A caller's request, whatever surface it came through.

    `policy` or `strategy` set means orchestration; with neither, one model answers: `pinned`, or the one that
    routing picks. `models` names the pool exactly: no quality filter, no self-sampling instead. `n` versions of the
    answer are written side by side by one model. `kept_s` is for how many seconds its text and the answer's are kept;
    None keeps none. `embed` asks for vectors in place of an answer to `messages`. `allowed_models` and
    `allowed_strategies` are all that the caller's key leaves to choose from; None leaves everything.
    `own_providers` are those that are called with a key of the caller's organisation, not the operator's. `cache` is
    what the caller wants of the response cache; None is what his key says.
    """

    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    toolbox: Toolbox | None = None
    response_format: ResponseFormat | None = None
    n: int = 1
    pinned: str | None = None
    policy: str | None = None
    strategy: StrategyName | None = None
    routing_mode: RoutingMode = "balanced"
    k: int | None = None
    samples: int | None = None
    rounds: int | None = None
    layers: int | None = None
    models: tuple[str, ...] = ()
    aggregator: str | None = None
    judge: str | None = None
    consensus: Consensus | None = None
    consensus_threshold: float | None = None
    fallback: tuple[str, ...] = ()
    max_cost_nano: int | None = None
    deadline_s: float | None = None
    stream: bool = False
    retention_zero: bool = False
    kept_s: int | None = None
    metadata: Mapping[str, str] = field(default_factory=lambda: _NO_METADATA)
    embed: Embed | None = None
    allowed_models: frozenset[str] | None = None
    allowed_strategies: frozenset[str] | None = None
    cache: Caching | None = None
    own_providers: Mapping[str, Provider] | None = field(default=None, compare=False, repr=False)

    @property
    def orchestrated(self) -> bool:
        """Whether the caller asked for orchestration rather than for one model."""
        return self.policy is not None or self.strategy is not None


@dataclass(frozen=True, slots=True)
class Profile:
    """What the classifier read off a prompt. `signals` explains it; `difficulty_score` runs from 0 to 100."""

    task: Task
    difficulty: Difficulty
    difficulty_score: int
    compound: bool
    words: int
    prompt_tokens: int
    signals: MappingProxyType[str, bool | int | str]


@dataclass(frozen=True, slots=True)
class Alternative:
    """A model that routing did not choose, and why."""

    model: Model
    est_cost_nano: int | None
    why_not: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan may spend, worst case and expected; `None` is unknown."""

    calls_max: int
    cost_expected_nano: int | None
    cost_max_nano: int | None
    latency_ms_expected: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything decided before the first call.

    `models` are in order of use: the ladder of a cascade, the proposers of a panel, the one sampled model of
    self-consistency, the pool that sub-tasks are routed over, or the chosen model of `single`. `fallbacks` are the
    ordered targets of `single` when its model fails. `mode` is how routing chose, "direct" when the caller named the
    model. `max_tokens` caps the output of each call; None leaves it to the model.
    """

    strategy: StrategyName
    policy: Policy
    mode: PlanMode
    profile: Profile
    models: tuple[Model, ...]
    reason: str
    estimated: Callable[[], Estimate]
    forced: bool = False
    aggregator: Model | None = None
    judge: Model | None = None
    fallbacks: tuple[Model, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    baseline: Model | None = None
    samples: int = 1
    rounds: int = 1
    layers: int = 1
    max_tokens: int | None = None
    degraded: tuple[str, ...] = ()

    @property
    def estimate(self) -> Estimate:
        """What the plan may spend, worked out when it is asked for: few requests ask."""
        return self.estimated()
