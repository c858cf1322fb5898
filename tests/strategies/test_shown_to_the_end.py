"""An answer that is shown as it is written is read to its end, so that whoever watches the provider sees it succeed."""

from __future__ import annotations

import pytest
from tests.resilience.scripted_provider import Act, Scripted, Seen
from tests.scripted_models import SUM, World, ask, says

from prysm.core.events import ignore
from prysm.errors import ProviderError
from prysm.resilience.breaker import Breaker
from prysm.resilience.circuit import IN_A_ROW
from prysm.strategies import Run


async def test_a_streamed_answer_ends_a_row_of_faults() -> None:
    acts: list[Act] = ["connect"] * (IN_A_ROW - 1)
    acts = [*acts, None, *acts, None]
    world, breaker = World({"a": says("391")}), Breaker(Scripted(list(acts)), Seen())
    request = ask(SUM, pinned="a", stream=True)
    for fault in acts:
        run = Run(request, world.plan(request), {"sandbox": breaker}, ignore, bytes(8))
        if fault is None:
            await world.carry_out(run)
        else:
            with pytest.raises(ProviderError, match="connect"):
                await world.carry_out(run)
