"""single: one model, and its stand-ins when it fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.scripted_models import FAILS, OPEN, POLICIES, REFUSES, World, ask, model, profile, says

from prysm.core.chat import Completion, TextDelta, Usage
from prysm.core.events import Delta
from prysm.core.plan import Policy
from prysm.errors import AllModelsFailed, ProviderError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from prysm.core.chat import ModelCall
    from prysm.core.plan import ChatRequest
    from prysm.core.run import Verdict
    from prysm.providers.sandbox import SandboxProfile
    from prysm.strategies.run import Run

TEXT = "The sea is salt."


def texts(world: World) -> list[str]:
    return [e.piece.text for e in world.events if isinstance(e, Delta) and isinstance(e.piece, TextDelta)]


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


def floored(*scripts: SandboxProfile, confidence: float | None = None, ms: int | None = None) -> World:
    floor = Policy("balanced", 0.72, 2, min_confidence=confidence, max_latency_ms=ms)
    padded = (*scripts, *(says(TEXT),) * (3 - len(scripts)))
    return World(dict(zip("abc", padded, strict=True)), policies={**POLICIES, "balanced": floor})


def chain(**more: bool) -> ChatRequest:
    return ask(OPEN, pinned="a", fallback=("b", "c"), **more)


async def test_an_answer_below_the_floor_falls_back_as_an_error_does() -> None:
    world = floored(REFUSES, says(TEXT), says("later"), confidence=0.4)
    verdict, run = await world.perform(chain(), profile("chat"))
    assert (verdict.candidate.text, run.degraded) == (TEXT, ["below_floor", "fallback"])
    assert [call.model.id for call in world.provider.calls] == ["a", "b"]


async def test_without_a_floor_the_first_answer_is_the_answer() -> None:
    world = floored(REFUSES, says(TEXT))
    _, run = await world.perform(chain(), profile("chat"))
    assert (len(world.provider.calls), run.degraded) == (1, [])


async def test_when_all_are_below_the_floor_the_best_of_them_is_returned_and_that_is_said() -> None:
    world = floored(says(TEXT), REFUSES, FAILS, confidence=0.99)
    verdict, run = await world.perform(chain(), profile("chat"))
    assert (verdict.candidate.text, len(world.provider.calls)) == (TEXT, 3)
    assert run.degraded == ["below_floor", "fallback"]


async def test_a_lone_target_below_the_floor_is_returned_and_that_is_said() -> None:
    world = floored(REFUSES, confidence=0.4)
    verdict, run = await world.perform(ask(OPEN, pinned="a"), profile("chat"))
    assert (verdict.score.confidence, run.degraded) == (0.15, ["below_floor"])


async def test_a_model_slower_than_the_floor_is_given_up_for_the_next() -> None:
    world = floored(says("too late", 500), says(TEXT), ms=50)
    verdict, run = await world.perform(chain(), profile("chat"))
    assert (verdict.candidate.text, run.degraded) == (TEXT, ["below_floor", "fallback"])
    assert [(stage.status, stage.error) for stage in run.stages] == [("cancelled", "cancelled"), ("ok", None)]
    assert world.provider.open == 0


async def test_the_last_target_may_take_its_time() -> None:
    world = floored(says("too late", 500), says("slow too", 500), says(TEXT, 100), ms=50)
    verdict, _ = await world.perform(chain(), profile("chat"))
    assert verdict.candidate.text == TEXT


async def test_an_answer_that_was_shown_as_it_was_written_stands_below_the_floor_too() -> None:
    world = floored(REFUSES, says(TEXT), confidence=0.4, ms=1)
    _, run = await world.perform(chain(stream=True), profile("chat"))
    assert (len(world.provider.calls), run.degraded, run.streamed) == (1, ["below_floor"], True)


async def test_a_caller_who_leaves_while_the_floor_runs_cancels_the_call() -> None:
    world = floored(says("too late", 500), says(TEXT), ms=400)
    work = asyncio.create_task(world.carry_out(world.prepare(chain(), profile("chat"))))
    await asyncio.sleep(0.02)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert (len(world.provider.calls), world.provider.open) == (1, 0)


class Filters:
    """A provider whose models' answers are blocked for the named ones, whole and streamed; `said` comes before."""

    id = "sandbox"

    def __init__(self, *names: str, said: str = "") -> None:
        self.calls: list[str] = []
        self._names = names
        self._said = said

    async def complete(self, call: ModelCall) -> Completion:
        """Answer, or not."""
        self.calls.append(call.model.id)
        blocked = call.model.id in self._names
        return Completion(self._said if blocked else TEXT, "content_filter" if blocked else "stop", Usage(9, 2))

    async def stream(self, call: ModelCall) -> AsyncGenerator[TextDelta | Completion, None]:
        """Answer in one piece, or not."""
        done = await self.complete(call)
        if done.text:
            yield TextDelta(done.text)
        yield done


async def filtered(provider: Filters, **more: Any) -> tuple[Verdict, Run]:
    world = World({"a": FAILS, "b": FAILS, "c": FAILS}, [model("a"), model("b", family="a"), model("c")])
    world.provider = provider  # type: ignore[assignment]  # as far as it is used
    return await world.perform(ask(OPEN, **{"pinned": "a", "fallback": ("b", "c")} | more), profile("chat"))


@pytest.mark.parametrize("stream", [False, True])
async def test_a_block_in_place_of_an_answer_goes_to_a_model_of_another_family(*, stream: bool) -> None:
    provider = Filters("a", "b")
    verdict, run = await filtered(provider, stream=stream)
    assert (verdict.candidate.text, provider.calls, run.degraded) == (TEXT, ["a", "c"], ["fallback"])
    assert [(stage.status, stage.error) for stage in run.stages] == [("failed", "content_filter"), ("ok", None)]
    assert run.stages[0].usage == Usage(9, 2)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_block_that_nobody_else_is_there_for_is_the_answer(*, stream: bool) -> None:
    for fallback in (("b",), ()):
        provider = Filters("a", "b")
        verdict, run = await filtered(provider, fallback=fallback, stream=stream)
        assert (verdict.candidate.completion.finish_reason, provider.calls) == ("content_filter", ["a"])
        assert [(stage.status, stage.error) for stage in run.stages] == [("ok", None)]


async def test_a_block_is_the_answer_where_all_others_block_too() -> None:
    provider = Filters("a", "b", "c")
    verdict, _ = await filtered(provider)
    assert (verdict.candidate.completion.finish_reason, provider.calls) == ("content_filter", ["a", "c"])


@pytest.mark.parametrize("stream", [False, True])
async def test_a_block_after_some_words_is_an_answer_that_was_cut_and_stands(*, stream: bool) -> None:
    provider = Filters("a", said="The sea")
    verdict, _ = await filtered(provider, stream=stream)
    assert (verdict.candidate.text, provider.calls) == ("The sea", ["a"])
