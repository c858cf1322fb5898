"""The time limits of one call, kept by one timer however many reads the call takes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from prysm.core.provider import ProviderSpec


class Limits:
    """The total, the first byte, the silence between two reads. `with limits:` raises `TimeoutError` when one is over.

    The first byte of an answer that is not streamed comes when the model has finished, so only the total bounds it.
    While nobody waits, because whoever reads the answer is still busy with the last of it, the clock stands still:
    a slow caller is no fault of the provider. Most waits are over long before their limit: an `asyncio.timeout` for
    each would make and drop a timer a read, a good part of what it costs to relay it. The timer here rings when the
    shortest of the limits would be over, and is wound anew only if it must be. `close()` when the call is over.
    """

    __slots__ = (
        "_cancelled",
        "_due",
        "_end",
        "_first_s",
        "_idle_s",
        "_loop",
        "_over",
        "_paused",
        "_rings",
        "_spec",
        "_task",
        "_timer",
        "_waits",
        "heard",
    )

    def __init__(self, spec: ProviderSpec, *, streamed: bool) -> None:
        self._spec = spec
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + spec.timeout_s
        self._first_s = spec.first_byte_timeout_s if streamed else spec.timeout_s
        self._idle_s = spec.idle_timeout_s
        self._timer: asyncio.Handle | None = None
        self._rings = 0.0
        self._paused: float | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancelled = 0
        self._due = 0.0
        self._waits = self._over = False
        self.heard = False

    def __enter__(self) -> Self:
        """Begin to wait for the next byte; the wait for the first begins when this is first entered."""
        task = self._task = asyncio.current_task(self._loop)
        self._cancelled = 0 if task is None else task.cancelling()
        self._waits = True
        now = self._loop.time()
        if self._paused is not None:
            self._end += now - self._paused
        silent = now + self._idle_s
        if self.heard:
            self._due = min(silent, self._end)
        elif not self._due:  # the first byte
            self._due = min(now + self._first_s, self._end)
        if self._timer is None or self._rings > self._due:
            self._wind(min(self._due, silent))
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        """Wait no longer; raise `TimeoutError` in place of the cancellation that the timer brought about.

        A failed wait ends the call, and the timer with it.
        """
        self._waits = False
        if kind is None:
            self._paused = self._loop.time()
            return
        self.close()
        if (
            self._over
            and self._task is not None
            and self._task.uncancel() <= self._cancelled
            and issubclass(kind, asyncio.CancelledError)
        ):
            raise TimeoutError from None

    def close(self) -> None:
        """Drop the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def which(self) -> str:
        """Say which limit ran out and where to raise it."""
        spec = self._spec
        if self._loop.time() >= self._end:
            return f"did not finish within timeout_s = {spec.timeout_s:g}; raise it or ask for a shorter answer"
        if self.heard:
            return f"fell silent for idle_timeout_s = {spec.idle_timeout_s:g}; try again or choose another model"
        return f"sent nothing within first_byte_timeout_s = {spec.first_byte_timeout_s:g}; raise it or try again"

    def _wind(self, when: float) -> None:
        self.close()
        self._rings = when  # uvloop's handle for a moment that is over, or nearly, does not know it
        self._timer = self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if not self._waits or self._task is None:
            return
        if self._loop.time() < self._due:
            self._wind(self._due)
            return
        self._over = True
        self._task.cancel()
