"""What each model had of a run, as it is charged: written down only where it says more than the run's own row."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from hypothesis import given
from hypothesis import strategies as st
from tests.payers import PAYER
from tests.scripted_models import FAILS, World, ask, model, says

from prysm.accounts.admission import charge_of
from prysm.core.account import account
from prysm.core.cache import Original
from prysm.core.chat import Completion, Usage
from prysm.core.run import Candidate, Finished, Score, Stage, Verdict
from prysm.errors import PrysmError

if TYPE_CHECKING:
    from prysm.core.plan import ChatRequest
    from prysm.core.run import StageStatus
    from prysm.strategies import Run

ANSWER = "Final answer: 391"
MODELS = (model("a"), model("b"), replace(model("c"), provider="other"))


def finished(run: Run, verdict: Verdict | None, **more: Any) -> Finished:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    plain = Finished(UUID(int=7), run.request, run.plan, run.stages, (), "failed", now, 12, "v1", verdict)
    return replace(plain, outcome="ok" if verdict else "failed", **more)


def charged(run: Finished) -> dict[str, Any]:
    told: dict[str, Any] = orjson.loads(charge_of(PAYER, run, account(run.stages)))
    return told


def performed(request: ChatRequest, **scripts: Any) -> Finished:
    world = World(scripts)
    run = world.prepare(request)
    try:
        verdict = asyncio.run(world.carry_out(run))
    except PrysmError:
        verdict = None
    return finished(run, verdict)


def test_a_run_of_one_model_is_charged_without_a_word_more() -> None:
    run = performed(ask(pinned="a"), a=says(ANSWER))
    assert run.verdict
    assert "parts" not in charged(run)


def test_samples_of_one_model_are_no_parts() -> None:
    run = performed(ask(strategy="self_consistency", pinned="a", samples=3), a=says(ANSWER))
    assert len(run.stages) >= 3
    assert "parts" not in charged(run)


def test_each_model_has_its_calls_and_what_they_cost() -> None:
    run = performed(ask(strategy="debate", models=("a", "b")), a=says(ANSWER), b=says("Final answer: 1"))
    told = charged(run)
    for part in told["parts"]:
        own = [stage for stage in run.stages if stage.model and stage.model.id == part["model"]]
        assert (part["calls"], part["provider"]) == (len(own), "sandbox")
        assert part["cost"] == sum(stage.cost_nano or 0 for stage in own) > 0
    assert {part["model"] for part in told["parts"]} == {"a", "b"}
    assert sum(part["cost"] for part in told["parts"]) == told["cost"]


def test_a_model_that_failed_before_another_answered_has_its_part() -> None:
    told = charged(performed(ask(pinned="a", fallback=("b",)), a=FAILS, b=says(ANSWER)))
    assert told["model"] == "b"
    assert [(part["model"], part["calls"]) for part in told["parts"]] == [("a", 1), ("b", 1)]


def test_of_a_run_without_an_answer_it_is_known_who_was_called() -> None:
    told = charged(performed(ask(pinned="a"), a=FAILS))
    assert (told["model"], told["outcome"]) == (None, "failed")
    assert [part["model"] for part in told["parts"]] == ["a"]


def test_a_run_that_called_nobody_has_no_parts() -> None:
    run = World({"a": says(ANSWER)}).prepare(ask())
    assert "parts" not in charged(finished(run, None))


def test_an_answer_from_the_cache_called_nobody_whoever_once_wrote_its_versions() -> None:
    run = World({"a": says(ANSWER)}).prepare(ask())
    run.stages.extend(stage(i, MODELS[i], Usage(0, 0), 0) for i in (0, 1))
    made = [Candidate(i, MODELS[i], Completion("x", "stop", Usage(0, 0))) for i in (0, 1)]
    verdict = Verdict(made[0], Score(None, None, "m"), (made[1],))
    assert "parts" in charged(finished(run, verdict))
    hit = finished(run, verdict, original=Original(str(UUID(int=8)), "sha256:00", 42))
    assert "parts" not in charged(hit)


def stage(i: int, which: Any, usage: Usage | None, cost: int | None, status: StageStatus = "ok") -> Stage:
    return Stage(i, "answer", status, 0, 1, model=which, usage=usage, cost_nano=cost)


Known = st.none() | st.integers(0, 10**6)
Calls = st.lists(
    st.tuples(st.sampled_from(MODELS), Known, Known, Known, st.sampled_from(["ok", "failed", "cancelled"])),
    max_size=8,
)


@given(Calls, st.none() | st.integers(0, 7))
def test_parts_are_all_of_the_run_and_no_more(calls: list[Any], chosen: int | None) -> None:
    run = World({"a": says(ANSWER)}).prepare(ask())
    run.stages.extend(stage(i, m, Usage(p, c), nano, status) for i, (m, p, c, nano, status) in enumerate(calls))
    run.stages.append(Stage(len(calls), "vote", "ok", 0, 1))
    verdict = None
    if chosen is not None and chosen < len(calls):
        made = Candidate(chosen, calls[chosen][0], Completion("x", "stop", Usage()))
        verdict = Verdict(made, Score(None, None, "m"))
    told = charged(finished(run, verdict))
    called = {(m.id, m.provider) for m, *_ in calls}
    if "parts" not in told:
        assert called <= {(told["model"], told["provider"])}
        return
    parts = told["parts"]
    assert [(part["model"], part["provider"]) for part in parts] == list(
        dict.fromkeys((m.id, m.provider) for m, *_ in calls)
    )
    assert sum(part["calls"] for part in parts) == len(calls)
    for name in ("tokens_in", "tokens_out"):
        assert sum(part[name] for part in parts) == told[name]
    if told["cost"] is None:
        assert None in {part["cost"] for part in parts}
    else:
        assert sum(part["cost"] for part in parts) == told["cost"]
