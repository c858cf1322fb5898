"""Which strategy a policy and a prompt call for, row by row."""

from __future__ import annotations

import pytest
from tests.scripted_models import POLICIES, World, ask, profile, says

from prysm.core.model import TASKS
from prysm.core.plan import STRATEGIES, Policy
from prysm.errors import InvalidRequest
from prysm.planner.table import auto_strategy

POOL = World({"one": says("1"), "two": says("2"), "three": says("3")})
ROWS = [
    ("efficiency", "trivial", "single"),
    ("efficiency", "normal", "cascade"),
    ("efficiency", "hard", "cascade"),
    ("balanced", "trivial", "single"),
    ("balanced", "normal", "cascade"),
    ("balanced", "hard", "ensemble_moa"),
    ("depth", "trivial", "ensemble_moa"),
    ("depth", "normal", "ensemble_moa"),
    ("depth", "hard", "ensemble_moa"),
]
DEBATED = ("reasoning", "math", "analysis")
CELLS = [
    (policy, level, task, "debate" if policy == "depth" and task in DEBATED else due)
    for policy, level, due in ROWS
    for task in TASKS
]


@pytest.mark.parametrize(("policy", "difficulty", "task", "due"), CELLS)
def test_the_table_decides(policy: str, difficulty: str, task: str, due: str) -> None:
    assert auto_strategy(POLICIES[policy], profile(task, difficulty))[0] == due


@pytest.mark.parametrize(("policy", "difficulty", "task", "_due"), CELLS)
def test_a_compound_prompt_comes_before_every_other_row(policy: str, difficulty: str, task: str, _due: str) -> None:
    read = profile(task, difficulty, compound=True)
    assert auto_strategy(POLICIES[policy], read)[0] == "decompose_and_route"


@pytest.mark.parametrize(("words", "due"), [(19, "cascade"), (20, "ensemble_moa")])
def test_twenty_words_make_a_hard_prompt_worth_an_ensemble(words: int, due: str) -> None:
    assert auto_strategy(POLICIES["balanced"], profile("chat", "hard", words=words))[0] == due


@pytest.mark.parametrize(("policy", "difficulty", "task", "due"), CELLS)
@pytest.mark.parametrize("compound", [False, True])
def test_a_plan_runs_what_the_table_says(policy: str, difficulty: str, task: str, due: str, compound: bool) -> None:
    plan = POOL.plan(ask(policy=policy), profile(task, difficulty, compound=compound))
    assert plan.strategy == ("decompose_and_route" if compound else due)
    assert (plan.degraded, plan.forced) == ((), False)
    assert plan.reason.startswith(f"Policy {policy}, ")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_strategy_asked_for_by_name_is_forced(strategy: str) -> None:
    plan = POOL.plan(ask(strategy=strategy), profile("chat", "trivial"))
    assert (plan.strategy, plan.forced, plan.degraded) == (strategy, True, ())


def test_an_unknown_policy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidRequest, match=r"'cheap'.*efficiency, balanced, depth") as caught:
        POOL.plan(ask(policy="cheap"))
    assert caught.value.param == "policy"


def test_a_tuned_policy_keeps_its_rows_and_brings_its_own_bar_and_width() -> None:
    tuned = World(POOL.profiles, policies={**POLICIES, "efficiency": Policy("efficiency", 0.95, 1)})
    plan = tuned.plan(ask(policy="efficiency"), profile("chat", "normal"))
    assert (plan.strategy, plan.policy.bar, len(plan.models)) == ("cascade", 0.95, 2)


@pytest.mark.parametrize(
    ("bar", "due", "mode"),
    [(0.5, "cascade", "agility"), (0.74, "ensemble_moa", "balanced"), (0.99, "ensemble_moa", "quality")],
)
def test_a_new_policy_reads_the_rows_of_the_bar_nearest_to_its_own(bar: float, due: str, mode: str) -> None:
    own = World(POOL.profiles, policies={**POLICIES, "ours": Policy("ours", bar, 2)})
    plan = own.plan(ask(policy="ours"), profile("chat", "hard"))
    assert (plan.strategy, plan.mode, plan.policy.id) == (due, mode, "ours")
