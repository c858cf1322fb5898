"""When cheap answers are good enough: the gate, the signs it reads, the record it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scripted_models import SUM, World, ask, model, profile, says

from prysm.core.chat import Completion, Usage
from prysm.core.model import Price
from prysm.core.run import Candidate
from prysm.errors import InvalidRequest
from prysm.scoring import final_answer
from prysm.strategies import gate
from prysm.strategies.cascade import Cascade
from prysm.strategies.record import SKIPPED, WARM, WINDOW, Record
from prysm.strategies.signs import of_answer, of_prompt

if TYPE_CHECKING:
    from pathlib import Path

USD = 1_000_000_000
FITTED = gate.fitted()


def candidate(text: str, name: str = "a", tokens: int | None = 40) -> Candidate:
    return Candidate(0, model(name), Completion(text, "stop", Usage(10, tokens)))


def signs(text: str, prompt: str = SUM) -> dict[str, float]:
    return of_answer(candidate(text), final_answer(text, prompt))


def judged(text: str, name: str = "a", tokens: int = 40) -> gate.Judged:
    found = FITTED.of(profile(), SUM)
    return found.judge(candidate(text, name, tokens), final_answer(text, SUM), SUM)


def test_reasoning_that_ends_in_its_answer_shows() -> None:
    assert signs("17 * 23 = 391\n\nFinal answer: 391")["ends_in_it"] == 1
    assert signs("17 * 23 = 381\n\nFinal answer: 391")["ends_in_it"] == 0


def test_a_wrong_sum_shows_and_a_rounded_one_does_not() -> None:
    assert signs("17 * 20 = 350. Final answer: 350")["wrong_sum"] == 1
    assert signs("10 / 3 = 3.33 and 17 * 20 = 340. Final answer: 340")["wrong_sum"] == 0


@given(st.text(max_size=400))
def test_any_text_has_signs_within_bounds(text: str) -> None:
    found = signs(text) | of_prompt(text)
    assert all(0 <= value < 100 for value in found.values())


@given(st.floats(-3, 3), st.integers(1, 4000), st.integers(1, 4000))
def test_at_most_one_of_two_answers_that_differ_is_right(lead: float, one: int, other: int) -> None:
    found = FITTED.of(profile(), SUM)
    a, b = judged("Final answer: 391", "a", one), judged("Final answer: 401", "b", other)
    difference = found.weigh(a, b, lead)
    ahead = a.trust - b.trust + lead
    assert difference.better is (a if ahead >= 0 else b).candidate
    assert difference.cheap <= max(0.5, 1 / (1 + 2.718 ** -abs(ahead))) + 1e-3


def test_a_dearer_escalation_is_worth_less_and_a_higher_bar_makes_it_worth_more() -> None:
    found = FITTED.of(profile(), SUM)
    short = found.weigh(judged("Final answer: 391", "a", 100), judged("Final answer: 401", "b", 100), 0)
    long = found.weigh(judged("Final answer: 391", "a", 900), judged("Final answer: 401", "b", 900), 0)
    assert long.cost > short.cost
    assert short.worth(0.62) < short.worth(0.72) < short.worth(0.85)
    assert gate.sure_from(0.62) < gate.sure_from(0.72) < gate.sure_from(0.85)


def test_a_class_that_was_never_fitted_says_so() -> None:
    assert not FITTED.of(profile("chat"), "Name a river.").known
    assert FITTED.of(profile("math"), SUM).known


def test_a_record_leads_to_whom_the_strong_model_sided_with_and_forgets() -> None:
    record = Record()
    assert record.lead("x", "a", "b") == 0
    for _ in range(3 * WINDOW):
        record.sided_with("x", "a")
    assert record.lead("x", "a", "b") == pytest.approx(-record.lead("x", "b", "a"))
    before = record.lead("x", "a", "b")
    for _ in range(WINDOW):
        record.sided_with("x", "b")
    assert record.lead("x", "a", "b") < before / 2
    assert record.lead("y", "a", "b") == 0


def test_a_class_whose_answers_differ_far_more_than_usual_is_another_class() -> None:
    record = Record()
    for at in range(WARM):
        assert not record.is_strange("x", 0.1)
        record.compared("x", differ=at % 2 == 0)
    assert record.is_strange("x", 0.1)
    assert not record.is_strange("x", 0.3)


def test_the_least_promising_escalations_are_skipped_once_there_were_some() -> None:
    record = Record()
    for worth in range(WARM):
        assert record.is_promising("x", worth / 100)
        record.weighed("x", worth / 100, made=True)
    assert not record.is_promising("x", -1.0)
    assert record.is_promising("x", 1.0)


@pytest.mark.parametrize("fall", [0.0, 0.001], ids=["ties", "falls"])
def test_escalations_that_tie_or_only_get_less_promising_are_still_made(fall: float) -> None:
    record, made = Record(), 0
    for at in range(2 * WINDOW):
        promising = record.is_promising("x", -fall * at)
        record.weighed("x", -fall * at, made=promising)
        made += promising
    assert made >= (1 - SKIPPED) * 2 * WINDOW - 1
    assert made == 2 * WINDOW or fall


def test_a_class_is_calm_once_answers_were_seen_to_differ_no_more_than_usual() -> None:
    record = Record()
    for _ in range(WARM):
        assert not record.is_calm("x", 0.1)
        record.compared("x", differ=False)
    assert record.is_calm("x", 0.1)
    for _ in range(WARM):
        record.compared("x", differ=True)
    assert not record.is_calm("x", 0.1)


def three_that_say(answer: str) -> World:
    models = [
        model("a", 0.7, Price(USD, 4 * USD)),
        model("b", 0.7, Price(USD, 4 * USD)),
        model("c", 0.9, Price(50 * USD, 200 * USD)),
    ]
    return World(dict.fromkeys("abc", says(answer)), models)


async def test_a_sure_answer_stands_alone_once_its_class_was_seen_to_agree_the_more_trusted_model_first() -> None:
    world = three_that_say("17 * 20 = 340, 17 * 3 = 51, 340 + 51 = 391\n\nFinal answer: 391")
    cascade = Cascade()
    assert len((await cascade.run(world.prepare(ask(strategy="cascade")))).score.clusters) == 1
    assert len(world.provider.calls) == 2
    for _ in range(WARM):
        cascade._record.compared("mathematics", differ=False)
        cascade._record.sided_with("mathematics", "b")
    verdict = await cascade.run(world.prepare(ask(strategy="cascade")))
    assert [call.model.id for call in world.provider.calls[2:]] == ["b"]
    assert (verdict.score.confidence or 0) >= gate.sure_from(0.72)
    assert (verdict.score.agreement, verdict.score.bar_cleared) == (None, True)


async def test_two_that_agree_spare_the_strong_model_where_nothing_was_fitted_too() -> None:
    other = gate.Gate("none", {gate.OTHER: FITTED.classes[gate.OTHER]})
    world = three_that_say("Final answer: 391")
    verdict = await Cascade(other).run(world.prepare(ask(strategy="cascade")))
    assert {call.model.id for call in world.provider.calls} == {"a", "b"}
    assert verdict.score.agreement == 1


async def test_where_two_cheap_answers_cost_more_than_the_strong_one_it_is_asked_at_once() -> None:
    dear, cheap = Price(50 * USD, 200 * USD), Price(40 * USD, 160 * USD)
    models = [model("a", 0.5, cheap), model("b", 0.5, cheap), model("c", 0.9, dear)]
    world = World({name: says("Final answer: 391") for name in "abc"}, models)
    await Cascade().run(world.prepare(ask(strategy="cascade")))
    assert [call.model.id for call in world.provider.calls] == ["c"]


def test_a_file_without_a_gate_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gate.json"
    path.write_text("[]", "utf-8")
    with pytest.raises(InvalidRequest, match=r"gate\.json holds no gate"):
        gate.from_file(path)
