"""single: one model, and its stand-ins when it fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.scripted_models import FAILS, OPEN, World, ask, profile, says

from prysm.core.chat import Completion, TextDelta
from prysm.core.events import Delta
from prysm.errors import AllModelsFailed, ProviderError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from prysm.core.chat import ModelCall

TEXT = "The sea is salt."


def texts(world: World) -> list[str]:
    return [event.text for event in world.events if isinstance(event, Delta)]


class BreaksOff:
    """A provider whose stream ends in the middle: by an error, or silently when `silent`."""

    id = "sandbox"
    closed = False

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent

    async def stream(self, _: ModelCall) -> AsyncGenerator[TextDelta | Completion, None]:
        """Say two words of four."""
        try:
            yield TextDelta("The sea ")
            if not self._silent:
                raise ProviderError("truncated", "cut")
        finally:
            self.closed = True


async def test_the_next_target_stands_in_and_that_is_said() -> None:
    world = World({"a": FAILS, "b": FAILS, "c": says(TEXT)})
    verdict, run = await world.perform(ask(OPEN, pinned="a", fallback=("b", "c")), profile("chat"))
    assert (verdict.candidate.text, run.degraded) == (TEXT, ["fallback"])
    assert [(stage.model.id, stage.status) for stage in run.stages if stage.model] == [
        ("a", "failed"),
        ("b", "failed"),
        ("c", "ok"),
    ]


async def test_a_lone_failure_is_the_providers_error_several_are_listed() -> None:
    world = World({"a": FAILS, "b": FAILS})
    with pytest.raises(ProviderError):
        await world.perform(ask(pinned="a"))
    with pytest.raises(AllModelsFailed, match=r"a \(unavailable\), b \(unavailable\)"):
        await world.perform(ask(pinned="a", fallback=("b",)))


async def test_a_failure_before_the_first_byte_of_a_stream_still_falls_back() -> None:
    world = World({"a": FAILS, "b": says(TEXT)})
    await world.perform(ask(OPEN, pinned="a", fallback=("b",), stream=True), profile("chat"))
    assert "".join(texts(world)) == TEXT


@pytest.mark.parametrize("silent", [False, True])
async def test_after_a_streamed_byte_no_other_model_takes_over(silent: bool) -> None:
    world = World({"a": says(TEXT), "b": says(TEXT)})
    run = world.prepare(ask(OPEN, pinned="a", fallback=("b",), stream=True), profile("chat"))
    cut = BreaksOff(silent=silent)
    run._providers = {"sandbox": cut}  # type: ignore[dict-item]  # it can only stream
    with pytest.raises(ProviderError) as caught:
        await world.carry_out(run)
    assert (caught.value.kind, texts(world), cut.closed) == ("truncated", ["The sea "], True)
    assert [stage.status for stage in run.stages] == ["failed"]


async def test_a_reader_who_leaves_while_we_wait_for_it_closes_the_stream_at_once() -> None:
    world = World({"a": says("one two three")})
    run = world.prepare(ask(OPEN, pinned="a", stream=True), profile("chat"))

    async def stuck(event: object) -> None:
        if isinstance(event, Delta):
            await asyncio.Event().wait()

    run._emit = stuck
    work = asyncio.create_task(world.carry_out(run))
    await asyncio.sleep(0.02)
    assert world.provider.open == 1
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert world.provider.open == 0
    assert [stage.status for stage in run.stages] == ["cancelled"]


async def test_one_answer_agrees_with_nobody() -> None:
    verdict, _ = await World({"a": says(TEXT)}).perform(ask(OPEN), profile("chat"))
    assert (verdict.score.agreement, verdict.score.clusters) == (None, ())
    assert "uncalibrated" in verdict.score.method


async def test_the_prompt_of_a_single_answer_is_the_callers_own() -> None:
    world, request = World({"a": says("391")}), ask()
    await world.perform(request)
    assert world.provider.calls[0].messages == request.messages
