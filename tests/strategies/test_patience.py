"""Without a deadline too, nobody waits long for a call that only betters an answer in hand."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from tests.scripted_models import (
    HANGS,
    OPEN,
    SUM,
    Told,
    World,
    ask,
    by_kind,
    model,
    profile,
    says,
    streamed,
)

from prysm.strategies.patience import GivenUp, patience_with, until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.scripted_models import Say

    from prysm.core.chat import Completion, ModelCall, Piece
    from prysm.core.run import Verdict
    from prysm.strategies import Run

TWO = {"a": "Salty.", "b": "It is deep and wide."}
SPLIT = orjson.dumps({"subtasks": [{"task": "How deep is the sea?"}, {"task": "How salty is it?"}]}).decode()
SOON = 1.0
"""Seconds within which a run ends whose calls hang for a minute."""


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prysm.strategies.fan_out.MIN_PATIENCE_S", 0.05)


def world(say: Say) -> World:
    on = World.told(say, models=[model("a", 0.8), model("b", 0.9), model("c", 0.9), model("j", 0.5)])
    on.provider = Told(say, timeout_s=60)
    return on


async def timed(on: World, prompt: str = OPEN, **more: Any) -> tuple[Verdict, Run]:
    began = time.perf_counter()
    found = await on.perform(ask(prompt, **more), profile("math" if prompt == SUM else "chat"))
    assert time.perf_counter() - began < SOON
    assert on.provider.open == 0
    return found


async def test_a_judge_of_one_answer_that_hangs_is_given_up() -> None:
    on = world(by_kind(dict(TWO), judge=HANGS))
    verdict, run = await timed(on, strategy="cascade", models=("a", "b"), judge="j")
    assert verdict.candidate.model.id in {"a", "b"}
    assert run.degraded == ["judge_failed"]
    judged = next(stage for stage in run.stages if stage.kind == "judge")
    assert (judged.status, judged.error) == ("cancelled", "cancelled")


async def test_a_judge_of_a_tie_that_hangs_leaves_it_to_the_stronger_model() -> None:
    final = {"a": "Final answer: 391", "b": "Final answer: 401"}
    on = world(by_kind(dict(final), revise=lambda call: final[call.model.id], judge=HANGS))
    verdict, run = await timed(on, SUM, strategy="debate", models=("a", "b"), judge="j")
    assert (verdict.candidate.model.id, run.degraded) == ("b", ["judge_failed"])


async def test_a_blender_whose_judge_and_fuser_hang_returns_an_answer_it_has() -> None:
    on = world(by_kind(dict(TWO), judge=HANGS, aggregate=HANGS))
    verdict, run = await timed(on, strategy="blender", models=("a", "b"), aggregator="c", judge="j")
    assert verdict.candidate.text in TWO.values()
    assert run.degraded == ["judge_failed", "aggregator_failed"]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_aggregator_that_hangs_leaves_it_to_the_best_proposer(stream: bool) -> None:
    say = by_kind(dict(TWO), aggregate=lambda call: HANGS if call.model.id == "c" else "Both.")
    verdict, run = await timed(
        world(say), strategy="ensemble_moa", models=("a", "b"), aggregator="c", stream=stream
    )
    assert (verdict.candidate.model.id, verdict.candidate.text) == ("b", "Both.")
    assert run.degraded == ["aggregator_failed"]


async def test_a_synthesis_that_hangs_leaves_the_parts() -> None:
    on = world(by_kind({}, plan=SPLIT, synthesis=HANGS, answer="Very."))
    verdict, run = await timed(on, strategy="decompose_and_route")
    assert verdict.candidate.text.count("Very.") == 2
    assert run.degraded == ["aggregator_failed"]


async def test_what_the_caller_sees_being_written_is_waited_for() -> None:
    class Slow(Told):
        async def stream(self, call: ModelCall) -> AsyncGenerator[Piece | Completion, None]:
            async with aclosing(super().stream(call)) as pieces:
                async for piece in pieces:
                    yield piece
                    await asyncio.sleep(0.05)

    say = by_kind(dict(TWO), aggregate="The sea is both.")
    on = world(say)
    on.provider = Slow(say)
    verdict, run = await timed(on, strategy="ensemble_moa", models=("a", "b"), aggregator="c", stream=True)
    assert (verdict.candidate.text, streamed(on.events), run.degraded) == ("The sea is both.",) * 2 + ([],)


async def test_the_slower_the_calls_before_it_the_longer_a_call_is_waited_for() -> None:
    on = World({"a": says("Salty.", latency_ms=40), "slow": HANGS}, [model("a"), model("slow", latency_ms=30_000)])
    run = on.prepare(ask(OPEN, strategy="cascade", models=("a", "slow")))
    a, slow = run.plan.models
    assert patience_with(run, a) is None  # there is nothing in hand
    await run.ask("answer", a)
    assert 0.16 <= (patience_with(run, a) or 0) < SOON
    assert patience_with(run, slow) == 120


async def test_a_call_that_is_given_up_has_ended_and_so_has_one_whose_waiter_was_cancelled() -> None:
    ended = []

    async def never() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    run = world(by_kind(dict(TWO))).prepare(ask(OPEN))
    with pytest.raises(GivenUp):
        await until(run, never(), 0.01)
    waiting = asyncio.ensure_future(until(run, never(), None))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended == [True, True]
