"""A provider that is called with an organisation's own key, which is in memory in the clear only while it is used."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from prysm.errors import ConfigError, ProviderError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from prysm.core.chat import Completion, ModelCall, Piece
    from prysm.core.ports import Provider
    from prysm.core.provider import ProviderSpec

KEPT_S = 30.0
"""For how long an opened key serves further calls."""


class OwnProvider:
    """Calls the provider as the operator configured it, at its address alone, with the key that `opens` gives."""

    def __init__(
        self, spec: ProviderSpec, opens: Callable[[], str], build: Callable[[ProviderSpec], Provider]
    ) -> None:
        self._opens = opens
        self._spec = replace(spec, api_key=None, api_key_env=None)
        self._build = build
        self._keyed: Provider | None = None
        self._revoked = False

    @property
    def id(self) -> str:
        """The provider's name in the catalog."""
        return self._spec.id

    def revoke(self) -> None:
        """Make no further call, those of runs under way neither."""
        self._revoked = True
        self._forget()

    async def complete(self, call: ModelCall) -> Completion:
        """Answer in one piece."""
        return await self._with_key().complete(call)

    async def stream(self, call: ModelCall) -> AsyncGenerator[Piece | Completion, None]:
        """Answer as it is written."""
        async with aclosing(self._with_key().stream(call)) as pieces:
            async for piece in pieces:
                yield piece

    def _with_key(self) -> Provider:
        if self._revoked:
            raise self._unsent(f"Your organisation's key for {self.id} was just revoked. Ask again.")
        if self._keyed is None:
            self._keyed = self._opened()
            asyncio.get_running_loop().call_later(KEPT_S, self._forget)
        return self._keyed

    def _opened(self) -> Provider:
        try:
            return self._build(replace(self._spec, api_key=self._opens()))
        except ConfigError:
            failed = self._unsent(
                f"Your organisation's key for {self.id} cannot be opened: an admin can store it anew, or the operator "
                "start the gateway with the PRYSM_ENCRYPTION_KEY that it was stored under."
            )
        raise failed  # without what it was met by as its context

    def _forget(self) -> None:
        self._keyed = None

    @staticmethod
    def _unsent(why: str) -> ProviderError:
        return ProviderError("auth", why, sent=False)
