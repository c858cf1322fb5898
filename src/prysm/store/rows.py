"""What waits to be made durable, and who waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.core.payer import FREELY, Admitted
from prysm.errors import ProofUnavailable

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable
    from uuid import UUID

    from prysm.core.payer import Payer
    from prysm.errors import PrysmError
    from prysm.proof.sealed import Sealed


class Refused(ProofUnavailable):
    """The database answers and will never take this row: trying again does not help."""


def unavailable(why: str) -> ProofUnavailable:
    """What a caller is told whose receipt is not durable."""
    return _because(ProofUnavailable, why)


def _because(kind: type[ProofUnavailable], why: str) -> ProofUnavailable:
    return kind(
        f"The receipt could not be stored ({why}), so the answer is withheld. Ask again when /ready answers 200."
    )


def settle(durable: Future[Admitted], verdict: Admitted | PrysmError = FREELY) -> None:
    """Tell whoever waits; nobody does when the wait was cancelled."""
    if durable.done():
        return
    if isinstance(verdict, Admitted):
        durable.set_result(verdict)
    else:
        durable.set_exception(verdict)
        durable.exception()  # a run that failed meanwhile never asks, and that is no mistake to log


class Beginning:
    """A run that begins, and whoever waits for its intent."""

    __slots__ = ("body", "durable", "payer", "request_id")

    def __init__(self, request_id: UUID, body: bytes, payer: Payer, durable: Future[Admitted]) -> None:
        self.request_id = request_id
        self.body = body
        self.payer = payer
        self.durable = durable

    def accept(self) -> None:
        """The intent is durable."""
        settle(self.durable)

    def fail(self, why: str) -> None:
        """It is not known to be."""
        settle(self.durable, unavailable(why))

    refuse = fail


class Admission(Beginning):
    """A limited run that wants to begin, and whoever waits for leave."""

    __slots__ = ()

    def decide(self, verdict: Admitted | PrysmError) -> None:
        """It may begin, and what it holds is durable; or it may not, and nothing is held."""
        settle(self.durable, verdict)


class Ending:
    """A receipt, whoever waits for it, and its intent if that is not stored yet and so need not be.

    `failed` is called with the receipt when the database is away; `refused` when it will never take it.
    """

    __slots__ = ("beginning", "durable", "failed", "refused", "sealed")

    def __init__(
        self,
        sealed: Sealed,
        durable: Future[Admitted],
        beginning: Beginning | None,
        failed: Callable[[Sealed], object],
        refused: Callable[[Sealed], object],
    ) -> None:
        self.sealed = sealed
        self.durable = durable
        self.beginning = beginning
        self.failed = failed
        self.refused = refused

    def accept(self) -> None:
        """The receipt is durable."""
        settle(self.durable)
        if self.beginning is not None:
            self.beginning.accept()

    def fail(self, why: str) -> None:
        """It is not known to be."""
        if not self.durable.done() or self.durable.cancelled():  # else stored by an earlier part of its batch
            self.failed(self.sealed)
            self._reject(unavailable(why))

    def refuse(self, why: str) -> None:
        """It never will be."""
        self.refused(self.sealed)
        self._reject(_because(Refused, why))

    def _reject(self, error: ProofUnavailable) -> None:
        settle(self.durable, error)
        if self.beginning is not None:
            settle(self.beginning.durable, error)
