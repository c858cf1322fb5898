"""What the wrappers cost a call that goes well."""

from __future__ import annotations

import time

from tests.resilience.scripted_provider import CALL, DONE, Seen, spec

from prysm.resilience import resilient

CALLS = 2000
MOST_US = 8.0


class Instant:
    """A provider that takes no time."""

    id = "acme"

    async def complete(self, _: object) -> object:
        """Answer."""
        return DONE


async def test_a_call_that_goes_well_costs_a_few_microseconds_more() -> None:
    bare = Instant()
    wrapped = resilient(bare, spec(), Seen())  # type: ignore[arg-type]  # it cannot stream
    costs = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(CALLS):
            await wrapped.complete(CALL)
        costs.append((time.process_time() - began) / CALLS * 1e6)
    assert min(costs) <= MOST_US
