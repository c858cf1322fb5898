"""What all bodies that are still coming in may take of the memory together: each alone is far below it."""

from __future__ import annotations

from prysm.errors import Overloaded

MOST_BYTES = 256_000_000
MOST_KEYLESS_BYTES = 32_000_000
"""Of that, those of callers without a key: strangers can only keep each other waiting."""
RETRY_AFTER_S = 1.0


class Incoming:
    """The bytes of bodies that have begun to come, in this process."""

    def __init__(self, most: int = MOST_BYTES, most_keyless: int = MOST_KEYLESS_BYTES) -> None:
        self._left = {False: most, True: most_keyless}

    def take(self, number: int, *, keyless: bool) -> None:
        """Keep some more; raises `Overloaded` when there is no room for them."""
        if self._left[keyless] < number:
            full = Overloaded("Too many requests are being sent to the gateway at once. Send it again in a moment.")
            full.retry_after_s = RETRY_AFTER_S
            raise full
        self._left[keyless] -= number

    def give_back(self, number: int, *, keyless: bool) -> None:
        """The body is whole, or it is not wanted any more."""
        self._left[keyless] += number


incoming = Incoming()
