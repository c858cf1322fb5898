"""The caller's consensus rule decides votes, and a vote below the threshold says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.scripted_models import World, ask, model, says

if TYPE_CHECKING:
    from prysm.providers.sandbox import SandboxProfile
    from prysm.strategies import Run

FOUR, FIVE = says("Final answer: 4"), says("Final answer: 5")


def panel(*answers: SandboxProfile, **more: Any) -> tuple[World, Run]:
    models = [model(name, quality=q) for name, q in zip("abc", (0.6, 0.6, 0.9), strict=False)]
    world = World(dict(zip("abc", answers, strict=False)), models)
    request = ask("What is 2 + 2?", strategy="debate", models=("a", "b", "c"), rounds=1, **more)
    return world, world.prepare(request)


@pytest.mark.parametrize(("rule", "answer"), [("majority", "Final answer: 5"), ("expert", "Final answer: 4")])
async def test_the_rule_decides_between_the_many_and_the_expert(rule: str, answer: str) -> None:
    world, run = panel(FIVE, FIVE, FOUR, consensus=rule)
    assert (await world.carry_out(run)).candidate.text == answer


@pytest.mark.parametrize(("threshold", "said"), [(0.6, False), (0.9, True)])
async def test_below_the_threshold_the_answer_is_returned_and_said_to_lack_consensus(
    threshold: float, said: bool
) -> None:
    world, run = panel(FIVE, FIVE, FOUR, consensus_threshold=threshold)
    assert (await world.carry_out(run)).candidate.text == "Final answer: 5"
    assert ("no_consensus" in run.degraded) is said
