"""What a gateway needs so that its receipts hold: keys that sign, and a place that keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from asyncio import Future
    from uuid import UUID

    from prysm.core.payer import Admitted, Payer
    from prysm.proof.sealed import Sealed, SealState
    from prysm.proof.signing import SigningKey


class Sealer(Protocol):
    """Makes intents and receipts durable."""

    @property
    def away(self) -> bool:
        """Whether nothing can be made durable now."""
        ...

    def intend(self, request_id: UUID, intent: bytes, payer: Payer) -> Future[Admitted]:
        """Write down that a run begins; done when that is durable, or `ProofUnavailable`.

        A limited run may begin only then, or not at all: `BudgetExceeded`, `RateLimited`.
        """
        ...

    def release(self, request_id: UUID) -> None:
        """Take back the intent of a limited run that did not begin."""
        ...

    async def put(self, sealed: Sealed) -> SealState:
        """Store the receipt and its stages, also when the wait for it is cancelled; raises `ProofUnavailable`."""
        ...


class Keys(Protocol):
    """The keys that sign."""

    @property
    def receipt(self) -> SigningKey:
        """The key for receipts that is in force."""
        ...
