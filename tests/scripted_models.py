"""Simulated models that do what a test tells them to, and runs of the real planner and strategies on them."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from prysm.core.chat import Completion, Message, Sampling, TextDelta
from prysm.core.events import Delta
from prysm.core.model import Model, Price
from prysm.core.plan import ChatRequest, Policy, Profile
from prysm.core.provider import ProviderSpec
from prysm.planner import Planner
from prysm.providers.sandbox import SandboxProfile, SandboxProvider
from prysm.registry.catalog import Catalog
from prysm.strategies import STRATEGIES, Run

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence

    from prysm.core.chat import ModelCall, Piece
    from prysm.core.events import Event
    from prysm.core.plan import Plan
    from prysm.core.run import Verdict

    Reply = str | SandboxProfile
    Say = Callable[[ModelCall], Reply]

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
    names = ("temperature", "top_p", "max_tokens", "seed", "effort", "thinking_tokens")
    sampling = {name: more.pop(name) for name in names if name in more}
    return ChatRequest((Message("user", prompt),), Sampling(**sampling), **more)


class Watched:
    """The sandbox under watch: the calls it got, what it answered, and how many calls are open, now and at most.

    `first` scripts one call, whichever model it is for: the first, unless `at` says otherwise. With `copies` every
    answer bears the same request id, as a cache's would.
    """

    id = "sandbox"

    def __init__(self, profiles: Mapping[str, SandboxProfile], timeout_s: float = 0.3) -> None:
        self.calls: list[ModelCall] = []
        self.answers: list[Completion] = []
        self.open = self.most = 0
        self.first: SandboxProfile | None = None
        self.at = 0
        self.copies = False
        self._profiles = profiles
        self._spec = ProviderSpec("sandbox", "sandbox", timeout_s=timeout_s)

    async def complete(self, call: ModelCall) -> Completion:
        """Answer as the model's script says."""
        with self._watch(call) as sandbox:
            return self._answered(await sandbox.complete(_as_far_as_it_can(call)))

    async def stream(self, call: ModelCall) -> AsyncGenerator[Piece | Completion, None]:
        """Answer word by word."""
        with self._watch(call) as sandbox:
            async for piece in sandbox.stream(_as_far_as_it_can(call)):
                yield self._answered(piece) if isinstance(piece, Completion) else piece

    def _answered(self, completion: Completion) -> Completion:
        told = replace(completion, provider_request_id="the same" if self.copies else None)
        self.answers.append(told)
        return told

    def _script(self, _: ModelCall) -> Mapping[str, SandboxProfile]:
        return self._profiles

    @contextmanager
    def _watch(self, call: ModelCall) -> Iterator[SandboxProvider]:
        profiles = self._script(call)
        if self.first is not None and len(self.calls) == self.at:
            profiles = {call.model.upstream: self.first}
        self.calls.append(call)
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            yield SandboxProvider(self._spec, profiles)
        finally:
            self.open -= 1


def _as_far_as_it_can(call: ModelCall) -> ModelCall:
    """The call with the model's own limit, which a real one keeps whether it is told or not."""
    limits = [limit for limit in (call.sampling.max_tokens, call.model.max_output_tokens) if limit is not None]
    return replace(call, sampling=replace(call.sampling, max_tokens=min(limits, default=None)))


class Told(Watched):
    """Models that say what a function makes of each call, or do what the profile it gives says."""

    def __init__(self, say: Say, latency_ms: int = 0, timeout_s: float = 0.3) -> None:
        super().__init__({}, timeout_s)
        self._say = say
        self._latency_ms = latency_ms

    def _script(self, call: ModelCall) -> Mapping[str, SandboxProfile]:
        told = self._say(call)
        return {call.model.upstream: says(told, self._latency_ms) if isinstance(told, str) else told}


_KINDS = {
    "impartial judge": "judge",
    "Split the user's": "plan",
    "split and its parts": "synthesis",
    "several independent answers": "aggregate",
    "Other models answered": "revise",
}


def kind_of(call: ModelCall) -> str:
    """What a call is for, by the instruction in it; "answer" when it bears none of ours."""
    said = f"{call.messages[0].content}\n{call.messages[-1].content}"
    return next((kind for words, kind in _KINDS.items() if words in said), "answer")


def shown(call: ModelCall) -> list[str]:
    """The fenced answers a call shows, in order."""
    said = "\n".join(turn.text for turn in call.messages)
    return re.findall(r"\[[0-9a-f]{16} answer \d+\]\n(.*?)\n\[[0-9a-f]{16} end of answer \d+\]", said, re.DOTALL)


def by_kind(answers: Mapping[str, Reply], **kinds: Reply | Say) -> Say:
    """Says what was told for a kind of call, or makes something of it; for any other, the model's own answer."""

    def say(call: ModelCall) -> Reply:
        told = kinds.get(kind_of(call), answers.get(call.model.id, ""))
        return told(call) if callable(told) else told

    return say


def verdict(call: ModelCall, good: str) -> str:
    """What a judge without bias says: the answer with `good` in it is better, a tie when both or neither have it."""
    first, second = (good in answer for answer in shown(call))
    return f"[[{'C' if first == second else 'A' if first else 'B'}]]"


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

    @classmethod
    def told(cls, say: Say, *names: str, models: Sequence[Model] = (), latency_ms: int = 0) -> World:
        """A world whose models say what a function makes of each call."""
        world = cls(dict.fromkeys(names or [m.id for m in models], SandboxProfile()), models)
        world.provider = Told(say, latency_ms)
        return world

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


def streamed(events: Sequence[Event]) -> str:
    """The text that a streaming caller saw."""
    return "".join(e.piece.text for e in events if isinstance(e, Delta) and isinstance(e.piece, TextDelta))
