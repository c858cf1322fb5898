"""`prysm serve` without receipts: what a gateway that seals is compared with. For measurements only, so it is here.

Everything else is as it is served: plans, calls, scores and the account of what was spent.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from prysm.cli import main
from prysm.core.account import account
from prysm.core.payer import FREELY
from prysm.proof.sealed import Sealed
from prysm.receipt import Receipt
from prysm.store.notary import Notary

if TYPE_CHECKING:
    from uuid import UUID

    from prysm.core.payer import Admitted, Payer
    from prysm.core.run import Finished
    from prysm.proof.sealed import SealState
    from prysm.proof.signing import SigningKey

_HASH = hashlib.sha256(b"").digest()


class Forgetful:
    """A sealer that keeps nothing."""

    away = False

    def __init__(self) -> None:
        self._done: asyncio.Future[Admitted] = asyncio.get_running_loop().create_future()
        self._done.set_result(FREELY)

    def intend(self, _: UUID, __: bytes, ___: Payer) -> asyncio.Future[Admitted]:
        """Write nothing down."""
        return self._done

    def release(self, _: UUID) -> None:
        """Nothing is held."""

    async def put(self, _: Sealed) -> SealState:
        """Keep nothing."""
        return "sealed"


class UnsealedNotary:
    """Opens the gateway's parts with a sealer that keeps nothing."""

    @staticmethod
    async def open(*args: Any, **given: Any) -> Notary:
        """As `Notary.open`."""
        forgetful: Any = Forgetful()
        return replace(await Notary.open(*args, **given), sealer=forgetful)


def _no_intent(*_: object) -> bytes:
    return b""


def _no_beginning(*_: object) -> dict[str, object]:
    return {}


def _no_receipt(run: Finished, _: object, __: SigningKey) -> Receipt:
    sealed = Sealed(run.request_id, b"", _HASH, ())
    return Receipt(str(run.request_id), sealed, account(run.stages), "", {})


if __name__ == "__main__":
    with (
        patch("prysm.gateway.beginning", _no_beginning),
        patch("prysm.gateway.intent_of", _no_intent),
        patch("prysm.gateway.make_receipt", _no_receipt),
        patch("prysm.app.Notary", UnsealedNotary),
    ):
        main()
