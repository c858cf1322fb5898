"""Under a deadline: every phase has its share, and what is in hand at the end is the answer."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from tests.scripted_models import (
    OPEN,
    SUM,
    USD,
    Told,
    Watched,
    World,
    ask,
    by_kind,
    kind_of,
    model,
    profile,
    says,
    streamed,
)

from prysm.core.model import Price
from prysm.errors import ProviderError
from prysm.providers.sandbox import SandboxProfile
from prysm.strategies.clock import HANDED_OUT
from prysm.strategies.in_hand import best_in_hand
from prysm.strategies.patience import share_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from prysm.core.chat import Completion, ModelCall, Piece
    from prysm.core.model import Model
    from prysm.core.run import Verdict
    from prysm.strategies import Run

HANGS = SandboxProfile(hangs=True)
RIGHT = says("Final answer: 391")
BUSY = 0.4
"""Seconds that a busy machine may add; a call that hangs would take a minute."""


def slow_provider(world: World) -> World:
    """Its provider would let a call hang far longer than any test."""
    world.provider = Watched(world.profiles, timeout_s=60)
    return world


async def timed(world: World, deadline_s: float, prompt: str = SUM, **more: Any) -> tuple[Verdict, Run, float]:
    run = world.prepare(ask(prompt, deadline_s=deadline_s, **more), profile("math" if prompt == SUM else "chat"))
    began = time.perf_counter()
    verdict = await world.carry_out(run)
    assert world.provider.open == 0
    return verdict, run, time.perf_counter() - began


@pytest.mark.parametrize("strategy", ["ensemble_moa", "blender", "debate"])
async def test_a_pair_of_which_one_hangs_goes_on_with_the_other_when_its_share_is_over(strategy: str) -> None:
    world = slow_provider(World({"a": RIGHT, "b": HANGS}))
    verdict, run, took = await timed(world, 1, strategy=strategy, models=("a", "b"))
    assert verdict.candidate.model.id == "a"
    assert took < 0.57 + BUSY
    assert {"deadline", "partial:1 of 2 proposals"} <= set(run.degraded)
    assert verdict.score.agreement is None  # one answer agrees with nobody


@pytest.mark.parametrize("strategy", ["cascade", "ensemble_moa", "blender", "debate"])
async def test_no_strategy_is_late_when_everyone_hangs_but_one(strategy: str) -> None:
    world = slow_provider(World({"a": RIGHT, "b": HANGS, "c": HANGS}))
    verdict, run, took = await timed(world, 0.8, strategy=strategy, models=("a", "b", "c"))
    assert (verdict.candidate.model.id, took < 0.8 + BUSY) == ("a", True)
    assert "deadline" in run.degraded


async def test_what_was_said_before_an_aggregator_that_hangs_is_the_answer() -> None:
    world = slow_provider(World({"a": says("Salty."), "b": says("It is deep and wide."), "c": HANGS}))
    verdict, run, took = await timed(world, 0.6, OPEN, strategy="ensemble_moa", models=("a", "b"), aggregator="c")
    assert verdict.candidate.model.id in {"a", "b"}
    assert took < 0.6 + BUSY
    assert run.degraded == ["deadline", "aggregator_failed"]
    assert (run.stages[-1].status, run.stages[-1].error) == ("cancelled", "deadline")


async def test_a_revision_that_hangs_leaves_both_first_answers_to_vote() -> None:
    answers = {"a": "Final answer: 391", "b": "Final answer: 401"}
    world = World.told(by_kind(dict(answers), revise=HANGS), models=[model("a", 0.9), model("b", 0.8)])
    verdict, run, took = await timed(world, 0.25, strategy="debate", models=("a", "b"))
    assert (verdict.candidate.text, took < 0.25 + BUSY) == ("Final answer: 391", True)
    assert {"deadline", "revision_failed"} <= set(run.degraded)


async def test_a_synthesis_that_hangs_leaves_the_parts_side_by_side() -> None:
    plan = {"subtasks": [{"task": "How deep is the sea?"}, {"task": "How salty is it?"}]}
    world = World.told(
        by_kind({}, plan=orjson.dumps(plan).decode(), synthesis=HANGS, answer="Very."),
        models=[model("a"), model("b")],
    )
    verdict, run, took = await timed(world, 0.28, OPEN, strategy="decompose_and_route")
    assert verdict.candidate.text.count("Very.") == 2
    assert (took < 0.28 + BUSY, "deadline" in run.degraded) == (True, True)


async def test_a_part_whose_model_hangs_leaves_time_for_a_stand_in() -> None:
    world = World.told(
        lambda call: HANGS if call.model.id == "a" else f"Very. {kind_of(call)}",
        models=[model("a", 0.9), model("b")],
    )
    verdict, run, took = await timed(
        world, 0.28, "1. How deep is the sea?\n2. How salty is water?", strategy="decompose_and_route"
    )
    assert verdict.candidate.text.count("Very.") == 2
    assert (took < 0.28 + BUSY, "deadline" in run.degraded) == (True, True)


async def test_a_model_that_hangs_leaves_time_for_its_fallback() -> None:
    world = slow_provider(World({"a": HANGS, "b": RIGHT}))
    verdict, run, took = await timed(world, 0.5, pinned="a", fallback=("b",))
    assert (verdict.candidate.model.id, took < 0.5 + BUSY) == ("b", True)
    assert run.degraded == ["deadline", "fallback"]


async def test_a_streamed_model_that_shows_nothing_leaves_time_for_its_fallback() -> None:
    world = slow_provider(World({"a": HANGS, "b": RIGHT}))
    verdict, run, took = await timed(world, 0.5, pinned="a", fallback=("b",), stream=True)
    assert (verdict.candidate.model.id, took < 0.5 + BUSY) == ("b", True)
    assert (run.degraded, streamed(world.events)) == (["deadline", "fallback"], "Final answer: 391")


async def test_a_streamed_model_that_has_begun_to_write_keeps_the_whole_deadline() -> None:
    class Slow(Watched):
        async def stream(self, call: ModelCall) -> AsyncGenerator[Piece | Completion, None]:
            async with aclosing(super().stream(call)) as pieces:
                async for piece in pieces:
                    yield piece
                    await asyncio.sleep(0.15)

    world = World({"a": says("One two three"), "b": RIGHT})
    world.provider = Slow(world.profiles)
    verdict, run, _ = await timed(world, 0.75, pinned="a", fallback=("b",), stream=True)
    assert (verdict.candidate.model.id, run.degraded) == ("a", [])


RUNGS = [model("a", 0.6), model("b", 0.6), model("st", 0.9, Price(50 * USD, 200 * USD))]


@pytest.mark.parametrize(
    ("hanging", "prompt", "asked", "stands"),
    [
        ("a", OPEN, {"models": ("a", "st")}, "st"),
        ("b", SUM, {}, "st"),
        ("a b", SUM, {}, "st"),
        ("a b", SUM, {"models": ("a", "b", "st")}, "st"),
        ("st", OPEN, {}, "a"),
        ("a st", SUM, {"models": ("a", "b", "st")}, "b"),
    ],
)
async def test_a_rung_of_a_ladder_that_hangs_leaves_time_for_the_next(
    hanging: str, prompt: str, asked: dict[str, Any], stands: str
) -> None:
    scripts = {m.id: HANGS if m.id in hanging.split() else RIGHT for m in RUNGS}
    world = slow_provider(World(scripts, RUNGS))
    verdict, run, took = await timed(world, 0.6, prompt, strategy="cascade", **asked)
    assert (verdict.candidate.model.id, took < 0.6 + BUSY) == (stands, True)
    assert {"deadline", "rung_failed"} <= set(run.degraded)


async def test_a_judge_that_hangs_leaves_time_for_the_strong_model() -> None:
    say = by_kind({"a": "Salty.", "st": "It is deep."}, judge=HANGS)
    world = World.told(say, models=[*RUNGS, model("j")])
    world.provider = Told(say, timeout_s=60)
    verdict, run, took = await timed(world, 0.6, OPEN, strategy="cascade", models=("a", "st"), judge="j")
    assert (verdict.candidate.model.id, took < 0.6 + BUSY) == ("st", True)
    assert {"deadline", "judge_failed"} <= set(run.degraded)


QUICK, STEADY = model("a", 0.6, latency_ms=20), model("st", 0.9, latency_ms=400)


@pytest.mark.parametrize(
    ("now", "after", "due"),
    [
        ([STEADY], [QUICK], 0.5 * 400 / 420),  # it is not cut short for one that needs next to nothing
        ([QUICK], [STEADY], 0.1),  # what follows keeps its usual time
        ([QUICK], [QUICK], 0.3),
        ([STEADY], [model("new")], 0.3),  # whose time nobody knows
        ([STEADY], [], 0.5),
    ],
)
def test_a_model_has_its_share_and_what_follows_its_usual_time(
    now: list[Model], after: list[Model], due: float
) -> None:
    run = World({"a": RIGHT}).prepare(ask(SUM, deadline_s=0.5 / (1 - HANDED_OUT)))
    assert share_of(run, now, after) == pytest.approx(due, rel=0.05)
    assert share_of(World({"a": RIGHT}).prepare(ask(SUM)), now, after) is None


async def test_a_strong_model_that_makes_the_deadline_is_not_cut_short_for_a_stand_in() -> None:
    pool = [model("a", 0.6, latency_ms=20), model("st", 0.9, Price(50 * USD, 200 * USD), latency_ms=600)]
    world = slow_provider(World({"a": says("Salty."), "st": says("It is deep.", latency_ms=600)}, pool))
    verdict, run, _ = await timed(world, 1, OPEN, strategy="cascade")
    assert (verdict.candidate.model.id, run.degraded) == ("st", [])


async def test_a_phase_gets_sixty_percent_of_what_is_left_and_the_last_one_all_but_a_reserve() -> None:
    run = World({"a": RIGHT}).prepare(ask(SUM, deadline_s=2))
    left = 2 * (1 - HANDED_OUT)
    shares = [run.clock.share(after) for after in (0, 1, 2)]
    assert shares == pytest.approx([left, 0.6 * left, 0.375 * left], rel=0.02)
    assert World({"a": RIGHT}).prepare(ask(SUM)).clock.share(1) is None


async def test_a_call_that_has_no_time_left_is_not_made() -> None:
    world = World({"a": RIGHT})
    run = world.prepare(ask(SUM, deadline_s=1e-9))
    with pytest.raises(ProviderError):
        await run.ask("answer", run.plan.models[0])
    assert (world.provider.calls, run.stages, run.clock.late) == ([], [], True)


async def test_of_what_is_in_hand_the_vote_decides_and_what_cannot_be_used_does_not_count() -> None:
    answers = {"a": says("Final answer: 391"), "b": says("Final answer: 391"), "c": SandboxProfile(refuses=True)}
    world = World(answers)
    run = world.prepare(ask(SUM, strategy="ensemble_moa", models=("a", "b", "c")))
    assert best_in_hand(run) is None
    for one in (run.plan.models[2], run.plan.models[0]):
        await run.ask("propose", one)
    alone = best_in_hand(run)
    assert alone
    assert (alone.candidate.model.id, alone.score.agreement) == ("a", None)
    await run.ask("propose", run.plan.models[1])
    both = best_in_hand(run)
    assert both
    assert (both.score.agreement, run.degraded) == (1, ["deadline"])
