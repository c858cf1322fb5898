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
        do = r"do\." if " and " in " and ".join(READ_BY[name]) else r"does\."
        with pytest.raises(UnsupportedParameter, match=f"{strategy} does not read '{name}'; .* {do}") as caught:
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


@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("pinned", [None, "a"])
def test_one_model_alone_says_what_it_does_not_read(pinned: str | None, name: str) -> None:
    assert plan(pinned=pinned, **said(name)).degraded == (f"unused:{name}",)


@pytest.mark.parametrize(
    ("asked", "unused"),
    [
        ({"strategy": "ensemble_moa", "k": 2, "models": ("a", "b", "c")}, ("unused:k",)),
        ({"strategy": "cascade", "k": 2, "models": ("a", "b", "c")}, ("unused:k",)),
        ({"strategy": "debate", "k": 3, "models": ("a", "b", "c")}, ()),
        ({"strategy": "self_consistency", "k": 2, "samples": 3}, ("unused:k",)),
        ({"strategy": "self_consistency", "k": 3, "samples": 3}, ()),
        ({"strategy": "self_consistency", "k": 3, "models": ("a", "b")}, ()),
    ],
)
def test_a_width_that_something_else_decides_is_said_to_be_unused(
    asked: dict[str, Any], unused: tuple[str, ...]
) -> None:
    assert plan(**asked).degraded == unused


def test_nobody_is_an_aggregator_of_a_list_that_is_put_side_by_side() -> None:
    models = [model("a", 0.5), model("b", 0.9)]
    on, forced = World({m.id: says("1") for m in models}, models), {"strategy": "decompose_and_route"}
    listed = on.plan(ask("1. How deep is the sea?\n2. How salty is water?", aggregator="a", **forced))
    assert listed.degraded == ("unused:aggregator",)
    told = on.plan(ask("Tell me how deep the sea is, and then how salty.", aggregator="a", **forced))
    assert told.degraded == ("weak_aggregator",)


def test_every_option_that_not_all_strategies_read_is_listed() -> None:
    listed = {name.removesuffix("_model") for name in READ_BY}
    assert listed <= {field.name for field in fields(ChatRequest)}
    assert all(set(readers) < set(STRATEGIES) for readers in READ_BY.values())
