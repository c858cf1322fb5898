"""Which target can do better than the one that failed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.scripted_models import OPEN, World, ask, model, profile, says

from prysm.errors import AllModelsFailed
from prysm.providers.sandbox import SandboxProfile
from prysm.strategies.stand_in import stand_ins

FAILED = model("failed", context_window=100, family="f")
SMALLER = model("smaller", context_window=50, family="f")
LARGER = model("larger", context_window=200, family="g")
UNKNOWN = replace(model("unknown"), provider="elsewhere")
LEFT = [SMALLER, LARGER, UNKNOWN]


@pytest.mark.parametrize(
    ("why", "expected"),
    [
        ("context_length", [LARGER, UNKNOWN]),
        ("content_filter", [LARGER, UNKNOWN]),
        ("auth", [UNKNOWN]),
        ("unavailable", LEFT),
        ("circuit_open", LEFT),
        (None, LEFT),
    ],
)
def test_what_failed_says_who_can_stand_in(why: str | None, expected: list[object]) -> None:
    assert stand_ins(LEFT, FAILED, why) == expected


async def test_a_prompt_that_is_too_long_skips_the_smaller_model_on_its_way_to_the_larger() -> None:
    scripts = {"a": SandboxProfile(fails_with="context_length"), "b": says("no"), "c": says("The sea is salt.")}
    windows = {"a": 1000, "b": 500, "c": 2000}
    world = World(scripts, models=[model(name, context_window=size) for name, size in windows.items()])
    verdict, run = await world.perform(ask(OPEN, pinned="a", fallback=("b", "c")), profile("chat"))
    assert (verdict.candidate.model.id, run.degraded) == ("c", ["fallback"])


async def test_when_nobody_can_stand_in_the_failures_so_far_are_listed() -> None:
    scripts = {"a": SandboxProfile(fails_with="content_filter"), "b": says("no")}
    world = World(scripts, models=[model(name, family="same") for name in scripts])
    with pytest.raises(AllModelsFailed) as caught:
        await world.perform(ask(OPEN, pinned="a", fallback=("b",)), profile("chat"))
    assert ([(x.model, x.error) for x in caught.value.attempts], caught.value.lasting) == (
        [("a", "content_filter")],
        True,
    )
