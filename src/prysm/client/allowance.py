"""How much of one's time and memory a gateway may take over one receipt, whatever it sends."""

from __future__ import annotations

from time import monotonic

import httpx

from prysm.client.errors import BadAnswer, GatewayUnreachable
from prysm.proof.document import MAX_BYTES

DEADLINE_S = 60.0
SILENCE_S = 20.0


class Allowance:
    """For a receipt with its stages and keys: `DEADLINE_S` seconds and `MAX_BYTES`, over all calls together."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._until = monotonic() + DEADLINE_S
        self._bytes = MAX_BYTES

    def timeout(self) -> httpx.Timeout:
        """How long the next call may wait for something. Raises `GatewayUnreachable` when the time is up."""
        left = self._until - monotonic()
        if left <= 0:
            raise GatewayUnreachable(
                f"The gateway at {self._base_url} took longer than {DEADLINE_S:.0f} s over one receipt: ask again.",
                code="timeout",
            )
        return httpx.Timeout(min(left, SILENCE_S))

    def taken(self, data: bytes) -> bytes:
        """The same bytes, counted. Raises `BadAnswer` when they are too many, and as `timeout` does."""
        self.timeout()
        self._bytes -= len(data)
        if self._bytes < 0:
            raise BadAnswer(
                f"The gateway at {self._base_url} sent more than {MAX_BYTES // 1_000_000} MB for one receipt: is that "
                "a Prysm gateway?"
            )
        return data
