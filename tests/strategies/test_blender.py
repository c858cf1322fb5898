"""blender: answers ranked pair by pair, the best fused, and the fusion held against the best single one."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from tests.scripted_models import FAILS, OPEN, REFUSES, SUM, World, ask, by_kind, kind_of, model, profile, shown

from prysm.providers.sandbox import SandboxProfile
from prysm.strategies.blender import FUSER_TEMPERATURE, net_wins

if TYPE_CHECKING:
    from prysm.core.chat import ModelCall
    from prysm.core.plan import ChatRequest
    from prysm.core.run import Verdict
    from prysm.strategies import Run

SEAS = {
    "a": "The Baltic is brackish, for many rivers feed it and its mouth is narrow.",
    "b": "The Dead Sea is a lake whose water is so salty that nobody sinks in it.",
    "c": "The Pacific is the largest of them all and wider than all land together.",
}
SUMS = {"a": "Final answer: 401", "b": "Final answer: 391", "c": "Final answer: 381"}
ORDER = ("Pacific", "Baltic", "Dead Sea", "fused")
"""What the judge likes, best first."""


def by_taste(call: ModelCall, order: tuple[str, ...]) -> str:
    first, second = ([i for i, good in enumerate(order) if good in answer] for answer in shown(call))
    return "[[C]]" if first == second else "[[A]]" if first < second else "[[B]]"


def world(answers: dict[str, str] = SEAS, order: tuple[str, ...] = ORDER, latency_ms: int = 0, **at: Any) -> World:
    """Proposers with an answer each, and a judge with a taste, unless `at` says what is said to a kind of call."""
    kinds: dict[str, Any] = {"judge": lambda call: by_taste(call, order), "aggregate": "fused", **at}
    return World.told(by_kind(answers, **kinds), *answers, "j", latency_ms=latency_ms)


def blend(prompt: str = OPEN, **more: Any) -> ChatRequest:
    return ask(prompt, strategy="blender", models=("a", "b", "c"), judge="j", **more)


async def performed(on: World, prompt: str = OPEN, **more: Any) -> tuple[Verdict, Run]:
    return await on.perform(blend(prompt, **more), profile("chat" if prompt == OPEN else "math"))


def kinds(on: World) -> Counter[str]:
    return Counter(map(kind_of, on.provider.calls))


async def test_every_pair_is_judged_in_both_orders_by_the_judge() -> None:
    on = world()
    _, run = await performed(on)
    ranking = [call for call in on.provider.calls if kind_of(call) == "judge" and "fused" not in shown(call)]
    assert sorted(tuple(shown(call)) for call in ranking) == sorted(
        (x, y) for x in SEAS.values() for y in SEAS.values() if x != y
    )
    assert {call.model.id for call in ranking} == {"j"}
    rank = next(stage for stage in run.stages if stage.kind == "rank")
    assert rank.note == "net wins per comparison: c +1.00, a +0.00, b -1.00"


async def test_the_best_are_fused_and_a_fusion_that_is_no_worse_is_returned() -> None:
    on = world(order=("fused", *ORDER[:3]))
    chosen, run = await performed(on)
    assert (chosen.candidate.text, run.degraded) == ("fused", [])
    assert kinds(on) == {"answer": 3, "judge": 8, "aggregate": 1}
    assert [stage.kind for stage in run.stages] == ["propose"] * 3 + ["judge"] * 6 + ["rank", "aggregate"] + [
        "judge"
    ] * 2 + ["verify"]
    assert next(c for c in on.provider.calls if kind_of(c) == "aggregate").sampling.temperature == FUSER_TEMPERATURE


async def test_a_fusion_that_the_judge_likes_less_does_no_harm() -> None:
    chosen, run = await performed(world())
    assert chosen.candidate.text == SEAS["c"]
    assert run.stages[-1].note == "the best single answer is better than the fusion and is returned"


@pytest.mark.parametrize("biased", ["[[A]]", "[[B]]"])
async def test_a_chosenthat_the_swap_turns_is_a_tie_and_the_vote_orders_ties(biased: str) -> None:
    answers = {"a": "Final answer: 401", "b": "Final answer: 391", "c": "So Final answer: 391"}
    chosen, run = await performed(world(answers, judge=biased, aggregate="Final answer: 391"), SUM)
    rank = next(stage for stage in run.stages if stage.kind == "rank")
    assert (rank.note or "").startswith("net wins per comparison: b +0.00")
    assert "391" in chosen.candidate.text


async def test_without_half_the_verdicts_the_votes_winner_is_first_and_that_is_said() -> None:
    answers = {"a": "Final answer: 401", "b": "Final answer: 391", "c": "So Final answer: 391"}
    chosen, run = await performed(world(answers, judge="Both are nice.", aggregate=FAILS), SUM)
    assert chosen.candidate.text in {answers["b"], answers["c"]}
    assert run.degraded == ["judge_failed", "aggregator_failed"]
    assert "rank" not in {stage.kind for stage in run.stages}


async def test_with_more_than_half_the_verdicts_those_there_are_rank() -> None:
    def judge(call: ModelCall) -> str:
        return "Hard to say." if set(shown(call)) == {SEAS["a"], SEAS["b"]} else by_taste(call, ORDER)

    chosen, run = await performed(world(judge=judge))
    assert (chosen.candidate.text, run.degraded) == (SEAS["c"], [])


async def test_a_sweep_on_a_closed_question_is_not_fused() -> None:
    on = world(SUMS, ("391", "401", "381"))
    chosen, _ = await performed(on, SUM)
    assert chosen.candidate.text == SUMS["b"]
    assert kinds(on) == {"answer": 3, "judge": 6}


async def test_a_sweep_on_an_open_question_is() -> None:
    on = world(order=("fused", *ORDER[:3]))
    await performed(on)
    assert kinds(on)["aggregate"] == 1


async def test_a_unanimous_closed_question_is_not_even_ranked() -> None:
    on = world(dict.fromkeys("abc", SUMS["b"]))
    chosen, _ = await performed(on, SUM)
    assert (chosen.score.agreement, kinds(on)) == (1, {"answer": 3})


async def test_only_the_best_three_are_fused() -> None:
    answers = SEAS | {"d": "The Aral Sea is shrinking."}
    on = world(answers, ("fused", *ORDER[:3], "Aral"))
    await on.perform(ask(OPEN, strategy="blender", models=tuple("abcd"), judge="j"), profile("chat"))
    fusion = next(call for call in on.provider.calls if kind_of(call) == "aggregate")
    assert sorted(shown(fusion)) == sorted(SEAS.values())


@pytest.mark.parametrize("fused", [REFUSES, "", FAILS])
async def test_without_a_usable_fusion_the_best_single_answer_is_returned_unchecked(
    fused: str | SandboxProfile,
) -> None:
    on = world(aggregate=fused)
    chosen, run = await performed(on)
    assert chosen.candidate.text == SEAS["c"]
    assert run.degraded == ["aggregator_failed" if fused is FAILS else "aggregator_unusable"]
    assert kinds(on)["judge"] == 6


async def test_a_fusion_that_nobody_could_check_is_returned_and_that_is_said() -> None:
    def judge(call: ModelCall) -> str | SandboxProfile:
        return FAILS if "fused" in shown(call) else by_taste(call, ORDER)

    chosen, run = await performed(world(judge=judge))
    assert (chosen.candidate.text, run.degraded) == ("fused", ["judge_failed"])


async def test_the_best_answer_is_trusted_by_the_vote_it_won_or_by_itself_against_it() -> None:
    answers = {"a": "Final answer: 401", "b": "Final answer: 391", "c": "So Final answer: 391"}
    lost, _ = await performed(world(answers, ("401", "391")), SUM)
    assert lost.candidate.text == answers["a"]
    assert lost.score.agreement == pytest.approx(2 / 3)
    assert "/single/" in lost.score.method


def test_a_judge_that_proposed_nothing_is_preferred_where_it_is_as_good() -> None:
    near, outside, weak = model("near", 0.85), model("outside", 0.86), model("weak", 0.5)
    pool = World(dict.fromkeys(("near", "top", "outside", "weak"), FAILS), [near, model("top", 0.9), outside, weak])
    assert pool.plan(ask(strategy="blender", k=2), profile("chat")).judge not in (None, weak)
    panel = pool.plan(ask(strategy="blender", k=2), profile("chat"))
    assert panel.judge not in panel.models
    only = World(dict.fromkeys("ab", FAILS)).plan(ask(strategy="blender"))
    assert only.judge in only.models


async def test_comparisons_are_made_at_the_same_time() -> None:
    on = world(latency_ms=30)
    _, run = await performed(on)
    assert (on.provider.most, len(run.stages)) == (6, 14)


async def test_a_run_cancelled_among_the_verdicts_leaves_no_call_behind() -> None:
    on = world(judge=SandboxProfile(hangs=True))
    work = asyncio.create_task(performed(on))
    await asyncio.sleep(0.05)
    assert on.provider.open == 6
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert on.provider.open == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_net_wins_are_a_mean_over_the_comparisons_made() -> None:
    assert net_wins(3, {(0, 1): 1, (0, 2): 0, (1, 2): -1}) == [0.5, -1.0, 0.5]
    assert net_wins(3, {(0, 1): 1}) == [1.0, -1.0, 0.0]


async def test_the_order_in_which_answers_are_fused_is_in_the_trace() -> None:
    on = world()
    _, run = await performed(on, seed=3)
    fused = next(stage for stage in run.stages if stage.kind == "aggregate")
    call = next(call for call in on.provider.calls if kind_of(call) == "aggregate")
    ranked = [SEAS[name] for name in ("c", "a", "b")]
    order = [int(i) for i in (fused.note or "").removeprefix("order ").split(",")]
    assert shown(call) == [ranked[i] for i in order]
