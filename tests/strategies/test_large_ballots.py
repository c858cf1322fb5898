"""A vote of many long answers, wave after wave: each answer is read once, and each two are compared once."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from tests.scripted_models import OPEN, SUM, World, ask, profile

from prysm.scoring import cluster
from prysm.scoring.equivalence import ready, similarity

if TYPE_CHECKING:
    from collections.abc import Callable

    from prysm.core.model import Task

SAMPLES, WORDS = 40, 50


def essays(question: str) -> World:
    """A model that never writes the same twice."""
    rng = random.Random(4)  # noqa: S311 - made-up words, no secret
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 9))) for _ in range(3_000)]
    end = [f" The answer is {i}." if question == SUM else "." for i in range(SAMPLES)]
    texts = [" ".join(rng.choices(words, k=WORDS)) + end[i] for i in range(SAMPLES)]
    return World.told(lambda call: texts[call.sample], "a")


@pytest.mark.parametrize(("question", "task"), [(OPEN, "writing"), (SUM, "math")])
async def test_no_wave_does_again_what_an_earlier_one_did(
    question: str, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[Any] = Counter()
    compared: Counter[Any] = Counter()

    def counting(counter: Counter[Any], work: Callable[..., Any], key: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any) -> Any:
            counter[key(*args)] += 1
            return work(*args)

        return counted

    monkeypatch.setattr(cluster, "ready", counting(read, ready, lambda said, _: said))
    pair = counting(compared, similarity, lambda a, b: frozenset((a.text, b.text)))
    monkeypatch.setattr(cluster, "similarity", pair)
    world = essays(question)
    await world.perform(ask(question, strategy="self_consistency", samples=SAMPLES), profile(task))
    assert len(world.provider.calls) == SAMPLES
    assert (len(read), set(read.values())) == (SAMPLES, {1})
    assert (len(compared), set(compared.values())) == (SAMPLES * (SAMPLES - 1) // 2, {1})
