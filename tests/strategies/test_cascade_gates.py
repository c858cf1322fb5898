"""The gates of a cascade: who is asked first, what may stand alone, what a ladder that ends hands out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.scripted_models import (
    CHEAP,
    FAILS,
    OPEN,
    POLICIES,
    REFUSES,
    USD,
    World,
    ask,
    by_kind,
    kind_of,
    model,
    profile,
    says,
    shown,
)

from prysm.core.model import Price
from prysm.core.plan import Policy
from prysm.providers.sandbox import REFUSAL, SandboxProfile
from prysm.strategies.cascade import Cascade
from prysm.strategies.record import WARM

if TYPE_CHECKING:
    from prysm.core.model import Model
    from prysm.core.run import Verdict
    from prysm.strategies import Run

DEAR = Price(50 * USD, 200 * USD)
CITY = "Which city hosted the summer games of 1912?"
ONE, TWO, THREE = (says(f"It comes to {n}.\n\nFinal answer: {n}") for n in (33, 34, 35))
CUT = SandboxProfile(answer="Let us see, first we take " * 200)
POEM, OTHER_POEM, THIRD_POEM = (
    says("The lamp turns over the black water; he counts the waves until dawn."),
    says("Salt on the stairs. A kettle. Somewhere a horn answers, and is not afraid."),
    says("Beam after beam I send them home, who never learn my name."),
)


def pool(quality: float = 0.6, price: Price = CHEAP, strong: float = 0.86) -> list[Model]:
    return [model("a", quality, price), model("b", quality, price), model("st", strong, DEAR)]


def world(*scripts: SandboxProfile, models: list[Model] | None = None, **bars: float) -> World:
    listed = models or pool()
    policies = {**POLICIES, **{name: Policy(name, bar, 2) for name, bar in bars.items()}}
    return World({m.id: script for m, script in zip(listed, scripts, strict=True)}, listed, policies=policies)


def called(on: World) -> list[str]:
    return [call.model.id for call in on.provider.calls]


async def climbed(on: World, **more: Any) -> tuple[Verdict, Run]:
    return await on.perform(ask(strategy="cascade", **more))


async def wrote(on: World, judge: Model | None = None, **more: Any) -> tuple[Verdict, Run]:
    """A poem, with a judge that the plan names."""
    run = on.prepare(ask(OPEN, strategy="cascade", **more), profile("writing"))
    run.plan = replace(run.plan, judge=judge)
    return await on.carry_out(run), run


@pytest.mark.parametrize("last", [REFUSES, says(""), FAILS], ids=["refuses", "empty", "fails"])
async def test_when_the_last_rung_gives_no_answer_the_best_below_it_is_returned(last: SandboxProfile) -> None:
    verdict, run = await climbed(world(ONE, TWO, last), policy="depth")
    assert verdict.candidate.text in {ONE.answer, TWO.answer}
    assert verdict.score.bar_cleared is False
    assert 0.15 < (verdict.score.confidence or 0) < 0.85
    assert run.degraded == ["rung_failed" if last is FAILS else "unusable_answer"]


async def test_an_answer_that_was_cut_does_not_win_over_a_whole_one() -> None:
    verdict, run = await climbed(world(ONE, TWO, CUT), policy="depth", max_tokens=100)
    assert verdict.candidate.text in {ONE.answer, TWO.answer}
    assert run.degraded == ["unusable_answer"]


async def test_two_of_three_that_agree_stand_when_the_strong_model_refuses() -> None:
    models = [*pool()[:2], model("c", 0.65, CHEAP), pool()[2]]
    on = world(ONE, TWO, TWO, REFUSES, models=models, depth=0.99)
    verdict, _ = await climbed(on, policy="depth", k=3)
    assert (len(called(on)), verdict.candidate.text) == (4, TWO.answer)


@pytest.mark.parametrize("last", [REFUSES, says(""), FAILS], ids=["refuses", "empty", "fails"])
async def test_an_open_answer_stands_when_the_strong_model_gives_none(last: SandboxProfile) -> None:
    verdict, run = await wrote(world(POEM, OTHER_POEM, last, models=pool(0.7)), policy="depth")
    assert verdict.candidate.text == POEM.answer
    assert (verdict.score.bar_cleared, run.degraded[0][:4]) == (False, "rung" if last is FAILS else "unus")


async def test_a_refusal_stands_only_where_all_refuse() -> None:
    verdict, _ = await climbed(world(REFUSES, REFUSES, REFUSES))
    assert verdict.candidate.text == REFUSAL


async def test_the_strong_model_that_was_asked_at_once_has_the_last_word_below_the_bar_too() -> None:
    on = world(says("Sydney"), says("Melbourne"), says("Canberra"), models=pool(price=DEAR))
    run = on.prepare(ask("What is the capital?", strategy="cascade", policy="depth"), profile("factual"))
    verdict = await on.carry_out(run)
    assert (called(on), verdict.candidate.text, verdict.score.bar_cleared) == (["st"], "Canberra", False)
    assert "so St is asked at once" in run.plan.reason
    assert "asked at once" in (run.stages[0].note or "")


async def test_cheap_models_stand_in_for_a_strong_one_that_was_asked_at_once_and_failed() -> None:
    on = world(ONE, ONE, FAILS, models=pool(price=DEAR))
    verdict, run = await climbed(on)
    assert (called(on), verdict.candidate.text) == (["st", "a", "b"], ONE.answer)
    assert run.degraded == ["rung_failed"]


async def test_an_open_question_goes_to_the_strong_model_where_a_cheap_one_would_save_nothing() -> None:
    on = world(POEM, OTHER_POEM, THIRD_POEM, models=pool(price=DEAR))
    verdict, run = await wrote(on, policy="efficiency")
    assert (called(on), verdict.score.bar_cleared, run.degraded) == (["st"], True, [])


async def test_so_it_does_where_no_cheap_answer_could_clear_the_bar() -> None:
    on = world(POEM, OTHER_POEM, THIRD_POEM)
    await wrote(on, policy="balanced")
    assert called(on) == ["st"]


async def test_a_cheap_answer_to_an_open_question_stands_by_its_own_score() -> None:
    on = world(POEM, OTHER_POEM, THIRD_POEM, models=pool(0.7), efficiency=0.5)
    verdict, _ = await wrote(on, policy="efficiency")
    assert (called(on), verdict.score.bar_cleared) == (["a"], True)


async def test_an_open_answer_is_worth_as_much_beside_others_as_alone() -> None:
    alone, _ = await wrote(world(POEM, OTHER_POEM, THIRD_POEM), policy="balanced")
    among, _ = await wrote(world(POEM, OTHER_POEM, THIRD_POEM), policy="balanced", models=("a", "b", "st"))
    assert among.candidate.text == alone.candidate.text == THIRD_POEM.answer
    assert among.score.confidence == alone.score.confidence
    assert among.score.agreement == pytest.approx(1 / 3)


def judging(says_: str, **models: Any) -> World:
    answers = {"a": POEM.answer, "b": OTHER_POEM.answer, "st": THIRD_POEM.answer} | models
    return World.told(by_kind({k: v or "" for k, v in answers.items()}, judge=says_), models=pool())


JUDGE = model("st", 0.86, DEAR)


async def test_a_judge_that_approves_spares_the_strong_model() -> None:
    on = judging("Fine.\n[[A]]")
    verdict, run = await wrote(on, JUDGE, policy="depth")
    assert [stage.kind for stage in run.stages] == ["answer", "judge"]
    assert shown(on.provider.calls[1]) == [POEM.answer]
    assert (verdict.candidate.text, verdict.score.bar_cleared) == (POEM.answer, True)
    assert verdict.score.method == "judged-v0 (uncalibrated)"


async def test_a_judge_that_does_not_sends_the_question_to_the_strong_model() -> None:
    on = judging("Dull.\n[[B]]")
    verdict, _ = await wrote(on, JUDGE, policy="efficiency")
    assert [kind_of(call) for call in on.provider.calls] == ["answer", "judge", "answer"]
    assert verdict.candidate.text == THIRD_POEM.answer


async def test_a_judge_that_cannot_be_read_is_said_and_the_answers_own_score_decides() -> None:
    on = judging("No idea.")
    _, run = await wrote(on, JUDGE, policy="efficiency")
    assert (called(on), run.degraded) == (["a", "st", "st"], ["judge_failed"])


async def test_nobody_judges_itself() -> None:
    on = judging("[[A]]")
    await wrote(on, pool()[0], policy="efficiency", models=("a", "st"))
    assert [kind_of(call) for call in on.provider.calls] == ["answer", "answer"]


async def test_escalation_never_stops_for_good_and_says_where_it_paused() -> None:
    on = world(says("Paris"), says("London"), says("Stockholm"))
    cascade = Cascade()
    escalated, said = 0, 0
    for _ in range(60):
        run = on.prepare(ask(CITY, strategy="cascade"), profile("factual"))
        verdict = await cascade.run(run)
        asked = any(stage.kind == "escalate" for stage in run.stages)
        escalated += asked
        said += not asked and run.degraded == ["not_escalated"] and verdict.score.bar_cleared is False
    assert escalated >= 50
    assert escalated + said == 60


async def test_a_seed_repeats_a_run_whatever_others_asked() -> None:
    on, cascade = world(ONE, TWO, TWO), Cascade()

    async def seeded() -> tuple[list[str], str]:
        before = len(on.provider.calls)
        verdict = await cascade.run(on.prepare(ask(strategy="cascade", seed=7)))
        return called(on)[before:], verdict.candidate.model.id

    first = await seeded()
    for _ in range(2 * WARM):
        await cascade.run(on.prepare(ask(strategy="cascade")))
    assert await seeded() == first


LONE = [model("a", 0.6, CHEAP), model("st", 0.86, DEAR)]


async def alone(on: World, samples: int = 1, rungs: int = 2, **more: Any) -> tuple[Verdict, Run]:
    """A ladder of so many rungs whose plan has the first model sampled so often."""
    run = on.prepare(ask(strategy="cascade", **more))
    run.plan = replace(run.plan, models=run.plan.models[:rungs], samples=samples)
    return await on.carry_out(run), run


async def test_of_one_cheap_model_no_answer_stands_alone() -> None:
    on = world(ONE, THREE, models=LONE)
    verdict, _ = await alone(on)
    assert (called(on), verdict.candidate.model.id) == (["st"], "st")


async def test_a_cheap_model_that_the_caller_named_gives_the_strong_one_a_second_voice() -> None:
    on = world(ONE, THREE, models=LONE)
    verdict, _ = await alone(on, models=("a", "st"))
    assert (sorted(called(on)), verdict.candidate.model.id) == (["a", "st"], "st")
    assert on.provider.most == 2


async def test_a_lone_cheap_model_that_agrees_with_itself_spares_the_strong_one() -> None:
    on = world(ONE, THREE, models=LONE, balanced=0.5)
    verdict, _ = await alone(on, samples=2)
    assert [(call.model.id, call.sample) for call in on.provider.calls] == [("a", 0), ("a", 1)]
    assert all(call.sampling.temperature for call in on.provider.calls)
    assert (verdict.candidate.text, verdict.score.agreement, verdict.score.bar_cleared) == (ONE.answer, 1.0, True)


async def test_so_it_does_where_a_ceiling_left_it_alone() -> None:
    on = world(ONE, THREE, models=LONE, balanced=0.5)
    verdict, _ = await alone(on, samples=2, rungs=1)
    assert (called(on), verdict.score.agreement, verdict.score.bar_cleared) == (["a", "a"], 1.0, True)


async def test_a_lone_cheap_model_whose_agreement_could_not_clear_the_bar_is_not_sampled() -> None:
    on = world(ONE, THREE, models=LONE)
    verdict, run = await alone(on, samples=2)
    assert (called(on), verdict.candidate.model.id) == (["st"], "st")
    assert "is asked at once" in run.plan.reason
    named = world(ONE, THREE, models=LONE)
    await alone(named, samples=2, models=("a", "st"))
    assert sorted(called(named)) == ["a", "st"]


async def test_of_a_fitted_class_nobody_can_say_so_before_they_answered() -> None:
    on = world(ONE, THREE, models=LONE)
    city = ask(f"{CITY}\nA) Stockholm\nB) London", strategy="cascade")
    run = on.prepare(city, profile("factual"))
    run.plan = replace(run.plan, samples=2)
    await on.carry_out(run)
    assert called(on)[:2] == ["a", "a"]


async def test_one_that_does_not_is_not_weighed_but_checked_by_the_strong_one() -> None:
    on = world(ONE, THREE, models=LONE, balanced=0.5)
    on.provider.first = TWO
    verdict, run = await alone(on, samples=2, temperature=0.0)
    assert (called(on), verdict.candidate.model.id) == (["a", "a", "st"], "st")
    assert run.degraded == ["temperature_raised"]


async def test_an_answer_served_twice_agrees_with_nobody() -> None:
    on = world(ONE, THREE, models=LONE, balanced=0.5)
    on.provider.copies = True
    await alone(on, samples=2)
    assert called(on) == ["a", "a", "st"]


async def test_a_cheap_model_left_alone_by_a_ceiling_does_not_clear_the_bar() -> None:
    verdict, _ = await alone(world(ONE, THREE, models=LONE), rungs=1)
    assert verdict.score.bar_cleared is False


async def test_two_cheap_models_left_by_a_ceiling_are_compared() -> None:
    on = world(ONE, ONE, THREE)
    verdict, _ = await alone(on, rungs=2)
    assert (called(on), verdict.score.agreement, verdict.score.bar_cleared) == (["a", "b"], 1.0, True)


async def test_half_an_answered_pair_does_not_stand_alone() -> None:
    on = world(ONE, REFUSES, THREE)
    verdict, run = await climbed(on)
    assert (called(on), verdict.candidate.model.id) == (["a", "b", "st"], "st")
    assert run.degraded == ["unusable_answer"]
