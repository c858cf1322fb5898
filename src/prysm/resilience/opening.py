"""A stream up to its first piece: until then a call can be made again, or raced."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from prysm.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from prysm.core.chat import Completion, ModelCall, Piece
    from prysm.core.ports import Provider

    Opened: TypeAlias = tuple[AsyncGenerator[Piece | Completion, None], Piece | Completion]
    """The stream from its second piece on, and the first; closing the stream hangs up."""


async def opened(provider: Provider, call: ModelCall) -> Opened:
    """Stream a call and wait for its first piece; raise `ProviderError`. Nothing stays open when this raises."""
    pieces = provider.stream(call)
    first = await anext(pieces, None)
    if first is None:
        raise ProviderError("truncated", f"{provider.id} ended the stream without an answer.")
    return pieces, first
