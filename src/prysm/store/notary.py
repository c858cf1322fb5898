"""Everything that makes receipts hold, opened and closed together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from prysm.store.committer import GroupCommitter
from prysm.store.heir import Heir
from prysm.store.intents import Intents, Reaper
from prysm.store.lease import LEASE_S, Lease
from prysm.store.log.begin import open_log
from prysm.store.log.pin import Pins
from prysm.store.log.sequencer import Sequencer
from prysm.store.presence import Presence
from prysm.store.spool import Spool
from prysm.store.spooling import SpoolingSealer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from uuid import UUID

    from prysm.proof.sealed import Sealed
    from prysm.proof.signing import SigningKey
    from prysm.store.connection import Pool
    from prysm.store.intents import Intent
    from prysm.store.log.keys import SigningKeys
    from prysm.vault import Vault

PINS = "pins"
SPOOL = "spool"
INSTANCES = "instances"
SPOOLING_LEASE_S = 3600.0
"""Receipts in files are found from their own data directory only, where a killed gateway is known to be dead. The
others wait this long before they call its runs cut off."""


@dataclass(frozen=True, slots=True)
class Notary:
    """The committer (or the spool before it), the keys that sign, and the tasks that keep the log and the intents."""

    keys: SigningKeys
    sealer: GroupCommitter | SpoolingSealer
    committer: GroupCommitter
    sequencer: Sequencer
    lease: Lease
    presence: Presence
    tasks: tuple[asyncio.Task[None], ...]

    @classmethod
    async def open(
        cls,
        url: str,
        pool: Pool,
        data_dir: Path,
        vault: Vault,
        interrupted: Callable[[UUID, bytes, SigningKey], Sealed],
        *,
        spool: bool,
    ) -> Self:
        """Open the log and begin to work; `interrupted` writes the receipt of a run that a crash cut off.

        Raises ConfigError when the database, the signing keys or the data directory cannot be used.
        """
        pins = Pins(data_dir / PINS)
        keys = await open_log(url, vault, pins)
        sequencer = Sequencer(url, vault, pins, keys)
        committer = await GroupCommitter.open(url, stored=sequencer.wake, keys=keys)
        presence = Presence(data_dir / INSTANCES, committer.instance)
        lease = Lease(pool, committer.instance, SPOOLING_LEASE_S if spool else LEASE_S)
        await lease.renew()

        def seal(intent: Intent) -> Sealed:
            return interrupted(intent.request_id, intent.body, keys.receipt)

        files = spool_in(data_dir, wanted=spool)
        spooling = SpoolingSealer(committer, files) if files else None
        heir = Heir(presence.folder, lease, spooling.drain if spooling else _nothing)
        work = [lease.keep(), heir.run(), Reaper(Intents(pool, lease), seal, committer.put).run()]
        if spooling:
            work.append(spooling.keep_draining())
        sequencer.start()
        sealer = spooling if spooling and spool else committer
        tasks = tuple(map(asyncio.create_task, work))
        return cls(keys, sealer, committer, sequencer, lease, presence, tasks)

    async def close(self) -> None:
        """Store what is queued; what is not in the log by then waits there for the next gateway."""
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)
        await self.committer.close()
        if isinstance(self.sealer, SpoolingSealer):
            await self.sealer.close()
        await self.sequencer.close()
        await self.lease.close()
        self.presence.close()


def spool_in(data_dir: Path, *, wanted: bool) -> Spool | None:
    """The spool, also when it is not wanted any more and may hold receipts. Raises ConfigError like `Spool`."""
    folder = data_dir / SPOOL
    return Spool(folder) if wanted or folder.is_dir() else None


async def _nothing() -> None:
    """No gateway of this data directory has spooled anything."""
