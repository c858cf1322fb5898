"""`prysm serve` without receipts: what a gateway that seals is compared with. For measurements only, so it is here.

Everything else is as it is served: plans, calls, scores, and the books. What a run is charged is settled before its
answer leaves, for all that wait with one statement and one flush of the disk, as any gateway with tenants has to do. So
the difference is what receipts cost: intent, record, hashes, commitments, signature, their rows, and the log.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING
from unittest.mock import patch

from asyncpg.pgproto.pgproto import UUID as FastUUID  # noqa: N811 - as the gateway that seals has it

from prysm.cli import main
from prysm.core.account import account
from prysm.core.payer import FREELY
from prysm.proof.sealed import Sealed
from prysm.receipt import Receipt
from prysm.store.batch import Batch, charges
from prysm.store.committer import GroupCommitter
from prysm.store.log.sequencer import Sequencer

if TYPE_CHECKING:
    from uuid import UUID

    from prysm.core.payer import Admitted
    from prysm.core.run import Finished
    from prysm.proof.signing import SigningKey
    from prysm.store.batch import Statements
    from prysm.store.connection import Connection

SETTLE = "SELECT settle($1::uuid[], '[]', $2::text::jsonb, $3)"

_HASH = hashlib.sha256(b"").digest()


def _intend(*_: object, **__: object) -> asyncio.Future[Admitted]:
    done: asyncio.Future[Admitted] = asyncio.get_running_loop().create_future()
    done.set_result(FREELY)
    return done


async def _settle(batch: Batch, connection: Connection, _: Statements, instance: UUID) -> None:
    ids = [FastUUID(row.sealed.request_id.bytes) for row in batch.endings]
    await connection.fetchval(SETTLE, ids, charges(batch.endings), instance)
    for row in batch.endings:
        row.accept()


def _no_log(_: Sequencer) -> None:
    """Nothing came into its queue."""


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
        patch.object(GroupCommitter, "intend", _intend),
        patch.object(Batch, "send", _settle),
        patch.object(Sequencer, "wake", _no_log),
    ):
        main()
