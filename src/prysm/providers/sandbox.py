"""The sandbox: simulated models, deterministic and labelled, for tests, demos and load. No network, no key."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from prysm.core.chat import Completion, TextDelta, ToolCallDelta, Usage
from prysm.errors import ProviderError
from prysm.providers.sandbox_answers import reply, results, settle
from prysm.providers.sandbox_embeddings import embedded
from prysm.providers.sandbox_schema import example
from prysm.providers.sandbox_tools import tool_calls
from prysm.providers.sandbox_values import Values

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from prysm.core.chat import FinishReason, ModelCall, Piece
    from prysm.core.content import ToolCall
    from prysm.core.provider import ProviderSpec
    from prysm.errors import FailureKind
    from prysm.providers.sandbox_answers import Settled

CHARS_PER_TOKEN = 4
REFUSAL = "I'm sorry, but I can't help with that."


@dataclass(frozen=True, slots=True)
class SandboxProfile:
    """How a simulated model behaves: P(right) per task (`default` for the rest), its latency, its scripted fault.

    `hangs` stays silent until the provider's total timeout; `fails_with` fails every call; `refuses` and `answer`
    replace what it says, and `tool_calls` the tools it calls where it is given any.
    """

    quality: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({"default": 1.0}))
    latency_ms: int = 0
    fails_with: FailureKind | None = None
    hangs: bool = False
    refuses: bool = False
    answer: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()


PROFILES: Mapping[str, SandboxProfile] = MappingProxyType(
    {
        "sandbox-small": SandboxProfile({"default": 0.55}, 20),
        "sandbox-mid": SandboxProfile({"default": 0.75}, 40),
        "sandbox-strong": SandboxProfile({"default": 0.95}, 80),
        "sandbox-code": SandboxProfile({"default": 0.65, "code": 0.95}, 60),
        "sandbox-math": SandboxProfile({"default": 0.65, "math": 0.98}, 60),
        "sandbox-embedding": SandboxProfile(latency_ms=10),
    }
)


class SandboxProvider:
    """A `prysm.core.ports.Provider` that computes its answers. `profiles` scripts its models by upstream name.

    The answer is a function of the upstream name, the messages and, unless the temperature is 0, the seed and
    `call.sample`.
    """

    def __init__(self, spec: ProviderSpec, profiles: Mapping[str, SandboxProfile] = PROFILES) -> None:
        self._spec = spec
        self._profiles = profiles

    @property
    def id(self) -> str:
        """The provider's name in the catalog."""
        return self._spec.id

    async def complete(self, call: ModelCall) -> Completion:
        """Answer after the model's latency."""
        profile = self._profile(call)
        await asyncio.sleep(profile.latency_ms / 1000)
        await self._misbehave(profile)
        return _complete(call, profile)

    async def stream(self, call: ModelCall) -> AsyncGenerator[Piece | Completion, None]:
        """Answer word by word, spread evenly over the model's latency."""
        profile = self._profile(call)
        await self._misbehave(profile)
        completion = _complete(call, profile)
        flow = _flow(completion)
        for piece in flow:
            await asyncio.sleep(profile.latency_ms / 1000 / len(flow))
            yield piece
        yield completion

    def _profile(self, call: ModelCall) -> SandboxProfile:
        try:
            return self._profiles[call.model.upstream]
        except KeyError:
            known = ", ".join(self._profiles)
            raise ProviderError("rejected", f"The sandbox has no model of that name. It has: {known}.") from None

    async def _misbehave(self, profile: SandboxProfile) -> None:
        if profile.hangs:
            await asyncio.sleep(self._spec.timeout_s)
            raise ProviderError("timeout", f"The simulated model was silent for {self._spec.timeout_s:g} s.")
        if profile.fails_with is not None:
            raise ProviderError(profile.fails_with, "The simulated model failed, as its profile says.")


def tokens(text: str) -> int:
    """Simulated token count: a quarter of the characters, rounded up, at least 1."""
    return max(1, -(-len(text) // CHARS_PER_TOKEN))


def pieces(text: str) -> list[str]:
    """`text` cut into words with the white space that follows them; joined they are `text` again."""
    return re.findall(r"\S+\s*|^\s+", text)


def _complete(call: ModelCall, profile: SandboxProfile) -> Completion:
    if call.embed is not None:
        return embedded(call, call.embed)
    calls = _calls(call, profile)
    text, reason = _cut(_say(call, profile, calls), call)
    prompt_tokens = sum(tokens(message.text) for message in call.messages)
    usage = Usage(prompt_tokens=prompt_tokens, completion_tokens=tokens(text + "".join(x.arguments for x in calls)))
    return Completion(
        text, "tool_calls" if calls else reason, usage, served_model=call.model.upstream, tool_calls=calls
    )


def _calls(call: ModelCall, profile: SandboxProfile) -> tuple[ToolCall, ...]:
    if call.toolbox is None or profile.refuses or profile.tool_calls:
        return profile.tool_calls if call.toolbox is not None else ()
    return () if profile.answer is not None else tool_calls(call.toolbox, call.messages, _settled(call, profile))


def _say(call: ModelCall, profile: SandboxProfile, calls: tuple[ToolCall, ...]) -> str:
    if profile.refuses:
        return REFUSAL
    if profile.answer is not None or calls:
        return profile.answer or ""
    wanted, said = call.response_format, reply(call.model.upstream, call.messages, profile.quality, _salt(call))
    if wanted is None:
        return said
    if wanted.schema is None:
        return json.dumps({"answer": said, "simulated": True}, ensure_ascii=False)
    settled = _settled(call, profile)
    made = example(wanted.schema, Values(settled, f"{results(call.messages)} {settled.asked}".strip()))
    return json.dumps(made, ensure_ascii=False)


def _settled(call: ModelCall, profile: SandboxProfile) -> Settled:
    return settle(call.model.upstream, call.messages, profile.quality, _salt(call))


def _salt(call: ModelCall) -> str:
    """What may change between two equal calls: nothing when sampling is greedy."""
    return "greedy" if call.sampling.temperature == 0 else f"{call.sampling.seed}/{call.sample}"


def _flow(done: Completion) -> list[Piece]:
    """An answer word by word: its text, then each tool call."""
    flow: list[Piece] = [TextDelta(word) for word in pieces(done.text)]
    for i, made in enumerate(done.tool_calls):
        flow.append(ToolCallDelta(i, "", made.id, made.name, made.custom, made.signature))
        flow.extend(ToolCallDelta(i, word, custom=made.custom) for word in pieces(made.arguments))
    return flow


def _cut(text: str, call: ModelCall) -> tuple[str, FinishReason]:
    """Obey `stop` and `max_tokens`, as a real model would."""
    ends = [at for stop in call.sampling.stop if stop and (at := text.find(stop)) >= 0]
    text = text[: min(ends, default=len(text))]
    limit = call.sampling.max_tokens
    if limit is not None and tokens(text) > limit:
        return text[: limit * CHARS_PER_TOKEN], "length"
    return text, "stop"
