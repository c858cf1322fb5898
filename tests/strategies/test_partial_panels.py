"""A panel that is not complete answers with what it has, says so, and is less sure."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers
from tests.scripted_models import FAILS, SUM, Told, World, ask, model, says

from prysm.core.run import Candidate, Score, Verdict
from prysm.errors import ProviderError
from prysm.providers.sandbox import SandboxProfile
from prysm.strategies.in_hand import best_in_hand
from prysm.strategies.proposals import as_heard

RIGHT = says("Final answer: 391")


async def confidence(strategy: Any, *scripts: SandboxProfile) -> tuple[float, list[str]]:
    """What three members say together, and how the run was degraded."""
    world = World(dict(zip("abc", scripts, strict=True)))
    verdict, run = await world.perform(ask(SUM, strategy=strategy, models=("a", "b", "c")))
    assert verdict.score.confidence
    return verdict.score.confidence, run.degraded


@pytest.mark.parametrize("strategy", ["ensemble_moa", "blender", "debate"])
async def test_two_of_three_that_agree_are_surer_than_one_and_less_sure_than_three(strategy: str) -> None:
    three, complete = await confidence(strategy, RIGHT, RIGHT, RIGHT)
    two, partial = await confidence(strategy, RIGHT, RIGHT, FAILS)
    one, _ = await confidence(strategy, RIGHT, FAILS, FAILS)
    assert one < two < three
    assert (complete, partial) == ([], ["partial:2 of 3 proposals"])


async def sampled(*samples: SandboxProfile) -> tuple[float, list[str]]:
    """What the samples of one model say together, and how the run was degraded."""
    world = World({"a": SandboxProfile()})
    world.provider = Told(lambda call: samples[call.sample])
    verdict, run = await world.perform(ask(SUM, strategy="self_consistency", samples=len(samples)))
    return verdict.score.confidence or 0, run.degraded


async def test_a_missing_sample_lowers_the_confidence_of_those_that_agree() -> None:
    three, complete = await sampled(RIGHT, RIGHT, RIGHT)
    two, partial = await sampled(RIGHT, FAILS, RIGHT)
    assert two < three
    assert (complete, partial) == ([], ["partial:2 of 3 samples"])


async def test_a_panel_that_a_deadline_broke_up_is_less_sure_than_one_that_was_heard() -> None:
    sure = []
    for members in ("abc", "ab"):
        world = World({"a": RIGHT, "b": RIGHT, "c": RIGHT}, [model("a"), model("b"), model("c")])
        run = world.prepare(ask(SUM, strategy="ensemble_moa", models=("a", "b", "c")))
        for one in run.plan.models:
            world.provider.first, world.provider.at = (
                None if one.id in members else FAILS,
                len(world.provider.calls),
            )
            with suppress(ProviderError):
                await run.ask("propose", one)
        held = best_in_hand(run)
        assert held
        sure.append(held.score.confidence or 0)
    assert sure[1] < sure[0]


@given(floats(0.001, 0.99), integers(0, 9), integers(1, 9))
def test_who_is_missing_never_adds_confidence_and_who_answered_is_never_ignored(
    sure: float, answered: int, planned: int
) -> None:
    given = Verdict(Candidate(0, model("a"), None), Score(sure, None, "m"))  # type: ignore[arg-type]  # not looked at
    left = as_heard(given, answered, planned).score.confidence
    assert left is not None
    assert left <= sure
    assert answered < planned or left == sure
    assert (left > 0) == (answered > 0)
