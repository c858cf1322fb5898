from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from tests.scripted_models import World, ask, model, profile, says

from prysm.accounts.admission import Counting, payer_of, tags_of
from prysm.accounts.allowed import narrowed
from prysm.core.caller import ROOT, Limits
from prysm.core.model import Price
from prysm.errors import BudgetExceeded, Forbidden, NoProviderAvailable

if TYPE_CHECKING:
    from prysm.core.caller import Caller
    from prysm.core.plan import ChatRequest, Plan

A, B, C = (model(name, quality) for name, quality in (("a", 0.6), ("b", 0.7), ("c", 0.9)))
UNPRICED = model("unpriced", 0.6, Price())
WORLD = World({m.id: says("Final answer: 391") for m in (A, B, C, UNPRICED)}, (A, B, C, UNPRICED))
HARD, SOFT = Counting((UUID(int=1), UUID(int=2)), hard=True), Counting((UUID(int=3),))


class Known:
    """The budgets that count every run."""

    def __init__(self, counting: Counting = Counting()) -> None:  # noqa: B008 - it holds nothing
        self.counting = counting

    def budgets(self, _: Caller, __: tuple[str, ...]) -> Counting:
        """Whoever asks."""
        return self.counting


def planned(request: ChatRequest, caller: Caller = ROOT, task: str = "math") -> Plan:
    return WORLD.planner.plan(narrowed(request, caller), profile(task))


def test_a_run_that_nothing_limits_holds_nothing_and_is_not_asked_for() -> None:
    request = ask(pinned="a")
    payer = payer_of(ROOT, request, planned(request), Known())
    assert (payer.limited, payer.held_nano, payer.ceiling_nano) == (False, 0, None)


def test_under_a_hard_budget_a_run_holds_the_worst_of_its_plan_and_may_not_go_beyond_it() -> None:
    request = ask(policy="depth", max_tokens=100)
    plan = planned(request)
    payer = payer_of(ROOT, request, plan, Known(HARD))
    assert payer.limited
    assert payer.held_nano == plan.estimate.cost_max_nano
    assert payer.held_nano > 0
    assert payer.ceiling_nano == payer.held_nano
    assert payer.budgets == HARD.budgets


def test_a_soft_budget_counts_and_caps_nothing() -> None:
    request = ask(pinned="a", max_tokens=100)
    payer = payer_of(ROOT, request, planned(request), Known(SOFT))
    assert payer.limited
    assert payer.held_nano > 0
    assert payer.ceiling_nano is None


def test_an_unknown_price_is_refused_under_a_hard_budget_and_under_credits_and_is_no_matter_otherwise() -> None:
    request = ask(pinned="unpriced")
    plan = planned(request)
    for caller, known in ((ROOT, Known(HARD)), (replace(ROOT, prepaid=True), Known())):
        with pytest.raises(BudgetExceeded, match="no known price") as caught:
            payer_of(caller, request, plan, known)
        assert caught.value.left_nano is None
    assert payer_of(ROOT, request, plan, Known(SOFT)).held_nano == 0
    assert payer_of(ROOT, request, plan, Known()).held_nano == 0


def test_a_rate_of_tokens_counts_the_prompt_and_the_longest_answer_of_every_call_that_is_planned() -> None:
    caller = replace(ROOT, limits=(Limits(uuid4(), None, 1000, None),))
    one, three = ask(pinned="a", max_tokens=60), ask(strategy="ensemble_moa", models=("a", "b", "c"), max_tokens=60)
    assert payer_of(caller, one, planned(one), Known()).tokens == 100
    assert payer_of(caller, three, planned(three), Known()).tokens == 300


def test_metadata_becomes_tags_and_cannot_replace_those_of_the_key() -> None:
    caller = replace(ROOT, tags=("team=red", "pilot"))
    assert tags_of(caller, {"team": "blue", "run": "7"}) == ("team=red", "pilot", "run=7")


def test_under_zero_retention_metadata_is_counted_and_not_kept() -> None:
    asked: list[tuple[str, ...]] = []

    class Watching(Known):
        def budgets(self, _: Caller, tags: tuple[str, ...]) -> Counting:
            """Note the tags."""
            asked.append(tags)
            return self.counting

    caller, request = (
        replace(ROOT, tags=("team=red",)),
        ask(pinned="a", metadata={"who": "me"}, retention_zero=True),
    )
    assert payer_of(caller, request, planned(request), Watching()).tags == ("team=red",)
    assert asked == [("team=red", "who=me")]


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (ask(pinned="c"), "model"),
        (ask(policy="depth", models=("a", "c")), "models"),
        (ask(strategy="blender", aggregator="c"), "aggregator"),
        (ask(strategy="debate", judge="c"), "judge_model"),
        (ask(pinned="a", fallback=("b", "c")), "fallback"),
    ],
)
def test_a_model_that_the_key_does_not_allow_is_refused_wherever_it_is_named(
    request_: ChatRequest, param: str
) -> None:
    caller = replace(ROOT, allowed_models=frozenset({"a", "b"}))
    with pytest.raises(Forbidden, match="limited to a, b") as caught:
        narrowed(request_, caller)
    assert caught.value.param == param


@pytest.mark.parametrize("policy", ["efficiency", "balanced", "depth", None])
def test_a_plan_uses_only_models_that_the_key_allows(policy: str | None) -> None:
    caller = replace(ROOT, allowed_models=frozenset({"a", "b"}))
    plan = planned(ask(policy=policy), caller)
    named = {m.id for m in (*plan.models, *plan.fallbacks, plan.aggregator, plan.judge) if m is not None}
    assert named
    assert named <= {"a", "b"}


def test_where_none_of_the_allowed_models_is_live_the_caller_is_told_so() -> None:
    with pytest.raises(NoProviderAvailable, match="this key allows"):
        planned(ask(), replace(ROOT, allowed_models=frozenset({"gone"})))


def test_a_strategy_that_the_key_does_not_allow_is_refused_when_asked_for_and_replaced_when_a_policy_chose_it() -> (
    None
):
    caller = replace(ROOT, allowed_strategies=frozenset({"cascade"}))
    with pytest.raises(Forbidden, match="limited to cascade"):
        narrowed(ask(strategy="debate"), caller)
    plan = planned(ask(policy="depth"), caller)
    assert plan.strategy == "cascade"
    assert "this key does not allow debate" in plan.reason


def test_one_model_alone_is_a_strategy_too() -> None:
    with pytest.raises(Forbidden, match="'single'"):
        planned(ask(), replace(ROOT, allowed_strategies=frozenset({"cascade"})))


def test_a_key_whose_retention_is_zero_makes_every_request_so() -> None:
    request = narrowed(ask(kept_s=99), replace(ROOT, retention_zero=True))
    assert (request.retention_zero, request.kept_s) == (True, None)
