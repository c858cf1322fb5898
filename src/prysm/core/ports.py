"""The seams with two or more real implementations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from prysm.core.chat import Completion, ModelCall, Piece


class Provider(Protocol):
    """Someone who runs models: a vendor's API, a server on this machine, or the sandbox.

    Every failure is a `prysm.errors.ProviderError`; nothing raw escapes.
    """

    @property
    def id(self) -> str:
        """The provider's name in the catalog."""
        ...

    async def complete(self, call: ModelCall) -> Completion:
        """Answer in one piece: what the model says, or the vectors that the call asks for."""
        ...

    def stream(self, call: ModelCall) -> AsyncGenerator[Piece | Completion, None]:
        """Answer as it is written: pieces, then exactly one `Completion` with the whole text, last.

        A stream that ends without its `Completion` raised; truncation is never a short answer. Close it
        (`contextlib.aclosing`) to hang up early.
        """
        ...
