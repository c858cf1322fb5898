"""Several versions of one answer, by one model."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.scripted_models import FAILS, OPEN, World, ask, profile, says

from prysm.core.events import Delta
from prysm.errors import ProviderError

TEXT = "The sea is salt."


@pytest.mark.parametrize("stream", [False, True])
async def test_as_many_versions_as_were_asked_for_are_asked_of_one_model_at_once(stream: bool) -> None:
    world = World({"a": says(TEXT, latency_ms=20)})
    verdict, run = await world.perform(ask(OPEN, pinned="a", n=3, stream=stream), profile("chat"))
    assert [choice.text for choice in verdict.choices] == [TEXT] * 3
    assert sorted(stage.sample for stage in run.stages) == [0, 1, 2]
    assert world.provider.most == 3
    assert {event.choice for event in world.events if isinstance(event, Delta)} == ({0, 1, 2} if stream else set())
    assert run.degraded == []


async def test_a_seed_is_spread_over_the_versions_and_nothing_else_is_changed() -> None:
    world = World({"a": says(TEXT)})
    request = ask(OPEN, pinned="a", n=3, seed=7, temperature=0.0)
    await world.perform(request, profile("chat"))
    assert sorted(call.sampling.seed or 0 for call in world.provider.calls) == [7, 8, 9]
    assert {replace(call.sampling, seed=7) for call in world.provider.calls} == {request.sampling}


async def test_when_all_versions_fail_the_next_target_writes_them() -> None:
    world = World({"a": FAILS, "b": says(TEXT)})
    verdict, run = await world.perform(ask(OPEN, pinned="a", fallback=("b",), n=2), profile("chat"))
    assert ([choice.model.id for choice in verdict.choices], run.degraded) == (["b", "b"], ["fallback"])


async def test_the_failure_of_all_versions_of_a_lone_model_is_told() -> None:
    with pytest.raises(ProviderError):
        await World({"a": FAILS}).perform(ask(OPEN, pinned="a", n=2), profile("chat"))
