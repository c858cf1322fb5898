"""self_consistency: as many samples of one model as the vote needs, and no more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.scripted_models import FAILS, SUM, Told, World, ask, says

from prysm.providers.sandbox import SandboxProfile
from prysm.strategies.run import SAMPLING_TEMPERATURE
from prysm.strategies.self_consistency import is_settled

if TYPE_CHECKING:
    from prysm.core.plan import ChatRequest


def sampled(*answers: str | None) -> World:
    world = World({"a": SandboxProfile()})
    world.provider = Told(lambda call: answers[call.sample] or FAILS)
    return world


def vote(samples: int = 5, **more: Any) -> ChatRequest:
    return ask(SUM, strategy="self_consistency", samples=samples, **more)


def final(number: int, words: str = "") -> str:
    return f"{words}Final answer: {number}"


@pytest.mark.parametrize(
    ("answers", "samples"),
    [
        ([391, 391, 391, 1, 2], 3),
        ([391, 391, 401, 391, 391], 5),
        ([391, 401, 411, 391, 401, 391, 391, 391], 8),
        ([391, 391, 391, 391, 391, 391, 391, 391], 3),
    ],
)
async def test_sampling_stops_as_soon_as_the_majority_is_settled(answers: list[int], samples: int) -> None:
    world = sampled(*map(final, answers))
    verdict, run = await world.perform(vote(len(answers)))
    assert len(world.provider.calls) == samples
    assert [stage.kind for stage in run.stages] == ["sample"] * samples + ["vote"]
    assert verdict.candidate.text == final(391)


def test_three_to_nothing_settles_a_vote_and_two_to_one_does_not() -> None:
    settled = {(a, b) for a in range(9) for b in range(a + 1) if is_settled(a, b)}
    assert {(3, 0), (4, 0), (5, 1), (6, 1), (8, 2)} <= settled
    assert settled.isdisjoint({(0, 0), (1, 0), (2, 0), (2, 1), (3, 1), (4, 1), (6, 2), (5, 5)})


async def test_the_text_of_the_most_central_sample_is_returned_whole() -> None:
    texts = [final(391, "Seventeen times twenty is 340. "), final(401), final(391), final(391, "Add 51 to 340. ")]
    verdict, run = await sampled(*texts).perform(vote(4))
    assert verdict.candidate.text in texts
    assert "391" in verdict.candidate.text
    assert verdict.score.agreement == pytest.approx(3 / 4)
    assert run.stages[-1].note == "3 of 4 agree, next 1"


async def test_every_sample_is_a_call_of_its_own_that_no_cache_may_merge() -> None:
    world = sampled(*map(final, (1, 2, 3, 4, 5)))
    await world.perform(vote(seed=40))
    assert [(call.sample, call.sampling.seed) for call in world.provider.calls] == [(i, 40 + i) for i in range(5)]
    assert {call.sampling.temperature for call in world.provider.calls} == {SAMPLING_TEMPERATURE}


async def test_a_caller_who_set_a_temperature_keeps_it_unless_it_allows_no_vote() -> None:
    for own, sent in ((0.3, 0.3), (0.0, SAMPLING_TEMPERATURE)):
        world = sampled(*map(final, (1, 1, 1)))
        await world.perform(vote(3, temperature=own))
        assert {call.sampling.temperature for call in world.provider.calls} == {sent}


async def test_failed_samples_abstain_and_are_counted_as_missing() -> None:
    world = sampled(final(391), None, final(391), final(391), None)
    verdict, run = await world.perform(vote())
    assert run.degraded == ["partial:3 of 5 samples"]
    assert verdict.score.agreement == 1


async def test_no_more_samples_than_asked_for_are_drawn() -> None:
    world = sampled(*map(final, range(9)))
    await world.perform(vote(4))
    assert len(world.provider.calls) == 4


async def test_a_tie_is_broken_the_same_way_every_time() -> None:
    answers = [final(391), final(401), final(391), final(401)]
    verdicts = [await sampled(*answers).perform(vote(4)) for _ in range(3)]
    assert len({verdict.candidate.text for verdict, _ in verdicts}) == 1
    assert {verdict.score.agreement for verdict, _ in verdicts} == {0.5}


async def test_a_wave_is_asked_at_once() -> None:
    world = World({"a": replace(says(final(391)), latency_ms=30)})
    await world.perform(vote())
    assert (world.provider.most, len(world.provider.calls)) == (3, 3)


async def test_copies_of_one_answer_do_not_agree_with_each_other() -> None:
    world = sampled(*[final(391)] * 5)
    world.provider.copies = True
    verdict, _ = await world.perform(vote())
    assert verdict.score.agreement is None
