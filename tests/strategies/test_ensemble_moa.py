"""ensemble_moa: several propose, the strongest merges, unless there is nothing to merge."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.scripted_models import (
    FAILS,
    OPEN,
    SUM,
    World,
    ask,
    by_kind,
    kind_of,
    model,
    profile,
    says,
    shown,
    streamed,
)

from prysm.core.chat import TextDelta
from prysm.errors import ProviderError
from prysm.strategies.ensemble_moa import AGGREGATOR_TEMPERATURE
from prysm.strategies.run import SAMPLING_TEMPERATURE

SEAS = ("The Baltic is brackish.", "The Dead Sea is a lake.", "The Pacific is the largest.")


def panel(*scripts: Any, **more: Any) -> World:
    return World(dict(zip("abc", scripts, strict=False)), **more)


def kinds(world: World, run: Any) -> list[str]:
    assert len(world.provider.calls) == sum(stage.model is not None for stage in run.stages)
    return [stage.kind for stage in run.stages]


def merge(prompt: str = OPEN, **more: Any) -> Any:
    return ask(prompt, strategy="ensemble_moa", models=("a", "b", "c"), **more)


async def test_proposals_are_merged_by_the_aggregator() -> None:
    world = panel(*map(says, SEAS))
    verdict, run = await world.perform(merge(aggregator="b"), profile("chat"))
    assert kinds(world, run) == ["propose"] * 3 + ["vote", "aggregate"]
    assert (verdict.candidate.model.id, run.stages[-1].parents) == ("b", (3,))
    assert run.stages[3].parents == (0, 1, 2)


async def test_a_unanimous_closed_question_needs_no_aggregator() -> None:
    world = panel(says("Final answer: 391"), says("It is 391.\nFinal answer: 391"), says("Final answer: 391.0"))
    verdict, run = await world.perform(merge(SUM))
    assert kinds(world, run) == ["propose"] * 3 + ["vote"]
    assert (verdict.score.agreement, run.stages[-1].note) == (1, "all 3 agree, nothing to merge")


async def test_two_samples_of_one_model_that_agree_are_no_consensus_yet() -> None:
    world = World({"a": says("Final answer: 391")}, [model("a", 0.9)])
    _, two = await world.perform(ask(SUM, strategy="ensemble_moa", k=2))
    _, three = await world.perform(ask(SUM, strategy="ensemble_moa", k=3))
    assert ([stage.kind for stage in two.stages][-1], [stage.kind for stage in three.stages][-1]) == (
        "aggregate",
        "vote",
    )


async def test_proposers_are_sampled_warm_and_told_apart_and_the_aggregator_is_cool() -> None:
    world = World({"a": says("x")}, [model("a", 0.9)])
    await world.perform(ask(OPEN, strategy="ensemble_moa", k=2, seed=5), profile("chat"))
    *proposed, merged = world.provider.calls
    assert [(call.sample, call.sampling.temperature, call.sampling.seed) for call in proposed] == [
        (0, SAMPLING_TEMPERATURE, 5),
        (1, SAMPLING_TEMPERATURE, 6),
    ]
    assert merged.sampling.temperature == AGGREGATOR_TEMPERATURE


async def test_proposals_are_fenced_unnamed_and_in_an_order_that_the_trace_keeps() -> None:
    world = panel(*map(says, SEAS))
    _, run = await world.perform(merge(seed=3), profile("chat"))
    system, asked = world.provider.calls[-1].messages
    order = [int(i) for i in (run.stages[3].note or "").removeprefix("order ").split(",")]
    assert sorted(order) == [0, 1, 2]
    places = [asked.text.index(SEAS[i]) for i in order]
    assert places == sorted(places)
    assert (system.text.count(run.nonce), asked.text.count(run.nonce)) == (1, 2 * 3)
    assert "sandbox" not in system.text + asked.text


async def test_a_missing_proposal_is_said_and_the_rest_is_merged() -> None:
    world = panel(says(SEAS[0]), FAILS, says(SEAS[2]))
    verdict, run = await world.perform(merge(), profile("chat"))
    assert run.degraded == ["partial:2 of 3 proposals"]
    assert verdict.candidate.completion is run.stages[-1].completion


async def test_the_only_proposal_left_is_the_answer() -> None:
    world = panel(FAILS, says(SEAS[1]), FAILS)
    verdict, run = await world.perform(merge(), profile("chat"))
    assert (verdict.candidate.text, verdict.score.agreement) == (SEAS[1], None)
    assert run.degraded == ["partial:1 of 3 proposals"]


async def test_when_the_aggregator_fails_the_best_proposer_merges() -> None:
    world = World({"a": says("x"), "b": says("y"), "down": FAILS})
    request = ask(OPEN, strategy="ensemble_moa", models=("a", "b"), aggregator="down")
    verdict, run = await world.perform(request, profile("chat"))
    assert [call.model.id for call in world.provider.calls][2:] == ["down", "a"]
    assert (verdict.candidate.model.id, run.degraded) == ("a", ["aggregator_failed"])


async def test_when_nobody_can_merge_the_vote_decides() -> None:
    world = panel(says("Final answer: 391"), says("Final answer: 391"), says("Final answer: 401"))
    run = world.prepare(merge(SUM))
    ask_model = run.ask

    async def no_merging(kind: Any, *args: Any, **more: Any) -> Any:
        if kind == "aggregate":
            world.provider.first, world.provider.calls[:] = FAILS, []
        return await ask_model(kind, *args, **more)

    run.ask = no_merging  # type: ignore[method-assign]  # the proposers' models fail as soon as they are to merge
    verdict = await world.carry_out(run)
    assert run.degraded == ["aggregator_failed"]
    assert verdict.candidate.text == "Final answer: 391"
    assert verdict.score.agreement == pytest.approx(2 / 3)


async def test_a_merge_that_breaks_off_half_shown_is_an_error_and_nobody_takes_over() -> None:
    world = panel(*map(says, SEAS))
    run = world.prepare(merge(stream=True), profile("chat"))

    async def cut(_: object) -> Any:
        yield TextDelta("The seas ")
        raise ProviderError("truncated", "cut")

    world.provider.stream = cut  # type: ignore[assignment]  # proposals are not streamed, the merge is
    with pytest.raises(ProviderError):
        await world.carry_out(run)
    assert [stage.status for stage in run.stages] == ["ok"] * 4 + ["failed"]


async def test_only_the_merged_answer_is_streamed() -> None:
    world = panel(*map(says, SEAS))
    verdict, run = await world.perform(merge(stream=True), profile("chat"))
    shown = streamed(world.events)
    assert run.streamed
    assert shown == verdict.candidate.text


async def test_the_proposers_work_at_the_same_time() -> None:
    world = panel(*(says(sea, latency_ms=250) for sea in SEAS))
    began = time.perf_counter()
    _, run = await world.perform(merge(), profile("chat"))
    assert world.provider.most == 3
    took = time.perf_counter() - began
    assert 0.5 <= took < 0.9  # a round of proposals and a merge; four calls in a row would take 1.0
    assert all(stage.started_ms < 100 for stage in run.stages[:3])


async def test_the_order_of_the_proposals_is_a_matter_of_the_seed() -> None:
    async def order(seed: int) -> str | None:
        _, run = await panel(*map(says, SEAS)).perform(merge(seed=seed), profile("chat"))
        return run.stages[3].note

    orders = [await order(seed) for seed in range(6)]
    assert len(set(orders)) > 1
    assert orders == [await order(seed) for seed in range(6)]


def layered(*later: Any, first: tuple[str, ...] = SEAS) -> World:
    """Three proposers whose answers after the first layer, then the merge, come one by one."""
    replies = iter(later)
    return World.told(by_kind(dict(zip("abc", first, strict=True)), aggregate=lambda _: next(replies)), *"abc")


async def test_a_second_layer_answers_again_having_read_the_first() -> None:
    world = layered("one", "two", "three", "merged")
    verdict, run = await world.perform(merge(layers=2), profile("chat"))
    assert kinds(world, run) == ["propose"] * 6 + ["vote", "aggregate"]
    assert verdict.candidate.text == "merged"
    assert [call.model.id for call in world.provider.calls[3:6]] == ["a", "b", "c"]
    assert all(sorted(shown(call)) == sorted(SEAS) for call in world.provider.calls[3:6])
    assert sorted(shown(world.provider.calls[6])) == ["one", "three", "two"]
    assert {tuple(sorted(stage.parents)) for stage in run.stages[3:6]} == {(0, 1, 2)}


async def test_a_layer_shows_its_answers_in_an_order_that_the_trace_keeps() -> None:
    world = layered("one", "two", "three", "merged")
    _, run = await world.perform(merge(layers=2, seed=3), profile("chat"))
    read = [next(s for s in run.stages if s.i == i).completion for i in run.stages[3].parents]
    assert [done.text for done in read if done] == shown(world.provider.calls[3])
    order = ",".join(str(i) for i in run.stages[3].parents)
    assert {stage.note for stage in run.stages[3:6]} == {f"order {order}"}


async def test_every_layer_is_asked_for_a_comparable_last_line() -> None:
    sums = ("Final answer: 391", "Final answer: 401", "Final answer: 381")
    world = layered("Final answer: 1", "Final answer: 2", "Final answer: 3", "x", first=sums)
    await world.perform(merge(SUM, layers=2))
    assert all("Final answer: <answer>" in call.messages[-1].content for call in world.provider.calls[:6])


async def test_layers_end_as_soon_as_a_closed_question_is_unanimous() -> None:
    sums = ("Final answer: 391", "Final answer: 401", "Final answer: 381")
    world = layered(*["Final answer: 391"] * 3, first=sums)
    verdict, run = await world.perform(merge(SUM, layers=3))
    assert kinds(world, run) == ["propose"] * 6 + ["vote"]
    assert verdict.candidate.text == "Final answer: 391"


async def test_a_layer_that_fails_leaves_the_one_before_it_standing_and_that_is_said() -> None:
    world = layered(FAILS, FAILS, FAILS, "merged")
    verdict, run = await world.perform(merge(layers=2), profile("chat"))
    assert (verdict.candidate.text, run.degraded) == ("merged", ["layer_failed"])
    assert sorted(shown(world.provider.calls[-1])) == sorted(SEAS)
    assert kind_of(world.provider.calls[-1]) == "aggregate"
