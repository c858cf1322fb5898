"""A run from top to bottom: whatever becomes of it, its receipt is there before anyone hears of it."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from tests.recomputed import verify_payload
from tests.scripted_models import FAILS, HANGS, OPEN, SUM, World, ask, says

from prysm.accounts.directory import Directory
from prysm.accounts.queue import FairQueue
from prysm.core.chat import TextDelta
from prysm.core.events import Delta, Planned, StageFinished, StageStarted
from prysm.core.payer import FREELY
from prysm.errors import (
    AllModelsFailed,
    DeadlineExceeded,
    InvalidRequest,
    Overloaded,
    ProofUnavailable,
    ProviderError,
)
from prysm.gateway import CLIENT_GONE, Answer, Gateway
from prysm.proof.canonical import parse
from prysm.proof.signing import SigningKey
from prysm.receipt import interrupted
from prysm.store.committer import GroupCommitter
from prysm.store.database import Database
from prysm.telemetry import Telemetry

if TYPE_CHECKING:
    from prysm.core.chat import Completion, ModelCall
    from prysm.core.events import Event
    from prysm.core.payer import Admitted, Payer
    from prysm.core.run import Verdict
    from prysm.proof.sealed import Sealed, SealState
    from prysm.strategies import Run

RUN = UUID(int=99)


class Ledger:
    """Keeps receipts, in `history` too, among the events; `broken` refuses them, a cleared `slow` waits.

    `intents` are what was written down of runs that began; `written`, when a test sets it, is when that is durable.
    """

    def __init__(self, history: list[Any]) -> None:
        self.history = history
        self.kept: dict[UUID, Sealed] = {}
        self.broken = False
        self.slow = asyncio.Event()
        self.slow.set()
        self.away = False
        self.intents: dict[UUID, bytes] = {}
        self.written: asyncio.Future[Admitted] | None = None

    def intend(self, request_id: UUID, intent: bytes, _: Payer) -> asyncio.Future[Admitted]:
        """Write it down at once, unless the test says when."""
        self.intents[request_id] = intent
        written = self.written or asyncio.get_running_loop().create_future()
        if self.written is None:
            written.set_result(FREELY)
        return written

    def release(self, request_id: UUID) -> None:
        """Nothing limits these runs."""
        raise AssertionError(request_id)

    async def put(self, sealed: Sealed) -> SealState:
        """Keep it, as a committer would: also when the wait is cancelled."""
        if self.broken:
            raise ProofUnavailable("The receipt could not be stored.")
        self.kept[sealed.request_id] = sealed
        await self.slow.wait()
        self.history.append(sealed)
        return "sealed"


@dataclass
class Keys:
    """One key for all receipts."""

    receipt: SigningKey


class House:
    """A gateway over scripted models."""

    def __init__(self, **scripts: Any) -> None:
        self.world = World(scripts)
        self.history: list[Any] = []
        self.ledger = Ledger(self.history)
        self.telemetry = Telemetry()
        providers = {"sandbox": self.world.provider}
        self.keys = Keys(SigningKey.generate())
        self.gateway = Gateway(
            self.world.planner,
            providers,
            self.ledger,
            self.keys,
            Directory("a root key of tests"),
            telemetry=self.telemetry,
            price_version="v1",
            queue=FairQueue(100, 100),
        )

    async def run(self, prompt: str = SUM, request_id: UUID = RUN, **more: Any) -> Answer:
        """One request, its events noted."""
        return await self.gateway.run(ask(prompt, **more), request_id, self._see)

    def record(self, request_id: UUID = RUN) -> Any:
        """The sealed record, which must hold."""
        sealed = self.ledger.kept[request_id]
        assert (
            verify_payload(sealed.payload, "sha256:" + sealed.proof_hash.hex(), sealed.stages).failed_level is None
        )
        return parse(sealed.payload)

    def counted(self, metric: str) -> list[str]:
        """The lines of a metric."""
        lines = self.telemetry.scrape().decode().splitlines()
        return [line for line in lines if line.startswith(metric) and "_created" not in line]

    async def _see(self, event: Event) -> None:
        self.history.append(event)


async def cut_off(house: House, *reason: str) -> None:
    """Start a run on hanging models, and cancel it while it works."""
    work = asyncio.create_task(house.run(strategy="ensemble_moa", models=("a", "b")))
    await asyncio.sleep(0.05)
    assert house.world.provider.open == 2
    work.cancel(*reason)
    with pytest.raises(asyncio.CancelledError if reason else Overloaded):
        await work


async def test_an_answer_comes_with_a_receipt_that_holds() -> None:
    house = House(a=says("Final answer: 391"))
    answer = await house.run(pinned="a")
    assert answer.verdict.candidate.text == "Final answer: 391"
    assert (house.record()["outcome"], answer.degraded) == ("ok", ())
    assert answer.receipt.sealed is house.ledger.kept[RUN]
    assert house.counted("prysm_runs_total") == ['prysm_runs_total{outcome="ok",strategy="single"} 1.0']


async def test_the_receipt_is_durable_before_the_answer_is_out() -> None:
    house = House(a=says("Final answer: 391"))
    house.ledger.slow.clear()
    work = asyncio.create_task(house.run())
    await asyncio.sleep(0.02)
    assert not work.done()
    house.ledger.slow.set()
    await work


async def test_no_word_is_out_before_it_is_written_down_that_the_run_began() -> None:
    house = House(a=says("one two"))
    house.ledger.written = asyncio.get_running_loop().create_future()
    work = asyncio.create_task(house.run(OPEN, pinned="a", stream=True))
    await asyncio.sleep(0.02)
    assert [type(event).__name__ for event in house.history] == ["Planned", "StageStarted"]
    house.ledger.written.set_result(FREELY)
    await work
    assert [type(event).__name__ for event in house.history[2:]] == ["Delta", "Delta", "StageFinished", "Sealed"]


async def test_an_orchestrated_stream_does_not_even_show_its_id_before_it_is_written_down_that_the_run_began() -> (
    None
):
    house = House(a=says("Final answer: 391"), b=says("Final answer: 391"))
    house.ledger.written = asyncio.get_running_loop().create_future()
    work = asyncio.create_task(house.run(strategy="self_consistency", stream=True))
    await asyncio.sleep(0.02)
    assert house.history == []
    house.ledger.written.set_result(FREELY)
    await work
    assert isinstance(house.history[0], Planned)


async def test_a_stream_whose_beginning_cannot_be_written_down_says_nothing() -> None:
    house = House(a=says("one two"))
    house.ledger.written = asyncio.get_running_loop().create_future()
    house.ledger.written.set_exception(ProofUnavailable("The database is away."))
    with pytest.raises(ProofUnavailable):
        await house.run(OPEN, pinned="a", stream=True)
    assert not [event for event in house.history if isinstance(event, Delta)]


async def test_an_orchestrated_stream_whose_beginning_cannot_be_written_down_asks_nobody() -> None:
    house = House(a=says("Final answer: 391"), b=says("Final answer: 391"))
    house.ledger.written = asyncio.get_running_loop().create_future()
    house.ledger.written.set_exception(ProofUnavailable("The database is away."))
    with pytest.raises(ProofUnavailable) as refused:
        await house.run(strategy="self_consistency", stream=True)
    assert not refused.value.spent
    assert house.world.provider.calls == []


async def test_nothing_is_asked_while_no_receipt_could_be_kept() -> None:
    house = House(a=says("one two"))
    house.ledger.away = True
    with pytest.raises(ProofUnavailable) as refused:
        await house.run(pinned="a")
    assert not refused.value.spent
    assert house.world.provider.calls == []


async def test_what_is_written_down_before_a_run_makes_its_receipt_after_a_crash() -> None:
    house = House(a=says("Final answer: 391"))
    await house.run(f"{SUM} canary", pinned="a")
    intent = house.ledger.intents[RUN]
    assert b"canary" not in intent
    told = parse(interrupted(RUN, intent, house.keys.receipt).payload)
    assert told.keys() == house.record().keys()
    assert (told["outcome"], told["cost"]["nano_usd"], told["stages"]) == ("interrupted", None, [])
    assert told["created"] == house.record()["created"]


@pytest.mark.parametrize("odd", ["{}", '{"a":1.5}', "[]", "null", "", "less", "other", "typed", "fraction"])
async def test_what_is_not_the_whole_beginning_of_a_run_is_not_signed(odd: str) -> None:
    house = House(a=says("Final answer: 391"))
    await house.run(SUM, pinned="a")
    known = parse(house.ledger.intents[RUN])
    written = {
        "less": {name: value for name, value in known.items() if name != "retention"},
        "other": known | {"request_id": str(UUID(int=98))},
        "typed": known | {"stream": "no"},
        "fraction": known | {"more": 1.5},
    }
    body = json.dumps(written[odd]) if odd in written else odd
    with pytest.raises(ValueError):  # noqa: PT011 - one sentence or another, and the reaper tells none
        interrupted(RUN, body.encode(), house.keys.receipt)


async def test_events_come_in_the_order_in_which_things_happen() -> None:
    house = House(a=says("one two"))
    await house.run(OPEN, pinned="a", stream=True)
    kinds = [type(event).__name__ for event in house.history]
    assert kinds == ["Planned", "StageStarted", "Delta", "Delta", "StageFinished", "Sealed"]


async def test_an_answer_that_was_not_streamed_is_shown_whole_before_it_is_sealed() -> None:
    house = House(a=says("Final answer: 391"), b=says("Final answer: 391"))
    answer = await house.run(strategy="self_consistency", stream=True)
    deltas = [event for event in house.history if isinstance(event, Delta)]
    assert deltas == [Delta(TextDelta(answer.verdict.candidate.text), answer.verdict.candidate.model.id)]
    assert isinstance(house.history[0], Planned)
    assert house.history[-2:] == [deltas[0], house.ledger.kept[RUN]]
    started = [event for event in house.history if isinstance(event, StageStarted)]
    ended = [event.stage for event in house.history if isinstance(event, StageFinished)]
    assert len(started) == len(house.world.provider.calls)
    assert ended == list(answer.stages)


async def test_a_run_that_went_less_well_is_sealed_as_degraded() -> None:
    house = House(a=FAILS, b=says("Final answer: 391"))
    answer = await house.run(pinned="a", fallback=("b",))
    assert (house.record()["outcome"], house.record()["degraded"]) == ("degraded", ["fallback"])
    assert answer.degraded == ("fallback",)


async def test_a_failed_run_is_sealed_before_its_error_leaves() -> None:
    house = House(a=FAILS, b=FAILS)
    with pytest.raises(AllModelsFailed) as caught:
        await house.run(strategy="ensemble_moa", models=("a", "b"))
    assert caught.value.sealed
    assert (house.record()["outcome"], house.record()["error"]) == ("failed", "all_models_failed")
    assert [entry["kind"] for entry in house.record()["stages"]] == ["propose", "propose"]


async def test_a_caller_who_hung_up_leaves_a_receipt_and_no_open_call() -> None:
    house = House(a=HANGS, b=HANGS)
    await cut_off(house, CLIENT_GONE)
    assert (house.record()["outcome"], house.record()["error"]) == ("client_aborted", "client_aborted")
    assert house.world.provider.open == 0
    assert [parse(body)["status"] for body in house.ledger.kept[RUN].stages] == ["cancelled", "cancelled"]


async def test_a_gateway_that_stops_seals_its_runs_as_interrupted() -> None:
    house = House(a=HANGS, b=HANGS)
    await cut_off(house)
    assert house.record()["outcome"] == "interrupted"
    assert house.world.provider.open == 0


async def test_a_gateway_that_stops_while_it_seals_says_so_and_that_money_was_spent() -> None:
    house = House(a=says("Final answer: 391"))
    house.ledger.slow.clear()
    work = asyncio.create_task(house.run(pinned="a"))
    await asyncio.sleep(0.05)
    work.cancel()
    with pytest.raises(Overloaded) as stopped:
        await work
    assert stopped.value.spent


async def test_hanging_up_twice_loses_no_receipt() -> None:
    house = House(a=HANGS)
    house.ledger.slow.clear()
    work = asyncio.create_task(house.run(pinned="a"))
    for _ in range(2):
        await asyncio.sleep(0.01)
        work.cancel(CLIENT_GONE)
    with pytest.raises(asyncio.CancelledError):
        await work
    assert house.record()["outcome"] == "client_aborted"


async def test_a_passed_deadline_is_an_error_of_its_own_and_sealed() -> None:
    house = House(a=HANGS)
    with pytest.raises(DeadlineExceeded, match=r"deadline_s = 0\.02") as caught:
        await house.run(pinned="a", deadline_s=0.02)
    assert (caught.value.status, caught.value.spent, caught.value.sealed) == (504, True, True)
    assert (house.record()["outcome"], house.record()["error"]) == ("failed", "deadline_exceeded")
    assert house.world.provider.open == 0


async def test_at_the_deadline_the_best_answer_in_hand_is_given_as_a_degraded_one() -> None:
    house = House(a=says("Final answer: 391"), b=HANGS)
    house.world.provider.first, house.world.provider.at = HANGS, 1
    answer = await house.run(strategy="self_consistency", models=("a",), samples=3, deadline_s=0.2)
    assert answer.verdict.candidate.text == "Final answer: 391"
    assert "deadline" in answer.degraded
    assert house.record()["outcome"] == "degraded"


async def test_a_strategy_that_overruns_its_deadline_is_cut_and_what_it_heard_is_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Dawdler:
        async def run(self, run: Run) -> Verdict:
            await run.ask("answer", run.plan.models[0])
            await asyncio.sleep(60)
            raise AssertionError

    monkeypatch.setattr("prysm.gateway.STRATEGIES", {"single": Dawdler()})
    answer = await House(a=says("Final answer: 391")).run(deadline_s=0.1)
    assert (answer.verdict.candidate.text, answer.degraded) == ("Final answer: 391", ("deadline",))


async def test_a_deadline_that_is_kept_changes_nothing() -> None:
    house = House(a=says("Final answer: 391"))
    assert (await house.run(deadline_s=5)).degraded == ()


async def test_an_answer_without_a_durable_receipt_is_withheld() -> None:
    house = House(a=says("Final answer: 391"))
    house.ledger.broken = True
    with pytest.raises(ProofUnavailable) as caught:
        await house.run()
    assert (caught.value.spent, caught.value.sealed) == (True, False)
    assert house.counted("prysm_seal_failures_total") == ["prysm_seal_failures_total 1.0"]
    assert len(house.counted("prysm_runs_total")) == 1


async def test_a_receipt_that_cannot_be_stored_does_not_hide_why_a_run_failed() -> None:
    house = House(a=FAILS)
    house.ledger.broken = True
    with pytest.raises(ProviderError) as caught:
        await house.run(pinned="a")
    assert (caught.value.kind, caught.value.sealed) == ("unavailable", False)
    assert house.counted("prysm_seal_failures_total") == ["prysm_seal_failures_total 1.0"]


async def test_a_bug_of_ours_is_sealed_as_well() -> None:
    house = House(a=says("x"))

    async def breaks(_: ModelCall) -> Completion:
        raise ZeroDivisionError

    house.world.provider.complete = breaks  # type: ignore[assignment]  # a provider with a bug
    with pytest.raises(ZeroDivisionError):
        await house.run(pinned="a")
    assert (house.record()["outcome"], house.record()["error"]) == ("failed", "internal_error")


async def test_a_gateway_that_is_closing_takes_no_more_runs() -> None:
    house = House(a=says("x"))
    house.gateway.close()
    with pytest.raises(Overloaded):
        await house.run()
    assert (house.world.provider.calls, house.history) == ([], [])


async def test_draining_waits_until_the_runs_under_way_are_sealed() -> None:
    house = House(a=HANGS)
    await house.gateway.drained()  # nothing is under way
    work = asyncio.create_task(house.run(pinned="a"))
    await asyncio.sleep(0.02)
    house.gateway.close()
    drained = asyncio.create_task(house.gateway.drained())
    await asyncio.sleep(0.02)
    assert not drained.done()
    work.cancel()
    await drained
    assert house.record()["outcome"] == "interrupted"
    await asyncio.wait([work])


async def test_a_request_that_cannot_be_planned_is_refused_before_anything_happens() -> None:
    house = House(a=says("x"))
    with pytest.raises(InvalidRequest):
        await house.run(policy="nonsense")
    assert (house.world.provider.calls, house.history, house.ledger.kept) == ([], [], {})


def test_planning_calls_nobody() -> None:
    house = House(a=says("x"), b=says("y"))
    assert house.gateway.plan(ask(policy="depth")).strategy == "debate"
    assert house.world.provider.calls == []


async def test_only_an_orchestrated_answer_is_held_against_a_bar() -> None:
    house = House(a=says("Final answer: 391"), b=says("Final answer: 391"), c=says("Final answer: 391"))
    routed, voted = await house.run(), await house.run(strategy="ensemble_moa", k=3)
    assert routed.verdict.score.bar_cleared is None
    assert voted.verdict.score.bar_cleared is True
    assert (house.record()["policy"], voted.plan.policy.id) == ({"id": "balanced", "bar": "0.720"}, "balanced")


async def test_runs_at_the_same_time_each_keep_their_own_receipt() -> None:
    house = House(a=says("Final answer: 391", latency_ms=5))
    ids = [uuid4() for _ in range(50)]
    answers = await asyncio.gather(*(house.run(request_id=i) for i in ids))
    assert set(house.ledger.kept) == set(ids)
    assert [house.record(i)["request_id"] for i in ids] == [str(i) for i in ids]
    assert len({answer.receipt.proof_hash for answer in answers}) == 50
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_nothing_that_was_said_is_in_the_metrics() -> None:
    house = House(a=says("Final answer: 391"))
    await house.run("CANARY: what is 17 * 23?")
    lines = [line for line in house.telemetry.scrape().decode().splitlines() if "_created" not in line]
    assert not re.search(r"CANARY|391", "\n".join(lines))


async def test_every_outcome_is_there_after_the_database_is_opened_again(database_url: str) -> None:
    committer, house = await GroupCommitter.open(database_url), House(a=says("Final answer: 391"), b=FAILS, c=HANGS)
    house.gateway._sealer = committer
    answered, failed, left = uuid4(), uuid4(), uuid4()
    await house.run(request_id=answered, pinned="a")
    with pytest.raises(ProviderError):
        await house.run(request_id=failed, pinned="b")
    work = asyncio.create_task(house.run(request_id=left, pinned="c"))
    await asyncio.sleep(0.05)
    work.cancel(CLIENT_GONE)
    await asyncio.wait([work])
    await committer.close()
    again = await Database.open(database_url)
    stored = [await again.receipts.get(i) for i in (answered, failed, left)]
    await again.close()
    assert [parse(sealed.payload)["outcome"] for sealed in stored if sealed] == ["ok", "failed", "client_aborted"]
