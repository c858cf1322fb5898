"""A vote of many long answers: how long it keeps others waiting."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from tests.scripted_models import OPEN, SUM, World, ask, profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prysm.core.model import Task

SAMPLES, WORDS = 40, 500
BOUND_S = 0.04
"""Less than half of what the whole ballot takes from nothing."""


def essays(question: str) -> World:
    """A model that writes at length, and never the same twice."""
    rng = random.Random(4)  # noqa: S311 - made-up words, no secret
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 9))) for _ in range(3_000)]
    end = [f" The answer is {i}." if question == SUM else "." for i in range(SAMPLES)]
    texts = [" ".join(rng.choices(words, k=WORDS)) + end[i] for i in range(SAMPLES)]
    return World.told(lambda call: texts[call.sample], "a")


async def longest_hold() -> float:
    """Seconds of this thread's CPU time, at most, between two turns of the loop, until cancelled."""
    longest, last = 0.0, time.thread_time()
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, last = max(longest, now - last), now
    return longest


@pytest.fixture
def _uncollected() -> Iterator[None]:
    """No garbage collection, whose pauses grow with what other tests left in the process."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_uncollected")
@pytest.mark.parametrize(("question", "task"), [(OPEN, "writing"), (SUM, "math")])
async def test_forty_long_answers_hold_up_nobody(question: str, task: Task) -> None:
    world, ticker = essays(question), asyncio.create_task(longest_hold())
    await world.perform(ask(question, strategy="self_consistency", samples=SAMPLES), profile(task))
    ticker.cancel()
    held = await ticker
    assert len(world.provider.calls) == SAMPLES
    assert held < BOUND_S
