"""Recompute everything that a database holds of receipts and their log, and name what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.proof.defect import Defect
from prysm.proof.keys import read_keys
from prysm.store.fsck.audit import Audit
from prysm.store.fsck.events import check_events
from prysm.store.fsck.keys import check_keys
from prysm.store.fsck.ledger import check_ledger
from prysm.store.fsck.logs import Log, check_log, check_twice
from prysm.store.fsck.pending import check_intents, check_leases, check_pins, check_queue
from prysm.store.fsck.receipts import check_receipts
from prysm.store.log.reader import published_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prysm.proof.keys import PublicKey
    from prysm.store.connection import Connection
    from prysm.store.fsck.audit import Progress
    from prysm.store.log.pin import Pin
    from prysm.vault import Vault

_LOGS = "SELECT n, origin FROM log ORDER BY n"
# A table that is dropped is gone from every snapshot; this lock takes none, so all that is seen is from after it.
_STAY = "LOCK TABLE usage, stage IN ACCESS SHARE MODE"


async def fsck(connection: Connection, pins: Sequence[Pin], vault: Vault | None, progress: Progress) -> Audit:
    """Read all of one snapshot, slice by slice, and return what was found.

    `pins` are to be read before: a gateway that runs meanwhile moves them on. Without a `vault` private keys are not
    looked at. Raises what the database raises.
    """
    audit = Audit(connection, progress)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(_STAY)
        keys = [key for item in await published_keys(connection) for key in _read(item)]
        before: str | None = None
        logs = await connection.fetch(_LOGS)
        for n, origin in logs:
            succeeded = n != logs[-1]["n"]
            await check_keys(audit, n, origin, vault, succeeded=succeeded)
            await check_log(audit, Log(n, origin, before, succeeded), keys)
            before = origin
        await check_twice(audit)
        await check_receipts(audit, keys)
        await check_events(audit)
        await check_queue(audit, keys)
        await check_intents(audit)
        await check_leases(audit)
        await check_pins(audit, pins, keys)
        await check_ledger(audit)
    return audit


def _read(item: object) -> Iterator[PublicKey]:
    """A key as verifiers read it; one that none would read is named by `check_keys`, and verifies nothing."""
    try:
        yield from read_keys({"keys": [item]})
    except Defect:
        return
