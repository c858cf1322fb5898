"""Random bytes of the system, drawn some thousand at a time: a call of the system costs more than the bytes."""

from __future__ import annotations

import os

DRAWN_BYTES = 4096


class Entropy:
    """Gives every byte out once. One per process: a child that is forked draws its own."""

    __slots__ = ("_at", "_drawn")

    def __init__(self) -> None:
        self.forget()
        os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """Draw anew the next time."""
        self._drawn, self._at = b"", 0

    def take(self, count: int) -> bytes:
        """`count` random bytes, at most `DRAWN_BYTES`."""
        at = self._at
        taken = self._drawn[at : at + count]
        if len(taken) < count:
            self._drawn, at = os.urandom(DRAWN_BYTES), 0
            taken = self._drawn[:count]
        self._at = at + count
        return taken


random_bytes = Entropy().take
