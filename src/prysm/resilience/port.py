"""What resilience needs of the world: a clock, and someone to tell."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from prysm.core.model import Model
    from prysm.core.provider import Standing
    from prysm.errors import FailureKind


@dataclass(frozen=True, slots=True)
class Clock:
    """Seconds as `time.monotonic` counts them, a sleep, and a call that comes later. Tests put in their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    later: Callable[[float, Callable[[], None]], object] = lambda delay, call: (
        asyncio.get_running_loop().call_later(delay, call)
    )


REAL = Clock()


class Watch(Protocol):
    """Is told what happens between the calls, and must return at once."""

    def stands(self, provider: str, model: str | None, standing: Standing) -> None:
        """A breaker changed: that of one model, or, without one, that of the provider's credential."""
        ...

    def retried(self, model: Model, kind: FailureKind) -> None:
        """A call that failed so is made again."""
        ...

    def hedged(self, model: Model) -> None:
        """A call that takes long got a second one beside it."""
        ...
