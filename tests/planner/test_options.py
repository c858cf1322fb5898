"""Nothing that a caller says about a strategy is ignored silently."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
from tests.scripted_models import World, ask, model, profile, says

from prysm.core.plan import STRATEGIES, ChatRequest
from prysm.errors import UnsupportedParameter
from prysm.planner.options import READ_BY, WIDTHS

if TYPE_CHECKING:
    from prysm.core.plan import Plan

SAID: dict[str, Any] = {
    "k": 2,
    "samples": 3,
    "rounds": 2,
    "layers": 2,
    "aggregator": "a",
    "judge_model": "a",
    "consensus": "majority",
    "consensus_threshold": 0.9,
}


def plan(**more: Any) -> Plan:
    models = [model(name) for name in "abc"]
    return World({m.id: says("1") for m in models}, models).plan(ask(**more), profile(difficulty="trivial"))


def said(name: str) -> dict[str, Any]:
    return {name.removesuffix("_model"): SAID[name]}


@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_option_is_read_or_said_to_be_unused_or_refused(strategy: str, name: str) -> None:
    asked = {"strategy": strategy, **said(name)}
    if strategy in READ_BY[name]:
        assert f"unused:{name}" not in plan(**asked).degraded
    elif name in WIDTHS:
        assert plan(**asked).degraded == (f"unused:{name}",)
    else:
        with pytest.raises(UnsupportedParameter, match=f"{strategy} does not read '{name}'; .* do") as caught:
            plan(**asked)
        assert (caught.value.code, caught.value.param) == ("unsupported_parameter", name)
        assert all(reader in caught.value.message for reader in READ_BY[name])


@pytest.mark.parametrize("name", SAID)
def test_under_a_policy_an_option_of_another_strategy_is_said_to_be_unused(name: str) -> None:
    chosen = plan(policy="balanced", **said(name))
    assert (chosen.strategy, chosen.degraded) == ("single", (f"unused:{name}",))


def test_a_strategy_that_was_replaced_says_what_nobody_reads_now() -> None:
    alone = plan(strategy="ensemble_moa", models=("a",), layers=2)
    assert alone.degraded == ("strategy_replaced:ensemble_moa", "unused:layers")


def test_every_option_that_not_all_strategies_read_is_listed() -> None:
    listed = {name.removesuffix("_model") for name in READ_BY}
    assert listed <= {field.name for field in fields(ChatRequest)}
    assert all(set(readers) < set(STRATEGIES) for readers in READ_BY.values())
