"""One run's record: every call a stage, with what it cost, whatever became of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import pytest
from tests.scripted_models import OPEN, SUM, World, ask, model, profile, says

from prysm.core.chat import Completion, Message, ModelCall, Sampling, Usage
from prysm.core.events import Delta
from prysm.core.model import Price
from prysm.core.plan import STRATEGIES
from prysm.core.run import Candidate
from prysm.core.tools import ResponseFormat
from prysm.errors import UNBILLED, AllModelsFailed, BudgetExceeded, FailureKind, ProviderError
from prysm.providers.sandbox import SandboxProfile
from prysm.strategies.stages import Pending, counted

if TYPE_CHECKING:
    from prysm.core.events import Event
    from prysm.strategies import Run

CALL = ModelCall(model("a"), (Message("system", "x" * 8), Message("user", "y" * 10)), Sampling(max_tokens=50))
PENDING = Pending(CALL, "answer", 5, (1, 2), 0)


def done(**usage: Any) -> Completion:
    return Completion("z" * 40, "stop", Usage(**usage))


def prepared(prompt: str = SUM, **more: object) -> Run:
    return World({"a": says("391")}).prepare(ask(prompt, **more), profile("chat"))


def test_a_call_the_provider_counted_costs_what_it_counted() -> None:
    stage = PENDING.succeeded(3, 17, done(prompt_tokens=100, completion_tokens=10))
    assert (stage.i, stage.kind, stage.status, stage.started_ms, stage.ended_ms) == (3, "answer", "ok", 5, 17)
    assert (stage.cost_nano, stage.parents, stage.attempts[0].ms) == (100 * 1_000 + 10 * 4_000, (1, 2), 12)
    assert stage.usage is not None
    assert not stage.usage.estimated


def test_what_the_provider_did_not_count_is_estimated_and_marked() -> None:
    assert counted(CALL, done()) == Usage(5, 10, estimated=True)
    assert counted(CALL, done(prompt_tokens=7)) == Usage(7, 10, estimated=True)
    assert counted(CALL, done(completion_tokens=7)) == Usage(5, 7, estimated=True)


@pytest.mark.parametrize("kind", get_args(FailureKind))
def test_a_failure_costs_nothing_only_where_no_model_ran(kind: str) -> None:
    stage = PENDING.failed(0, 9, "failed", kind)
    assert (stage.error, stage.attempts[0].code) == (kind, kind)
    assert stage.usage is not None
    assert (stage.cost_nano == 0) == (kind in UNBILLED) == (not stage.usage.estimated)


def test_a_cancelled_call_is_charged_for_its_prompt_at_least() -> None:
    stage = PENDING.failed(0, 9, "cancelled", "cancelled")
    assert (stage.status, stage.cost_nano) == ("cancelled", 5 * 1_000)


def test_an_unknown_price_is_unknown_even_for_a_failure_that_may_have_been_billed() -> None:
    unpriced = replace(PENDING, call=replace(CALL, model=model("a", price=Price())))
    assert unpriced.succeeded(0, 9, done(prompt_tokens=1, completion_tokens=1)).cost_nano is None
    assert unpriced.failed(0, 9, "failed", "truncated").cost_nano is None
    assert unpriced.failed(0, 9, "failed", "connect").cost_nano == 0


async def test_what_a_call_did_not_use_is_there_for_the_next() -> None:
    # one call may cost up to (16 + 8) * 1000 + 100 * 4000 = 424,000; it does cost 4 * 1000 + 1 * 4000
    run = prepared(max_tokens=100, max_cost_nano=600_000)
    for _ in range(5):
        await run.ask("answer", run.plan.models[0])
    assert sum(stage.cost_nano or 0 for stage in run.stages) == 5 * 8_000


async def test_a_call_that_could_pass_the_ceiling_is_not_made() -> None:
    world = World({"a": says("391")})
    run = world.prepare(ask(max_tokens=100, max_cost_nano=600_000), profile("chat"))
    long = (Message("user", "x" * 90_000),)
    with pytest.raises(BudgetExceeded, match="Calling a could pass max_cost_usd"):
        await run.ask("answer", run.plan.models[0], messages=long)
    assert (world.provider.calls, run.stages) == ([], [])


async def test_a_failed_call_raises_and_is_a_stage() -> None:
    run = prepared()
    with pytest.raises(ProviderError):
        await run.ask("answer", model("unknown"))
    assert [(stage.status, stage.error) for stage in run.stages] == [("failed", "rejected")]


async def test_a_defect_while_an_answer_is_shown_leaves_a_stage_with_what_was_shown() -> None:
    run = prepared(stream=True)

    async def emit(event: Event) -> None:
        if isinstance(event, Delta):
            raise ZeroDivisionError

    run._emit = emit
    with pytest.raises(ZeroDivisionError):
        await run.ask("answer", run.plan.models[0], final=True)
    (stage,) = run.stages
    assert (stage.status, stage.error) == ("failed", "internal_error")
    assert stage.usage is not None
    assert stage.usage.estimated
    assert stage.usage.completion_tokens


@pytest.mark.parametrize(("left", "again"), [(1_000_000, True), (600_000, False)])
async def test_another_try_is_set_aside_under_the_ceiling(left: int, *, again: bool) -> None:
    world = World({"a": says("391")})
    run = world.prepare(ask(max_tokens=100, max_cost_nano=left), profile("chat"))
    await run.ask("answer", run.plan.models[0])
    (call,) = world.provider.calls
    assert call.again is not None
    run._reserved = 424_000
    assert call.again() is again
    assert call.again() is False


@pytest.mark.parametrize(
    ("turns", "question"),
    [
        ([("user", "one"), ("assistant", "two"), ("user", "three"), ("system", "four")], "three"),
        ([("system", "one"), ("assistant", "two")], ""),
    ],
)
def test_the_question_is_the_latest_user_turn(turns: list[Any], question: str) -> None:
    world = World({"a": says("391")})
    request = replace(ask(), messages=tuple(Message(*turn) for turn in turns))
    assert world.prepare(request).question == question


def test_a_run_that_goes_less_well_says_so_once() -> None:
    run = prepared()
    run.degrade("fallback")
    run.degrade("fallback")
    assert run.degraded == ["fallback"]


@pytest.mark.parametrize(("own", "sent"), [(None, 0.3), (0.1, 0.1), (1.5, 0.3)])
def test_cooling_never_warms(own: float | None, sent: float) -> None:
    assert prepared(OPEN, temperature=own).cooled(0.3).temperature == sent


@pytest.mark.parametrize("own", [{"thinking_tokens": 2000}, {"effort": "high"}, {"top_p": 0.9}])
def test_no_temperature_of_ours_stands_beside_thoughts_or_the_callers_top_p(own: dict[str, Any]) -> None:
    run = World.told(lambda _: "391", models=[model("a", capabilities=frozenset({"reasoning"}))]).prepare(
        ask(OPEN, strategy="self_consistency", **own), profile("chat")
    )
    assert run.sampled().temperature is None
    assert run.cooled(0.3).temperature is None
    assert run.sober().temperature == 0


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_no_call_of_a_strategy_has_both_thoughts_and_a_temperature(strategy: str) -> None:
    able = [model(name, capabilities=frozenset({"reasoning"}), family=name) for name in ("a", "b", "c")]
    world = World.told(lambda call: f"{call.model.id} says {len(call.messages)}", models=able)
    await world.perform(ask(OPEN, strategy=strategy, effort="high"), profile("chat"))
    sent = [call.sampling for call in world.provider.calls]
    assert any(each.thinks for each in sent)
    assert {each.temperature for each in sent if each.thinks} == {None}


def test_the_temperature_that_the_caller_wants_beside_thoughts_stands() -> None:
    run = World.told(lambda _: "391", models=[model("a", capabilities=frozenset({"reasoning"}))]).prepare(
        ask(OPEN, temperature=1.0, effort="high"), profile("chat")
    )
    assert run.sampled().temperature == run.cooled(0.3).temperature == 1


@pytest.mark.parametrize("first", [0, -5, 2**31 - 3, -(2**31) + 1, 2**31, 2**63 - 3, -(2**63)])
def test_the_seeds_of_samples_differ_and_stay_in_the_range_of_the_first(first: int) -> None:
    seeds = [Sampling(seed=first).seed_of(i) for i in range(40)]
    bits = 31 if abs(first) < 2**31 else 63
    assert len(set(seeds)) == 40
    assert seeds[0] == first
    assert all(seed is not None and -(2**bits) <= seed < 2**bits for seed in seeds)
    assert Sampling().seed_of(3) is None


async def test_a_run_whose_every_answer_was_unfit_blames_the_schema_and_not_the_keys() -> None:
    wanted = ResponseFormat("json_schema", schema={"type": "object", "required": ["city"]})
    able = [model(name, capabilities=frozenset({"json_schema"})) for name in ("a", "b")]
    on = World.told(lambda _: "no JSON", models=able)
    with pytest.raises(
        AllModelsFailed, match=r"fits the tools or the response_format .* simplify the schema"
    ) as told:
        await on.perform(ask(strategy="ensemble_moa", models=("a", "b"), response_format=wanted))
    assert {attempt.error for attempt in told.value.attempts} == {"invalid_output"}
    assert "keys" not in told.value.message


async def test_calls_made_at_once_share_one_ceiling() -> None:
    run = prepared(max_tokens=100, max_cost_nano=600_000)
    calls = (run.ask("answer", run.plan.models[0]) for _ in range(3))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Candidate, BudgetExceeded, BudgetExceeded]


async def test_a_call_whose_bill_is_not_known_keeps_its_worst_case_set_aside() -> None:
    world = World({"a": SandboxProfile(fails_with="truncated")})
    run = world.prepare(ask(max_tokens=100, max_cost_nano=600_000), profile("chat"))
    with pytest.raises(ProviderError):
        await run.ask("answer", run.plan.models[0])
    with pytest.raises(BudgetExceeded):
        await run.ask("answer", run.plan.models[0])
