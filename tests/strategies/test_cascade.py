"""cascade: cheap first, the strong model only when they leave doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scripted_models import CHEAP, FAILS, OPEN, POLICIES, USD, World, ask, model, profile, says

from prysm.core.model import Price
from prysm.core.plan import Policy

if TYPE_CHECKING:
    from prysm.providers.sandbox import SandboxProfile

RIGHT, WRONG = says("17 * 23 = 391\n\nFinal answer: 391"), says("Final answer: 401")
STRONG = model("strong", 0.9, Price(50 * USD, 200 * USD))
MODELS = [model("a", 0.7, CHEAP), model("b", 0.7, CHEAP), STRONG]


def ladder(a: SandboxProfile, b: SandboxProfile, strong: SandboxProfile, bar: float = 0.72) -> World:
    policies = {**POLICIES, "balanced": Policy("balanced", bar, 2)}
    return World({"a": a, "b": b, "strong": strong}, MODELS, policies=policies)


def called(world: World) -> list[str]:
    return [call.model.id for call in world.provider.calls]


CLIMB = ask(strategy="cascade")


async def test_two_cheap_models_that_agree_spare_the_strong_one() -> None:
    world = ladder(RIGHT, RIGHT, WRONG)
    verdict, run = await world.perform(CLIMB)
    assert called(world) == ["a", "b"]
    assert verdict.score.bar_cleared is True
    assert (verdict.score.confidence or 0) >= 0.72
    assert verdict.score.agreement == 1
    assert [stage.kind for stage in run.stages] == ["answer", "answer", "vote"]


async def test_two_that_disagree_call_the_strong_one_whose_answer_stands() -> None:
    world = ladder(WRONG, says("Final answer: 381"), RIGHT)
    verdict, run = await world.perform(CLIMB)
    assert called(world) == ["a", "b", "strong"]
    assert verdict.candidate.model == STRONG
    assert verdict.score.agreement == pytest.approx(1 / 3)
    escalated = next(stage for stage in run.stages if stage.kind == "escalate")
    assert escalated.parents == (0, 1)


async def test_a_ladder_that_ends_in_doubt_says_that_it_missed_the_bar() -> None:
    verdict, _ = await ladder(WRONG, says("Final answer: 381"), RIGHT, bar=0.9).perform(CLIMB)
    assert verdict.score.bar_cleared is False
    assert (verdict.score.confidence or 1) < 0.9


async def test_a_ladder_that_ends_in_confidence_still_stays_below_the_bar_it_missed() -> None:
    verdict, _ = await ladder(RIGHT, RIGHT, RIGHT, bar=0.999).perform(CLIMB)
    assert verdict.score.bar_cleared is False
    assert (verdict.score.confidence or 1) <= 0.999 - 0.01


async def test_a_failed_rung_is_climbed_over_and_said() -> None:
    world = ladder(FAILS, WRONG, RIGHT)
    verdict, run = await world.perform(CLIMB)
    assert called(world) == ["a", "b", "strong"]
    assert (verdict.candidate.model, run.degraded) == (STRONG, ["rung_failed"])


async def test_when_the_strong_model_fails_the_best_cheap_answer_is_returned_below_the_bar() -> None:
    verdict, run = await ladder(WRONG, RIGHT, FAILS, bar=0.95).perform(CLIMB)
    assert verdict.candidate.text in {WRONG.answer, RIGHT.answer}
    assert (verdict.score.bar_cleared, run.degraded) == (False, ["rung_failed"])


async def test_an_open_question_climbs_rung_by_rung() -> None:
    world = ladder(says("Blue."), says("Deep."), says("Salt."), bar=0.2)
    verdict, _ = await world.perform(ask(OPEN, strategy="cascade"), profile("chat"))
    assert (called(world), verdict.candidate.text) == (["a"], "Blue.")
    assert verdict.score.agreement is None


async def test_a_strong_model_over_the_ceiling_is_not_asked_and_that_is_said() -> None:
    world = ladder(WRONG, says("Final answer: 381"), RIGHT)
    run = world.prepare(CLIMB)
    object.__setattr__(run.request, "max_cost_nano", 40_000_000)
    verdict = await world.carry_out(run)
    assert called(world) == ["a", "b"]
    assert (verdict.score.bar_cleared, run.degraded) == (False, ["ceiling_reached"])


async def test_a_comparable_last_line_is_asked_for_where_answers_are_compared() -> None:
    world = ladder(RIGHT, RIGHT, RIGHT)
    await world.perform(CLIMB)
    assert all("Final answer: <answer>" in call.messages[-1].content for call in world.provider.calls)


async def test_an_answer_that_missed_the_bar_by_a_hair_is_put_clearly_below_it() -> None:
    first, _ = await ladder(RIGHT, RIGHT, RIGHT, bar=0.999).perform(CLIMB)
    bar = (first.score.confidence or 0) + 0.004
    again, _ = await ladder(RIGHT, RIGHT, RIGHT, bar=bar).perform(CLIMB)
    assert again.score.confidence == pytest.approx(bar - 0.01)


async def test_where_an_open_answer_is_shared_the_strong_models_words_are_returned() -> None:
    sea = says("The sea is deep and blue.")
    verdict, _ = await ladder(sea, sea, sea, bar=0.99).perform(ask(OPEN, strategy="cascade"), profile("chat"))
    assert verdict.candidate.model == STRONG
