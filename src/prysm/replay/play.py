"""One row through the planner and a strategy, as the gateway would run it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from prysm.classify import classify
from prysm.core.chat import Sampling
from prysm.core.events import ignore
from prysm.core.plan import ChatRequest
from prysm.errors import PrysmError
from prysm.registry.cost import total
from prysm.replay.recording import PROVIDER, NotRecordedError, Recording
from prysm.scoring.confidence import UNCALIBRATED
from prysm.strategies import STRATEGIES, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prysm.core.plan import Profile, StrategyName
    from prysm.core.run import Verdict
    from prysm.planner import Planner
    from prysm.replay.recording import Row
    from prysm.strategies import Strategy

AUTO = "auto"
"""Names the planner's own choice among the strategies."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the caller of a replay chose; `None` and no `models` leave it to the planner.

    `models` are named as a request names them: they alone answer, in this order.
    """

    policy: str = "balanced"
    k: int | None = None
    samples: int | None = None
    seed: int = 0
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Played:
    """A row answered. `cost_nano` is None when a price or a count is unknown.

    `uncalibrated`: the confidence said of itself that no outcomes of this kind stand behind it.
    """

    correct: bool
    cost_nano: int | None
    calls: int
    escalated: bool
    confidence: float | None
    agreement: float | None
    uncalibrated: bool = False


async def play_all(
    rows: Sequence[Row],
    planner: Planner,
    names: Sequence[str],
    settings: Settings,
    *,
    done: Callable[[], None],
    strategies: Mapping[StrategyName, Strategy],
) -> dict[str, list[Played | None]]:
    """Play every row under every strategy; `None` is a row that the recording could not answer.

    `done` is called after each row.
    """
    played: dict[str, list[Played | None]] = {name: [] for name in names}
    for row in rows:
        profile = classify(row.messages)
        for name in names:
            played[name].append(await _play(row, profile, planner, _request(row, name, settings), strategies))
        done()
        await asyncio.sleep(0)
    return played


def _request(row: Row, name: str, settings: Settings) -> ChatRequest:
    return ChatRequest(
        messages=row.messages,
        sampling=Sampling(seed=settings.seed),
        policy=settings.policy,
        models=settings.models,
        strategy=next((strategy for strategy in STRATEGIES if strategy == name), None),
        k=settings.k,
        samples=settings.samples,
    )


async def _play(
    row: Row,
    profile: Profile,
    planner: Planner,
    request: ChatRequest,
    strategies: Mapping[StrategyName, Strategy],
) -> Played | None:
    plan = planner.plan(request, profile)
    entropy = sha256(f"{request.sampling.seed}:{row.id}".encode()).digest()[:8]
    unseeded = replace(request, sampling=Sampling())  # seeded, a cascade goes by no record
    run = Run(unseeded, plan, {PROVIDER: Recording(row)}, ignore, entropy)
    try:
        verdict = await strategies[plan.strategy].run(run)
    except (NotRecordedError, PrysmError):
        return None
    return _graded(row, run, verdict)


def _graded(row: Row, run: Run, verdict: Verdict) -> Played:
    """Look up whether the answer that was chosen is right: it is one of the recorded ones, told by its stage."""
    chosen = run.stages[verdict.candidate.stage]
    called = [stage for stage in run.stages if stage.model is not None]
    return Played(
        correct=row.answers[verdict.candidate.model.id][chosen.sample].correct,
        cost_nano=total(stage.cost_nano for stage in called),
        calls=len(called),
        escalated=any(stage.kind == "escalate" for stage in called),
        confidence=verdict.score.confidence,
        agreement=verdict.score.agreement,
        uncalibrated=UNCALIBRATED in verdict.score.method,
    )
