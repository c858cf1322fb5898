"""Simulated models that do what a test tells them to, and runs of the real planner and strategies on them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from prysm.core.chat import Message, Sampling, TextDelta
from prysm.core.model import Model, Price
from prysm.core.plan import ChatRequest, Policy, Profile
from prysm.core.provider import ProviderSpec
from prysm.planner import Planner
from prysm.providers.sandbox import SandboxProfile, SandboxProvider
from prysm.registry.catalog import Catalog
from prysm.strategies import STRATEGIES, Run

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence

    from prysm.core.chat import Completion, ModelCall
    from prysm.core.events import Event
    from prysm.core.plan import Plan
    from prysm.core.run import Verdict

SUM = "What is 17 * 23?"
OPEN = "Tell me about the sea."
POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        "efficiency": Policy("efficiency", 0.62, 2),
        "balanced": Policy("balanced", 0.72, 2),
        "depth": Policy("depth", 0.85, 3),
    }
)
USD = 1_000_000_000
CHEAP = Price(input=USD, output=4 * USD)
HANGS = SandboxProfile(hangs=True)
REFUSES = SandboxProfile(refuses=True)
FAILS = SandboxProfile(fails_with="unavailable")


def says(answer: str, latency_ms: int = 0) -> SandboxProfile:
    """A model that always gives this answer."""
    return SandboxProfile(answer=answer, latency_ms=latency_ms)


def model(name: str, quality: float = 0.7, price: Price = CHEAP, **more: Any) -> Model:
    """A model of a family of its own, unless told otherwise; `never` names a task it is not to be used for."""
    qualities = {"default": quality} | ({more.pop("never"): 0.0} if "never" in more else {})
    plain = Model(name, "sandbox", name, name.title(), name, "mid", price, simulated=True)
    return replace(plain, quality=MappingProxyType(qualities), **more)


def profile(task: Any = "math", difficulty: Any = "normal", **more: Any) -> Profile:
    """What a classifier might have read off a prompt of some words."""
    plain = Profile(task, difficulty, 50, compound=False, words=30, prompt_tokens=40, signals=MappingProxyType({}))
    return replace(plain, **more)


def ask(prompt: str = SUM, **more: Any) -> ChatRequest:
    """A caller's request; sampling parameters may be given by name."""
    sampling = {name: more.pop(name) for name in ("temperature", "max_tokens", "seed") if name in more}
    return ChatRequest((Message("user", prompt),), Sampling(**sampling), **more)


class Watched:
    """The sandbox under watch: the calls it got, what it answered, and how many calls are open, now and at most.

    `first` scripts the first call, whichever model it is for. With `copies` every answer bears the same request
    id, as a cache's would.
    """

    id = "sandbox"

    def __init__(self, profiles: Mapping[str, SandboxProfile], timeout_s: float = 0.3) -> None:
        self.calls: list[ModelCall] = []
        self.answers: list[Completion] = []
        self.open = self.most = 0
        self.first: SandboxProfile | None = None
        self.copies = False
        self._profiles = profiles
        self._spec = ProviderSpec("sandbox", "sandbox", timeout_s=timeout_s)

    async def complete(self, call: ModelCall) -> Completion:
        """Answer as the model's script says."""
        with self._watch(call) as sandbox:
            return self._answered(await sandbox.complete(call))

    async def stream(self, call: ModelCall) -> AsyncGenerator[TextDelta | Completion, None]:
        """Answer word by word."""
        with self._watch(call) as sandbox:
            async for piece in sandbox.stream(call):
                yield piece if isinstance(piece, TextDelta) else self._answered(piece)

    def _answered(self, completion: Completion) -> Completion:
        told = replace(completion, provider_request_id="the same" if self.copies else None)
        self.answers.append(told)
        return told

    @contextmanager
    def _watch(self, call: ModelCall) -> Iterator[SandboxProvider]:
        profiles = self._profiles if self.calls or self.first is None else {call.model.upstream: self.first}
        self.calls.append(call)
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            yield SandboxProvider(self._spec, profiles)
        finally:
            self.open -= 1


@dataclass
class World:
    """Models by name with what they do. `events` is what a caller would have seen of the last run."""

    profiles: Mapping[str, SandboxProfile]
    models: Sequence[Model] = ()
    fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=lambda: POLICIES)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.provider = Watched(self.profiles)
        listed = self.models or [model(name) for name in self.profiles]
        catalog = Catalog(listed, (ProviderSpec("sandbox", "sandbox"),))
        self.planner = Planner(catalog, self.policies, self.fallbacks)

    def prepare(self, request: ChatRequest, read: Profile | None = None) -> Run:
        """A run that is planned and has not begun."""
        plan = self.planner.plan(request, read or profile())
        return Run(request, plan, {"sandbox": self.provider}, self._see, bytes(8))

    async def perform(self, request: ChatRequest, read: Profile | None = None) -> tuple[Verdict, Run]:
        """Plan and run."""
        run = self.prepare(request, read)
        return await self.carry_out(run), run

    async def carry_out(self, run: Run) -> Verdict:
        """Run what was planned."""
        return await STRATEGIES[run.plan.strategy].run(run)

    def plan(self, request: ChatRequest, read: Profile | None = None) -> Plan:
        """Plan only."""
        return self.planner.plan(request, read or profile())

    async def _see(self, event: Event) -> None:
        self.events.append(event)
