"""Time narrows the pool first, then the plan, in an order that is stated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.scripted_models import POLICIES, World, ask, model, profile, says

from prysm.planner import deadline
from prysm.planner.crew import Crew, Situation
from prysm.registry.value import Ranked

if TYPE_CHECKING:
    from prysm.core.model import Model
    from prysm.core.plan import Plan

QUICK, BRISK, SLOW = (
    model("quick", 0.6, latency_ms=500),
    model("brisk", 0.86, latency_ms=800),
    model("slow", 0.9, latency_ms=9_000),
)


def plan(*models: Model, task: str = "math", difficulty: str = "hard", **more: Any) -> Plan:
    return World({m.id: says("1") for m in models}, models).plan(ask(**more), profile(task, difficulty))


def test_a_model_that_usually_takes_longer_than_the_deadline_is_left_out_and_that_is_said() -> None:
    assert plan(QUICK, SLOW, routing_mode="quality").models == (SLOW,)
    hurried = plan(QUICK, SLOW, routing_mode="quality", deadline_s=1)
    assert hurried.models == (QUICK,)
    assert [(row.model, row.why_not) for row in hurried.alternatives] == [
        (SLOW, "it usually takes 9000 ms, longer than deadline_s")
    ]
    assert hurried.fallbacks == ()


def test_a_model_whose_time_is_unknown_is_taken_to_make_it() -> None:
    assert plan(QUICK, model("new", 0.9), routing_mode="quality", deadline_s=1).models[0].id == "new"


def test_when_none_usually_makes_it_they_are_tried_all_the_same() -> None:
    tried = plan(SLOW, deadline_s=1)
    assert (tried.models, tried.degraded) == ((SLOW,), ("deadline_tight",))


def test_a_model_that_the_caller_named_is_kept_and_told_to_be_slow() -> None:
    assert plan(QUICK, SLOW, pinned="slow", deadline_s=1).degraded == ("deadline_tight",)
    named = plan(QUICK, SLOW, strategy="ensemble_moa", models=("quick", "slow"), deadline_s=1)
    assert (named.models, named.degraded) == ((QUICK, SLOW), ("deadline_tight",))


@pytest.mark.parametrize(
    ("strategy", "asked", "deadline_s", "left"),
    [
        ("debate", {"rounds": 4}, 2.0, (2, 1)),
        ("debate", {"rounds": 4}, 0.9, (1, 1)),
        ("ensemble_moa", {"layers": 3}, 2.5, (1, 2)),
        ("ensemble_moa", {"layers": 3}, 1.7, (1, 1)),
    ],
)
def test_rounds_and_layers_go_first(
    strategy: str, asked: dict[str, Any], deadline_s: float, left: tuple[int, int]
) -> None:
    twin = model("twin", 0.85, latency_ms=800)
    short = plan(BRISK, twin, strategy=strategy, k=2, deadline_s=deadline_s, **asked)
    assert ((short.rounds, short.layers), len(short.models)) == (left, 2)
    assert short.degraded == ("narrowed_to_deadline",)
    assert short.reason.endswith("Cut to fit deadline_s.")


def test_then_the_slowest_models_go() -> None:
    pool = [model(name, 0.9, latency_ms=ms) for name, ms in (("a", 500), ("b", 1_900), ("c", 600))]
    short = plan(*pool, strategy="debate", k=3, rounds=1, deadline_s=1.95)
    assert len(short.models) == 3
    tight = plan(*pool, strategy="blender", k=3, deadline_s=3)
    assert {m.id for m in tight.models} == {"a", "c"}
    assert "narrowed_to_deadline" in tight.degraded
    assert "B" not in tight.reason.partition("Cut")[0]


def test_a_strategy_that_the_policy_chose_gives_way_to_one_model_and_a_forced_one_does_not() -> None:
    pool = [model(name, 0.9, latency_ms=900) for name in "ab"]
    chosen = plan(*pool, policy="balanced", deadline_s=1)
    assert (chosen.strategy, len(chosen.models)) == ("single", 1)
    assert chosen.degraded == ("strategy_replaced:ensemble_moa", "narrowed_to_deadline")
    assert "answers alone" in chosen.reason
    forced = plan(*pool, strategy="ensemble_moa", deadline_s=1)
    assert (forced.strategy, forced.degraded) == ("ensemble_moa", ("deadline_tight",))


@pytest.mark.parametrize("asked", [{"strategy": "cascade"}, {"policy": "efficiency"}])
@pytest.mark.parametrize(
    ("strong_ms", "deadline_s", "left"),
    [(2_000, 4, "a b st"), (3_000, 3.5, "a b st"), (3_000, 3.25, "a st"), (3_000, 3, "st")],
)
def test_a_ladder_keeps_its_strong_rung_where_that_makes_it(
    asked: dict[str, Any], strong_ms: int, deadline_s: float, left: str
) -> None:
    pool = [
        model("a", 0.6, latency_ms=200),
        model("b", 0.6, latency_ms=400),
        model("st", 0.9, latency_ms=strong_ms),
    ]
    short = plan(*pool, difficulty="normal", deadline_s=deadline_s, **asked)
    assert (short.strategy, " ".join(m.id for m in short.models)) == ("cascade", left)
    assert short.degraded == (() if left == "a b st" else ("narrowed_to_deadline",))


def test_a_strong_rung_that_takes_too_long_by_itself_goes_first() -> None:
    ladder, hurried = Crew("cascade", (QUICK, BRISK, SLOW), ""), ask(strategy="cascade", deadline_s=2)
    ranked = tuple(Ranked(m, 0.5, None) for m in ladder.models)
    situation = Situation(hurried, profile(), POLICIES["balanced"], "balanced", ranked)
    assert deadline.fit(ladder, situation, 2)[0].models == (QUICK, BRISK)


def test_a_deadline_that_leaves_room_changes_nothing() -> None:
    for strategy in ("cascade", "debate", "blender", "ensemble_moa", "decompose_and_route"):
        assert plan(QUICK, BRISK, strategy=strategy, deadline_s=60).degraded == ()


def test_the_pair_of_a_cascade_counts_once() -> None:
    ladder = plan(QUICK, BRISK, SLOW, strategy="cascade")
    assert ladder.estimate.latency_ms_expected == 800 + 9_000
    assert deadline.PAIR == 2
