"""What a plan may spend: said before, held while it runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.scripted_models import FAILS, REFUSES, SUM, USD, World, ask, model, profile, says

from prysm.core.account import account
from prysm.core.content import ToolCall
from prysm.core.model import Price
from prysm.core.plan import STRATEGIES
from prysm.core.tools import ResponseFormat, Tool, Toolbox
from prysm.errors import BudgetExceeded, InvalidRequest, PrysmError
from prysm.planner import budget
from prysm.planner.options import READ_BY
from prysm.planner.pool import MIN_OUTPUT_TOKENS
from prysm.providers.sandbox import SandboxProfile
from prysm.strategies import blender, decompose_and_route, judge

if TYPE_CHECKING:
    from prysm.core.model import Model
    from prysm.core.plan import ChatRequest, Plan

LIST = "For a class of ten:\n1. Write a haiku about the sea.\n2. What is 17 * 23?\n3. Translate 'sea' into French."
SIX_PARTS = orjson.dumps(
    {"subtasks": [{"task": f"{word} the sea", "needs": list(range(i))} for i, word in enumerate("abcdef")]}
).decode()
DEAR = Price(USD, 10 * USD)
LONG = says("The sea is wide and deep. " * 400 + "Final answer: 391")


def pool(*names: str, price: Price = DEAR, **more: Any) -> World:
    models = [model(name, price=price, **more) for name in names]
    return World(dict.fromkeys(names, LONG), models)


def plan(world: World, **more: Any) -> Plan:
    return world.plan(ask(**more))


def test_without_a_ceiling_nothing_is_cut() -> None:
    free = plan(pool("a", "b", "c"), strategy="ensemble_moa", k=3)
    assert (len(free.models), free.max_tokens, free.degraded) == (3, None, ())


def test_the_expected_cost_is_one_usual_call_each_and_the_strong_model_only_sometimes() -> None:
    one = plan(pool("a")).estimate.cost_expected_nano
    ladder = plan(pool("a", "b", "c"), strategy="cascade").estimate
    assert one == 40 * 1_000 + 300 * 10_000  # tokens of the prompt and of a usual math answer, nano-dollars each
    assert (ladder.calls_max, ladder.cost_expected_nano) == (3, round(2.4 * one))


def test_a_call_of_unknown_price_makes_the_whole_estimate_unknown() -> None:
    world = World({"a": LONG, "b": LONG}, [model("a"), model("b", price=Price(input=1))])
    told = world.plan(ask(strategy="ensemble_moa", models=("a", "b"))).estimate
    assert (told.cost_max_nano, told.cost_expected_nano) == (None, None)


def test_a_ceiling_caps_the_output_first() -> None:
    capped = plan(pool("a"), max_cost_nano=5_000_000)
    assert capped.degraded == ("output_capped",)
    assert capped.max_tokens is not None
    assert MIN_OUTPUT_TOKENS < capped.max_tokens < 4096
    assert 4_980_000 < (capped.estimate.cost_max_nano or 0) <= 5_000_000


def test_a_ceiling_that_is_far_away_changes_nothing_that_is_said() -> None:
    assert plan(pool("a"), max_cost_nano=USD).degraded == ()


def test_then_it_narrows_the_plan() -> None:
    narrow = plan(pool("a", "b", "c"), strategy="ensemble_moa", k=3, max_cost_nano=13_000_000)
    assert (len(narrow.models), narrow.degraded) == (2, ("output_capped", "narrowed_to_budget"))
    assert narrow.reason.endswith("Cut to fit max_cost_usd.")


def test_an_output_cap_the_caller_set_is_never_lowered() -> None:
    kept = plan(pool("a"), strategy="self_consistency", samples=8, max_tokens=1_000, max_cost_nano=50_000_000)
    assert (kept.max_tokens, kept.samples, kept.degraded) == (1_000, 4, ("narrowed_to_budget",))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_below_the_smallest_plan_the_request_is_refused_with_what_it_would_take(strategy: str) -> None:
    with pytest.raises(
        BudgetExceeded, match=r"may cost up to \$0\.0\d+, over max_cost_usd = \$0\.000001"
    ) as caught:
        plan(pool("a", "b"), strategy=strategy, max_cost_nano=1_000)
    assert (caught.value.status, caught.value.param) == (402, "max_cost_usd")


def test_a_free_model_fits_under_a_ceiling_of_nothing() -> None:
    free = plan(pool("a", price=Price(0, 0)), max_cost_nano=0)
    assert (free.estimate.cost_max_nano, free.degraded) == (0, ())


def test_under_a_ceiling_a_model_of_unknown_price_is_left_out() -> None:
    world = World({"a": LONG, "b": LONG}, [model("a", price=Price()), model("b")])
    bounded = world.plan(ask(max_cost_nano=USD))
    assert [m.id for m in bounded.models] == ["b"]
    assert bounded.alternatives[0].why_not == "its price is unknown, so no ceiling could be kept"
    with pytest.raises(InvalidRequest, match="its price is unknown"):
        world.plan(ask(pinned="a", max_cost_nano=USD))


def test_an_estimate_counts_the_calls_that_stand_in_for_failed_ones() -> None:
    world = pool("a", "b", "c")
    assert plan(world, routing_mode="agility").estimate.calls_max == 3  # the model and two fallbacks
    assert plan(world, strategy="ensemble_moa", k=2).estimate.calls_max == 4  # a second aggregator


async def test_the_cap_goes_out_with_every_call() -> None:
    world = pool("a", "b")
    _, run = await world.perform(ask(strategy="ensemble_moa", max_cost_nano=20_000_000))
    assert run.plan.max_tokens is not None
    assert {call.sampling.max_tokens for call in world.provider.calls} == {run.plan.max_tokens}


async def test_a_model_that_can_say_less_than_the_cap_is_asked_for_no_more_than_it_can() -> None:
    world = World({"a": LONG}, [model("a", max_output_tokens=300)])
    await world.perform(ask(max_tokens=5_000))
    assert world.provider.calls[0].sampling.max_tokens == 300


async def test_a_fallback_over_the_ceiling_is_not_asked() -> None:
    dear = model("dear", price=Price(1000 * USD, 1000 * USD))
    world = World({"a": FAILS, "dear": LONG}, [model("a", price=DEAR), dear])
    with pytest.raises(PrysmError) as caught:
        await world.perform(ask(pinned="a", fallback=("dear",), max_cost_nano=10_000_000))
    assert [call.model.id for call in world.provider.calls] == ["a"]
    assert caught.value.code == "all_models_failed"


prices = st.one_of(
    st.none(), st.integers(0, 5), st.integers(0, 100 * USD), st.sampled_from((USD, 333_333_333, 15 * USD))
)
scripts = st.sampled_from(
    (
        LONG,
        says("Final answer: 391"),
        says("Final answer: 401"),
        REFUSES,
        FAILS,
        SandboxProfile(fails_with="truncated"),
        SandboxProfile(fails_with="auth"),
        SandboxProfile({"default": 0.6}),
        says("[[A]]"),
        says("[[C]]"),
        says(SIX_PARTS),
        says('{"n": 391}'),
        says('{"n": "391"}'),
        SandboxProfile(answer="", tool_calls=(ToolCall("x", "add", '{"n": 1}'),)),
        SandboxProfile(answer="", tool_calls=(ToolCall("x", "add", '{"n": 2}'),)),
        SandboxProfile(answer="", tool_calls=(ToolCall("x", "add", '{"n": "1"}'),)),
    )
)
A_NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
shapes: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    (
        {},
        {"toolbox": Toolbox((Tool("add", "Add up", A_NUMBER),))},
        {"toolbox": Toolbox((Tool("add", "Add up", A_NUMBER),), "required")},
        {"response_format": ResponseFormat("json_schema", "sum", A_NUMBER)},
        {"response_format": ResponseFormat("json_object")},
    )
)


@dataclass(frozen=True)
class Case:
    """A pool, what its models do, and what is asked of them."""

    models: list[Model]
    scripts: list[SandboxProfile]
    request: ChatRequest


@st.composite
def pools(draw: st.DrawFn) -> list[Model]:
    return [
        model(
            f"m{i}",
            draw(st.sampled_from((0.5, 0.7, 0.75, 0.9))),
            Price(draw(prices), draw(prices), reasoning=draw(prices), cache_write=draw(prices)),
            family=draw(st.sampled_from(("x", "y", "z"))),
            max_output_tokens=draw(st.sampled_from((None, 256, 2_000))),
            capabilities=frozenset({"tools", "json_schema"}),
        )
        for i in range(draw(st.integers(1, 4)))
    ]


def ways_to_ask(names: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """One model, named or not, or a policy's choice."""
    return st.one_of(
        st.just({}),
        st.fixed_dictionaries({"pinned": st.sampled_from(names)}),
        st.fixed_dictionaries({"policy": st.sampled_from(("efficiency", "balanced", "depth"))}),
    )


def widths(strategy: str, names: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """What a caller may say about a strategy."""
    said = {
        "k": st.sampled_from((None, 1, 2, 4)),
        "judge_model": st.sampled_from((None, names[-1])),
        "aggregator": st.sampled_from((None, names[0])),
        "rounds": st.sampled_from((None, 1, 3)),
        "layers": st.sampled_from((None, 2, 3)),
    }
    read = {name.removesuffix("_model"): values for name, values in said.items() if strategy in READ_BY[name]}
    return st.fixed_dictionaries({"models": st.sampled_from(((), names)), **read})


@st.composite
def cases(draw: st.DrawFn, strategy: str | None = None) -> Case:
    models = draw(pools())
    names = tuple(m.id for m in models)
    asked = draw(ways_to_ask(names)) if strategy is None else {"strategy": strategy} | draw(widths(strategy, names))
    request = ask(
        draw(st.sampled_from((SUM, LIST, "Tell me about the sea. " * 50, "Wie heißt die Hauptstadt Österreichs?"))),
        max_tokens=draw(st.sampled_from((None, 20, 700, 10_000))),
        max_cost_nano=draw(st.one_of(st.none(), st.integers(0, 10**6), st.integers(0, 10 * USD))),
        seed=draw(st.integers(0, 3)),
        fallback=draw(st.sampled_from(((), names[-1:]))),
        **asked,
        **draw(shapes),
    )
    return Case(models, draw(st.lists(scripts, min_size=len(names), max_size=len(names))), request)


@settings(max_examples=100, deadline=None)
@given(cases(), st.sampled_from(("math", "chat")), st.sampled_from(("trivial", "normal", "hard")))
def test_no_run_costs_more_than_was_said_or_allowed(case: Case, task: str, difficulty: str) -> None:
    never_over(case, task, difficulty)


@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_strategy_makes_more_calls_or_costs_more_than_was_said_or_allowed(
    strategy: str, data: st.DataObject
) -> None:
    never_over(data.draw(cases(strategy)), data.draw(st.sampled_from(("math", "chat"))))


def never_over(case: Case, task: str, difficulty: str = "normal") -> None:
    world = World(dict(zip([m.id for m in case.models], case.scripts, strict=True)), case.models)
    try:
        run = world.prepare(case.request, profile(task, difficulty))
    except (BudgetExceeded, InvalidRequest):
        return
    asyncio.run(attempt(world, run))
    spent, told = account(run.stages).total_nano, run.plan.estimate
    assert len(world.provider.calls) <= told.calls_max
    if told.cost_max_nano is not None:
        assert spent is not None
        assert spent <= told.cost_max_nano
    if case.request.max_cost_nano is not None:
        assert spent is not None
        assert spent <= case.request.max_cost_nano


async def attempt(world: World, run: Any) -> None:
    try:
        await world.carry_out(run)
    except PrysmError:
        assert run.stages


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(STRATEGIES), st.integers(256, 2_000), st.sampled_from((SUM, "¿Cuánto es 2 + 2?")))
def test_a_plan_that_fits_its_ceiling_to_the_cent_runs_whole(strategy: str, cap: int, prompt: str) -> None:
    free = pool("a", "b").plan(ask(prompt, strategy=strategy, max_tokens=cap))
    world = World({"a": LONG, "b": says("x" * 99_000)}, [model("a", price=DEAR), model("b", price=DEAR)])
    ceilings = (None, free.estimate.cost_max_nano)
    runs = [world.prepare(ask(prompt, strategy=strategy, max_tokens=cap, max_cost_nano=most)) for most in ceilings]
    for run in runs:
        asyncio.run(attempt(world, run))
    unbounded, bounded = runs
    assert bounded.degraded == unbounded.degraded
    assert [stage.kind for stage in bounded.stages] == [stage.kind for stage in unbounded.stages]


def test_no_plan_may_cost_more_than_its_ceiling_stand_ins_included() -> None:
    bounded = plan(pool("a", "b", "c"), max_cost_nano=5_000_000)
    assert (len(bounded.fallbacks), bounded.estimate.cost_max_nano) == (2, 5_000_000)


@pytest.mark.parametrize(
    ("strategy", "more", "calls"),
    [
        ("self_consistency", {"samples": 4}, 4),
        ("cascade", {}, 3),
        ("ensemble_moa", {"k": 3}, 3 + 1 + 1),  # proposals, a merge, and who merges when that fails
        ("ensemble_moa", {"k": 3, "layers": 3}, 9 + 1 + 1),
        ("blender", {"k": 3}, 3 + 6 + 1 + 2),  # proposals, pairs in both orders, a fusion, the check in both orders
        ("debate", {"k": 3}, 6),
        ("debate", {"k": 3, "rounds": 4, "judge": "a"}, 12 + 2),  # two to settle a tie
        (
            "decompose_and_route",
            {},
            2 + 6 + 2 + 2 * 6,
        ),  # plan, parts, synthesis, a repair of each; two stand-ins a part
    ],
)
def test_a_plan_says_how_many_calls_it_may_make(strategy: str, more: dict[str, Any], calls: int) -> None:
    assert plan(pool("a", "b", "c"), strategy=strategy, **more).estimate.calls_max == calls


@pytest.mark.parametrize(
    ("strategy", "calls"),
    [
        ("single", 2 + 2 * 2),
        ("self_consistency", 10),
        ("cascade", 6),
        ("ensemble_moa", 6 + 2 + 2),
        ("blender", 6 + 6 + 2 + 2),
        ("debate", 12),
    ],
)
def test_it_counts_a_repair_of_every_answer_that_must_fit_a_format(strategy: str, calls: int) -> None:
    asked: dict[str, Any] = {} if strategy in {"single", "self_consistency", "cascade"} else {"k": 3}
    form = ResponseFormat("json_object")
    assert plan(pool("a", "b", "c"), strategy=strategy, response_format=form, **asked).estimate.calls_max == calls


@pytest.mark.parametrize(
    ("strategy", "more", "left"),
    [
        ("self_consistency", {"samples": 8}, (1, 2, 1, 1)),
        ("cascade", {}, (1, 1, 1, 1)),
        ("ensemble_moa", {"k": 3, "layers": 3}, (2, 1, 1, 1)),
        ("blender", {"k": 3}, (2, 1, 1, 1)),
        ("debate", {"k": 3, "rounds": 4}, (2, 1, 1, 1)),
    ],
)
def test_each_strategy_narrows_to_its_smallest_plan_before_it_is_refused(
    strategy: str, more: dict[str, Any], left: tuple[int, ...]
) -> None:
    world = pool("a", "b", "c")
    asked: dict[str, Any] = {"strategy": strategy, "max_tokens": 500, **more}
    low, high = 0, plan(world, **asked).estimate.cost_max_nano or 0
    while low < high:  # the least ceiling that is not refused
        middle = (low + high) // 2
        try:
            plan(world, max_cost_nano=middle, **asked)
            high = middle
        except BudgetExceeded:
            low = middle + 1
    least = plan(world, max_cost_nano=low, **asked)
    assert (len(least.models), least.samples, least.rounds, least.layers) == left
    assert least.degraded == ("narrowed_to_budget",)


def test_fewer_rounds_and_layers_go_before_fewer_models() -> None:
    for strategy, more in (("debate", {"rounds": 3}), ("ensemble_moa", {"layers": 3})):
        asked: dict[str, Any] = {"strategy": strategy, "k": 3, "max_tokens": 500, **more}
        whole = plan(pool("a", "b", "c"), **asked)
        narrow = plan(pool("a", "b", "c"), max_cost_nano=(whole.estimate.cost_max_nano or 0) // 2, **asked)
        assert len(narrow.models) == 3
        assert (narrow.rounds, narrow.layers) < (whole.rounds, whole.layers)


def test_a_narrowed_ladder_keeps_the_strong_model_before_a_second_cheap_one_and_says_who_is_left() -> None:
    cheap = [model(name, 0.6, Price(USD, USD), tier="small") for name in ("near", "next")]
    world = World(dict.fromkeys(("near", "next", "top"), LONG), [*cheap, model("top", 0.9, DEAR, tier="strong")])
    asked: dict[str, Any] = {"strategy": "cascade", "max_tokens": 500}
    whole = plan(world, **asked)
    assert [m.id for m in whole.models] == ["near", "next", "top"]
    least = (whole.estimate.cost_max_nano or 0) - 1
    narrow = plan(world, max_cost_nano=least, **asked)
    assert [m.id for m in narrow.models] == ["near", "top"]
    assert "cheap first (Near), Top if they leave doubt. Cut" in narrow.reason
    cheapest = plan(world, max_cost_nano=(narrow.estimate.cost_max_nano or 0) // 2, **asked)
    assert [m.id for m in cheapest.models] == ["near", "next"]
    assert "Top" not in cheapest.reason


def test_a_list_that_the_caller_wrote_is_priced_and_told_as_what_it_takes() -> None:
    world = pool("a", "b")
    listed = world.plan(ask(LIST, strategy="decompose_and_route"))
    assert listed.estimate.calls_max == 3 + 3  # a part each, and a stand-in for each
    assert listed.reason.endswith(
        "each of the 3 parts goes to the best of 2 models, their answers are put side by side."
    )
    usual = world.plan(ask(strategy="decompose_and_route"))
    assert (listed.estimate.cost_max_nano or 0) < (usual.estimate.cost_max_nano or 0) // 6
    assert usual.reason.endswith("puts them together.")


def test_a_ceiling_that_a_written_list_fits_drops_no_model() -> None:
    dear = model("dear", 0.9, Price(USD, 2 * USD))
    world = World({"a": LONG, "dear": LONG}, [model("a"), dear])
    kept = world.plan(ask(LIST, strategy="decompose_and_route", max_cost_nano=USD // 20))
    assert (len(kept.models), "narrowed_to_budget" in kept.degraded) == (2, False)


def test_a_narrowed_decomposition_lets_the_best_of_what_is_left_put_it_together() -> None:
    cheap, dear = model("cheap", 0.6, Price(USD // 10, USD // 10)), model("dear", 0.9, Price(50 * USD, 90 * USD))
    world = World({"cheap": LONG, "dear": LONG}, [cheap, dear])
    asked: dict[str, Any] = {"strategy": "decompose_and_route", "max_tokens": 500}
    assert plan(world, **asked).aggregator is dear
    narrow = plan(world, max_cost_nano=USD // 50, **asked)
    assert (narrow.models, narrow.aggregator) == ((cheap,), None)
    with pytest.raises(BudgetExceeded):
        plan(world, max_cost_nano=USD // 50, aggregator="dear", **asked)


def test_the_planner_and_the_strategies_count_the_same() -> None:
    assert budget.TRIES_A_PART == decompose_and_route.TRIES
    assert budget.FUSED_AT_MOST == blender.TOP
    assert budget.BOTH_ORDERS == judge.BOTH_ORDERS
