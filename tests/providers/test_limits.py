"""The clock of one call: what it counts, and what it leaves to the caller."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest
import uvloop

from prysm.core.provider import ProviderSpec
from prysm.providers.limits import Limits

SPEC = ProviderSpec("acme", "openai", "http://127.0.0.1/v1", first_byte_timeout_s=0.5, idle_timeout_s=0.5)


def on_uvloop(spec: ProviderSpec, busy_s: float, wait_s: float = 0.0) -> None:
    """Read, do nothing for so long, and read again."""

    async def read() -> None:
        limits = Limits(spec, streamed=True)
        for wait in (0.0, wait_s):
            with limits:
                await asyncio.sleep(wait)
            limits.heard = True
            time.sleep(busy_s)  # noqa: ASYNC251 - the loop is late for its timers
        limits.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(read())


@pytest.mark.parametrize("busy_s", [0.0, 0.0996, 0.0999, 0.1, 0.15])
def test_a_read_that_begins_when_the_timer_is_due_is_no_defect(busy_s: float) -> None:
    on_uvloop(replace(SPEC, timeout_s=0.1), busy_s)


def test_the_time_between_two_reads_is_not_the_providers() -> None:
    on_uvloop(replace(SPEC, timeout_s=0.1, idle_timeout_s=0.1), busy_s=0.25, wait_s=0.02)


def test_what_a_late_read_may_still_take_is_bounded() -> None:
    with pytest.raises(TimeoutError):
        on_uvloop(replace(SPEC, timeout_s=0.1), busy_s=0.2, wait_s=1.0)


async def test_a_limit_below_the_resolution_of_the_loop_is_a_timeout() -> None:
    limits = Limits(replace(SPEC, timeout_s=1e-9), streamed=True)
    with pytest.raises(TimeoutError), limits:
        await asyncio.sleep(1)
