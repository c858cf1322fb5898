"""Which models a plan uses, which it leaves out, and why."""

from __future__ import annotations

import time
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from tests.scripted_models import USD, World, ask, model, profile, says

from prysm.core.model import Price
from prysm.core.provider import ProviderSpec, Standing
from prysm.errors import InvalidRequest, NoProviderAvailable, NotFound
from prysm.planner import Planner
from prysm.registry.catalog import Catalog

if TYPE_CHECKING:
    from prysm.core.model import Model
    from prysm.core.plan import ChatRequest, Plan

SMALL = model("small", 0.55, Price(USD // 10, USD // 5), tier="small")
MID = model("mid", 0.70, Price(USD, 4 * USD))
STRONG = model("strong", 0.90, Price(5 * USD, 25 * USD), tier="strong")


def world(*models: Model, **fallbacks: tuple[str, ...]) -> World:
    return World({m.id: says("1") for m in models}, models, fallbacks)


def names(models: tuple[Model, ...]) -> list[str]:
    return [m.id for m in models]


def routed(mode: str, difficulty: str = "normal") -> Plan:
    return world(SMALL, MID, STRONG).plan(ask(routing_mode=mode), profile("chat", difficulty))


def test_routing_pays_for_quality_as_the_mode_says() -> None:
    assert [routed(mode).models[0].id for mode in ("agility", "quality")] == ["small", "strong"]
    assert routed("agility").mode == "agility"


def test_everyone_can_do_a_trivial_prompt_so_the_cheap_one_does() -> None:
    assert routed("balanced", "trivial").models[0].id == "small"


def test_routing_does_not_depend_on_chance_or_on_the_order_of_the_catalog() -> None:
    plans = [
        world(*order).plan(ask(), profile("chat")) for order in permutations((SMALL, MID, STRONG)) for _ in range(2)
    ]
    assert len({(plan.models[0].id, plan.reason) for plan in plans}) == 1


def test_the_reason_says_task_difficulty_model_and_price() -> None:
    plan = world(SMALL).plan(ask(), profile("code", "hard"))
    assert plan.reason == (
        "A hard code prompt: Small gives the best balanced value (expected quality 0.55, about $0.000104)."
    )


def test_every_alternative_says_why_it_lost() -> None:
    never = model("never", price=Price(1, 1), context_window=100)
    plan = world(SMALL, MID, STRONG, never).plan(ask(routing_mode="quality"), profile("chat", prompt_tokens=5_000))
    reasons = {row.model.id: row.why_not for row in plan.alternatives}
    assert plan.models == (STRONG,)
    assert reasons["mid"] == "expected quality 0.14 lower"
    assert reasons["never"] == "its context of 100 tokens is too short"
    cheap = routed("agility")
    assert cheap.alternatives[0].why_not.startswith("only 0.")
    assert all(row.est_cost_nano is not None for row in cheap.alternatives)


def test_every_model_of_a_large_catalog_is_explained() -> None:
    many = [model(f"m{i}", 0.3 + i / 100, Price(USD, (i + 1) * USD)) for i in range(28)]
    never = [model(f"never{i}", 0.9, never="chat") for i in range(3)]
    plan = world(*many, *never).plan(ask(), profile("chat"))
    explained = {row.model.id for row in plan.alternatives}
    assert explained == {m.id for m in (*many, *never)} - {plan.models[0].id}
    assert all(row.why_not for row in plan.alternatives)


def test_a_model_that_only_a_part_suits_is_in_the_pool_of_a_decomposition_and_leads_nothing() -> None:
    barred = model("barred", 0.99, Price(1, 1), never="chat")
    pool = world(barred, MID)
    split = pool.plan(ask(strategy="decompose_and_route"), profile("chat"))
    assert (set(names(split.models)), split.aggregator) == ({"mid", "barred"}, MID)
    assert pool.plan(ask(strategy="ensemble_moa"), profile("chat")).models == (MID,) * 2
    dear = model("priceless", 0.9, Price(), never="chat")
    bounded = world(dear, MID).plan(ask(strategy="decompose_and_route", max_cost_nano=USD), profile("chat"))
    assert bounded.models == (MID,)


def test_a_better_model_loses_to_a_free_one_because_it_is_not_free() -> None:
    free = model("free", 0.6, Price(0, 0))
    plan = world(free, STRONG).plan(ask(routing_mode="agility"), profile("chat"))
    assert (plan.models, plan.alternatives[0].why_not[-14:]) == ((free,), "it is not free")


def test_a_zero_in_the_catalog_keeps_a_model_from_that_task_only() -> None:
    barred = model("barred", 0.9, Price(1, 1), never="translation")
    pool = world(barred, MID)
    assert pool.plan(ask(), profile("chat")).models == (barred,)
    plan = pool.plan(ask(), profile("translation"))
    assert plan.models == (MID,)
    assert plan.alternatives[0].why_not == "the catalog says never to use it for translation"


def test_a_caller_who_names_a_model_gets_it_whatever_we_think_of_it() -> None:
    barred = model("barred", quality=0.0)
    assert world(barred, MID).plan(ask(pinned="barred")).models == (barred,)
    assert world(barred, MID).plan(ask(strategy="cascade", models=("mid", "barred"))).models == (MID, barred)


def test_a_prompt_that_fits_nowhere_is_the_callers_to_shorten() -> None:
    tight = model("tight", context_window=1_000)
    with pytest.raises(InvalidRequest, match=r"tight: its context of 1000 tokens is too short.*Shorten"):
        world(tight).plan(ask(), profile(prompt_tokens=900))
    assert world(tight).plan(ask(), profile(prompt_tokens=744)).models == (tight,)


def test_named_models_are_all_used_or_the_request_is_refused() -> None:
    tight = model("tight", context_window=1_000)
    with pytest.raises(InvalidRequest, match="tight"):
        world(tight, MID).plan(ask(strategy="ensemble_moa", models=("mid", "tight")), profile(prompt_tokens=5_000))


def test_an_empty_pool_says_how_to_fill_it() -> None:
    planner = Planner(Catalog((), ()), World({}).policies, {})
    with pytest.raises(NoProviderAvailable, match=r"OPENAI_API_KEY.*prysm models pull local"):
        planner.plan(ask(), profile())


def test_a_pinned_model_is_used_as_it_is() -> None:
    plan = world(SMALL, MID, STRONG).plan(ask(pinned="strong"))
    assert (plan.models, plan.mode, plan.forced, plan.fallbacks) == ((STRONG,), "direct", True, ())
    assert plan.reason == "Strong was named by the caller."


def test_a_model_nobody_knows_is_not_found() -> None:
    for request in (ask(pinned="smal"), ask(policy="depth", models=("smal",)), ask(fallback=("smal",))):
        with pytest.raises(NotFound, match="Did you mean small") as caught:
            world(SMALL, MID).plan(request)
        assert caught.value.code == "model_not_found"


def keyless() -> Planner:
    asleep = model("asleep", provider="vendor")
    spec = ProviderSpec("vendor", "openai", api_key_env="VENDOR_API_KEY", needs_key=True)
    return Planner(Catalog((asleep, MID), (spec, ProviderSpec("sandbox", "sandbox"))), World({}).policies, {})


@pytest.mark.parametrize("request_", [ask(pinned="asleep"), ask(policy="depth", models=("asleep", "mid"))])
def test_a_model_without_its_key_names_the_variable_to_set(request_: object) -> None:
    with pytest.raises(NoProviderAvailable, match="'asleep' is known but not live: set VENDOR_API_KEY"):
        keyless().plan(request_, profile())  # type: ignore[arg-type]  # parametrize loses the type


def test_an_aggregator_without_its_key_is_told_apart_from_a_model() -> None:
    with pytest.raises(NoProviderAvailable) as caught:
        keyless().plan(ask(strategy="ensemble_moa", aggregator="asleep"), profile())
    assert caught.value.param == "aggregator"


def test_a_model_that_is_down_points_to_the_list() -> None:
    down = world(SMALL, MID)
    down.planner.catalog.mark_down("mid")
    with pytest.raises(NoProviderAvailable, match="see GET /v1/models"):
        down.plan(ask(pinned="mid"))


def held_back(*ids: str, **chains: tuple[str, ...]) -> World:
    found = world(SMALL, MID, STRONG, **chains)
    for name in ids:
        found.planner.catalog.stand("sandbox", name, Standing("open", live=False, retry_at=time.monotonic() + 9))
    return found


@pytest.mark.parametrize("request_", [ask(pinned="mid"), ask()], ids=["pinned", "all"])
def test_a_refused_key_is_told_as_one(request_: ChatRequest) -> None:
    found = held_back()
    found.planner.catalog.stand("sandbox", None, Standing("open", live=False, retry_at=time.monotonic() + 300))
    with pytest.raises(NoProviderAvailable, match="'sandbox' refused its API key; check the key") as caught:
        found.plan(request_)
    assert "kept failing" not in caught.value.message
    assert caught.value.retry_after_s == pytest.approx(300, abs=1)


@pytest.mark.parametrize(
    ("down", "request_"),
    [(("mid",), ask(pinned="mid")), (("small", "mid", "strong"), ask())],
    ids=["pinned", "all"],
)
def test_what_a_breaker_holds_back_is_named_with_the_time_of_the_next_try(
    down: tuple[str, ...], request_: ChatRequest
) -> None:
    with pytest.raises(NoProviderAvailable, match="tried again in 9 s") as caught:
        held_back(*down).plan(request_)
    assert caught.value.retry_after_s == pytest.approx(9, abs=1)


def test_a_pinned_model_that_is_held_back_stays_first_where_a_chain_stands_in_for_it() -> None:
    for plan in (
        held_back("mid").plan(ask(pinned="mid", fallback=("small",))),
        held_back("mid", mid=("small",)).plan(ask(pinned="mid")),
    ):
        assert (plan.models, plan.fallbacks) == ((MID,), (SMALL,))


def test_routing_passes_over_what_a_breaker_holds_back() -> None:
    plan = held_back("mid").plan(ask(policy="depth"))
    assert MID not in plan.models


def test_the_callers_fallbacks_come_before_the_operators_and_those_before_the_next_best() -> None:
    pool = world(SMALL, MID, STRONG, small=("strong",))
    agile = {"routing_mode": "agility"}
    assert names(pool.plan(ask(fallback=("mid", "small"), **agile), profile("chat")).fallbacks) == ["mid"]
    assert names(pool.plan(ask(**agile), profile("chat")).fallbacks) == ["strong"]
    assert names(world(SMALL, MID, STRONG).plan(ask(**agile), profile("chat")).fallbacks) == ["mid", "strong"]
    assert names(pool.plan(ask(pinned="small")).fallbacks) == ["strong"]


def test_the_baseline_is_the_strongest_model_of_the_pool() -> None:
    assert routed("agility").baseline == STRONG


def test_a_cascade_starts_with_cheap_models_of_different_families_and_ends_with_the_strongest() -> None:
    twin = model("twin", 0.55, Price(USD // 10, USD // 5), family="small")
    plan = world(STRONG, MID, SMALL, twin).plan(ask(strategy="cascade"))
    assert names(plan.models) == ["small", "mid", "strong"]


@pytest.mark.parametrize("task", ["writing", "translation", "analysis", "chat", "code"])
@pytest.mark.parametrize("policy", ["efficiency", "balanced", "depth"])
def test_a_choice_is_put_to_two_cheap_families_whatever_its_task_and_needs_no_judge(policy: str, task: str) -> None:
    kin, fair = model("kin", 0.5, SMALL.price, family="small", tier="small"), model("fair", 0.86)
    pool, read = world(SMALL, kin, fair, STRONG), profile(task)
    letters = ask("Which line scans?\nA) The sea.\nB) A wide grey sea.", policy=policy, strategy="cascade", k=2)
    chosen = pool.plan(letters, read)
    assert (names(chosen.models), chosen.judge) == (["small", "fair", "strong"], None)


def test_the_only_model_of_a_pool_votes_with_itself_instead_of_climbing() -> None:
    plan = world(MID).plan(ask(policy="efficiency"), profile("chat"))
    assert (plan.strategy, plan.samples) == ("self_consistency", 3)
    assert plan.degraded == ("single_model_pool", "strategy_replaced:cascade")
    assert "Mid is the only model, so it is asked 3 times" in plan.reason


@pytest.mark.parametrize("strategy", ["cascade", "ensemble_moa", "blender", "debate"])
def test_a_model_named_alone_answers_alone(strategy: str) -> None:
    plan = world(MID, STRONG).plan(ask(strategy=strategy, models=("mid",)))
    assert (plan.strategy, plan.models, plan.samples) == ("single", (MID,), 1)
    assert plan.degraded == (f"strategy_replaced:{strategy}",)


def test_an_ensemble_leaves_weak_models_out_and_lets_the_strongest_merge() -> None:
    near = model("near", 0.85)
    plan = world(SMALL, near, STRONG).plan(ask(strategy="ensemble_moa"), profile(difficulty="hard"))
    assert (set(names(plan.models)), plan.aggregator) == ({"near", "strong"}, STRONG)


def test_in_an_uneven_pool_the_best_model_proposes_several_times() -> None:
    plan = world(SMALL, STRONG).plan(ask(strategy="ensemble_moa", k=3), profile(difficulty="hard"))
    assert (plan.models, plan.aggregator, plan.degraded) == ((STRONG,) * 3, STRONG, ())


def test_named_models_all_propose_in_their_order_and_no_filter_touches_them() -> None:
    plan = world(SMALL, MID, STRONG).plan(ask(strategy="ensemble_moa", models=("small", "strong", "small")))
    assert (plan.models, plan.aggregator) == ((SMALL, STRONG), STRONG)


def test_the_aggregator_is_the_callers_where_they_named_one() -> None:
    pool = world(SMALL, MID, STRONG)
    for named in ((), ("small", "strong")):
        assert pool.plan(ask(strategy="ensemble_moa", aggregator="mid", models=named)).aggregator == MID


@pytest.mark.parametrize("strategy", ["ensemble_moa", "blender", "decompose_and_route"])
def test_an_aggregator_weaker_than_what_it_is_to_judge_is_used_and_said_to_be_weak(strategy: str) -> None:
    pool = world(SMALL, MID, STRONG)
    weak, strong = (pool.plan(ask(strategy=strategy, aggregator=name)) for name in ("small", "strong"))
    assert (weak.aggregator, weak.degraded) == (SMALL, ("weak_aggregator",))
    assert (strong.aggregator, strong.degraded) == (STRONG, ())


@pytest.mark.parametrize("strategy", ["blender", "debate"])
def test_the_judge_is_the_callers_where_a_strategy_has_one(strategy: str) -> None:
    plan = world(SMALL, MID, STRONG).plan(ask(strategy=strategy, judge="mid", models=("small", "strong")))
    assert plan.judge == MID


def test_a_judge_without_its_key_is_told_apart_from_a_model() -> None:
    with pytest.raises(NoProviderAvailable) as caught:
        keyless().plan(ask(strategy="blender", judge="asleep"), profile())
    assert caught.value.param == "judge_model"


def test_the_blender_fuses_by_the_strongest_and_judges_by_one_that_proposed_nothing() -> None:
    near, nearer = model("near", 0.86), model("nearer", 0.88)
    plan = world(SMALL, near, nearer, STRONG).plan(ask(strategy="blender", k=2), profile("chat"))
    assert plan.aggregator == STRONG
    assert plan.judge is not None
    assert plan.judge not in (*plan.models, SMALL)


def test_a_blender_of_the_whole_pool_judges_by_its_strongest() -> None:
    near = model("near", 0.86)
    plan = world(near, STRONG).plan(ask(strategy="blender", k=2), profile("chat"))
    assert (len(plan.models), plan.judge) == (2, STRONG)


@pytest.mark.parametrize("strategy", ["ensemble_moa", "blender", "debate"])
def test_the_only_model_of_a_pool_makes_up_a_panel_by_itself_and_that_is_said(strategy: str) -> None:
    plan = world(MID).plan(ask(strategy=strategy, k=3), profile("chat"))
    assert (plan.strategy, plan.models, plan.degraded) == (strategy, (MID,) * 3, ("single_model_pool",))


def test_a_decomposition_routes_over_the_pool_and_puts_together_by_the_strongest() -> None:
    plan = world(SMALL, MID, STRONG).plan(ask(policy="efficiency"), profile("chat", compound=True))
    assert (plan.strategy, sorted(names(plan.models))) == ("decompose_and_route", ["mid", "small", "strong"])
    assert plan.aggregator == STRONG
    alone = world(MID).plan(ask(strategy="decompose_and_route"), profile("chat"))
    assert (alone.models, alone.degraded) == ((MID,), ("single_model_pool",))


def test_self_consistency_reads_k_as_samples_when_samples_is_absent() -> None:
    def samples(**more: Any) -> int:
        return world(MID).plan(ask(strategy="self_consistency", **more)).samples

    assert (samples(), samples(k=4), samples(k=4, samples=7)) == (5, 4, 7)


def test_time_is_the_longest_of_parallel_calls_and_the_sum_of_serial_ones() -> None:
    quick, slow = model("quick", latency_ms=100), model("slow", latency_ms=900)
    pool = world(quick, slow)
    both = ("quick", "slow")
    assert pool.plan(ask(strategy="cascade", models=both)).estimate.latency_ms_expected == 1_000
    ensemble = pool.plan(ask(strategy="ensemble_moa", aggregator="quick", models=both))
    assert ensemble.estimate.latency_ms_expected == 1_000
    assert world(MID).plan(ask()).estimate.latency_ms_expected is None


@pytest.mark.parametrize(
    ("strategy", "more", "due"),
    [
        ("blender", {"judge": "quick", "aggregator": "quick"}, 900 + 100 + 100 + 100),
        ("debate", {"rounds": 3}, 3 * 900),
        ("ensemble_moa", {"layers": 2, "aggregator": "quick"}, 2 * 900 + 100),
        ("decompose_and_route", {"aggregator": "quick"}, 100 + 900 + 100),
        ("self_consistency", {}, 100),
    ],
)
def test_time_is_that_of_the_critical_path(strategy: str, more: dict[str, Any], due: int) -> None:
    pool = world(model("quick", latency_ms=100), model("slow", latency_ms=900))
    plan = pool.plan(ask(strategy=strategy, models=("quick", "slow"), **more))
    assert plan.estimate.latency_ms_expected == due


def test_two_stand_ins_are_enough() -> None:
    pool = world(SMALL, MID, STRONG, model("fourth"), model("fifth"))
    assert len(pool.plan(ask(), profile("chat")).fallbacks) == 2


def test_an_unknown_price_counts_as_the_dearest_not_as_free() -> None:
    unpriced = model("unpriced", 0.65, Price())
    plan = world(unpriced, MID).plan(ask(routing_mode="agility"), profile("chat", "hard"))
    assert plan.models == (MID,)
    assert plan.alternatives[0].why_not == "its price is unknown"


def test_a_short_answer_needs_little_room() -> None:
    tight = model("tight", context_window=1_000)
    assert world(tight).plan(ask(max_tokens=50), profile(prompt_tokens=950)).models == (tight,)
    with pytest.raises(InvalidRequest):
        world(tight).plan(ask(max_tokens=51), profile(prompt_tokens=950))
