"""The first step of every panel, and when it is also the last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scripted_models import FAILS, SUM, World, ask, model, says

from prysm.core.chat import Message
from prysm.errors import AllModelsFailed
from prysm.scoring import score_votes
from prysm.strategies.proposals import propose, settled, standing

if TYPE_CHECKING:
    from prysm.core.plan import StrategyName

RIGHT, WRONG = says("Final answer: 391"), says("Final answer: 401")
PANEL = ask(SUM, strategy="ensemble_moa", models=("a", "b", "c"))


async def test_everyone_is_asked_at_once_and_for_a_comparable_last_line() -> None:
    world = World(dict.fromkeys("abc", says("Final answer: 391", latency_ms=30)))
    proposals = await propose(world.prepare(PANEL))
    assert [c.model.id for c in proposals] == ["a", "b", "c"]
    assert world.provider.most == 3
    assert all("Final answer: <answer>" in call.messages[-1].content for call in world.provider.calls)


async def test_a_later_step_asks_its_own_question_in_the_same_way_and_names_what_it_read() -> None:
    world = World(dict.fromkeys("abc", RIGHT))
    run = world.prepare(PANEL)
    await propose(run, [Message("system", "Think again."), Message("user", SUM)], (0, 1))
    assert all(call.messages[0].content == "Think again." for call in world.provider.calls)
    assert all("Final answer: <answer>" in call.messages[-1].content for call in world.provider.calls)
    assert {stage.parents for stage in run.stages} == {(0, 1)}


async def test_who_fails_is_missing_and_that_is_said() -> None:
    run = World({"a": RIGHT, "b": FAILS, "c": RIGHT}).prepare(PANEL)
    assert [c.model.id for c in await propose(run)] == ["a", "c"]
    assert run.degraded == ["partial:2 of 3 proposals"]
    with pytest.raises(AllModelsFailed):
        await propose(World(dict.fromkeys("abc", FAILS)).prepare(PANEL))


@pytest.mark.parametrize("strategy", ["ensemble_moa", "blender", "debate"])
async def test_the_only_proposal_left_is_no_consensus_where_one_was_asked_for(strategy: str) -> None:
    on = World({"a": RIGHT, "b": FAILS})
    asked = {"strategy": strategy, "models": ("a", "b")}
    for rule in ({"consensus_threshold": 0.9}, {"consensus": "expert"}):
        verdict, run = await on.perform(ask(SUM, **asked, **rule))
        assert run.degraded == ["partial:1 of 2 proposals", "no_consensus"]
        assert verdict.candidate.model.id == "a"
    _, run = await on.perform(ask(SUM, **asked))
    assert "no_consensus" not in run.degraded


@pytest.mark.parametrize(("samples", "due"), [(2, False), (3, True)])
async def test_samples_of_one_model_settle_a_question_from_three_on(samples: int, due: bool) -> None:
    run = World({"a": RIGHT}, [model("a", 0.9)]).prepare(ask(SUM, strategy="ensemble_moa", k=samples))
    proposals = await propose(run)
    assert settled(proposals, score_votes(proposals, run.plan.profile, SUM)) is due


async def test_an_answer_stands_with_the_vote_or_alone_against_it() -> None:
    run = World({"a": RIGHT, "b": RIGHT, "c": WRONG}).prepare(PANEL)
    heard = await propose(run)
    ballot = score_votes(heard, run.plan.profile, SUM)
    assert standing(run, heard[1], heard, ballot) == ballot.score
    against = standing(run, heard[2], heard, ballot)
    assert (against.agreement, against.clusters) == (ballot.score.agreement, ballot.score.clusters)
    assert against.confidence != ballot.score.confidence


@pytest.mark.parametrize("strategy", ["ensemble_moa", "debate", "blender"])
async def test_a_panel_of_which_one_failed_answers_says_so_and_is_less_sure(strategy: StrategyName) -> None:
    scores = []
    for third in (says("391"), FAILS):
        weak = [model(name, 0.4) for name in "abc"]  # strong ones reach the cap of two as of three
        world = World({"a": says("391"), "b": says("391"), "c": third}, weak)
        verdict, run = await world.perform(ask(strategy=strategy, models=("a", "b", "c")))
        scores.append((verdict.score.confidence or 0.0, run.degraded))
    assert scores[1][0] < scores[0][0]
    assert [degraded for _, degraded in scores] == [[], ["partial:2 of 3 proposals"]]


async def test_a_pair_waits_for_a_model_that_usually_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prysm.strategies.fan_out.MIN_PATIENCE_S", 0.01)
    for usual_ms, due in ((40, ["a", "b"]), (1, ["a"])):
        slow = model("b", latency_ms=usual_ms)
        on = World({"a": RIGHT, "b": says("Final answer: 391", latency_ms=100)}, [model("a"), slow])
        run = on.prepare(ask(SUM, strategy="ensemble_moa", models=("a", "b")))
        assert [c.model.id for c in await propose(run)] == due
