"""A database filled through the real seal path: signed receipts, in the log, on their way to it, and deleted."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from tests.signed_receipts import RECORD, STAGES
from tests.store.log_scene import SECRET, Scene, scene

from prysm.receipt.seal import seal
from prysm.store.committer import GroupCommitter
from prysm.store.deletion import delete
from prysm.store.fsck import fsck
from prysm.store.log.pin import Pin
from prysm.vault import Vault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from uuid import UUID

    from tests.store.log_scene import Gateway

    from prysm.store.fsck.audit import Audit


class Filled(Scene):
    """A scene that seals receipts as a gateway does."""

    committer: GroupCommitter
    gateway: Gateway

    async def seal(self, number: int) -> list[UUID]:
        """Seal some receipts; they wait for the log until it is drained."""
        ids = [uuid4() for _ in range(number)]
        made = [seal(one, RECORD | {"request_id": str(one)}, STAGES, self.gateway.keys.receipt) for one in ids]
        await asyncio.gather(*map(self.committer.put, made))
        return ids

    async def logged(self, number: int) -> list[UUID]:
        """Seal some receipts and take them up into the log."""
        ids = await self.seal(number)
        await self.gateway.sequencer.drain()
        return ids

    async def audit(self, folder: str | None = None, vault: Vault | None = None) -> Audit:
        """What fsck finds, with the pins of a folder if one is named."""
        pins = [] if folder is None else [Pin.read(path) for path in (self.folder / folder).glob("*.checkpoint")]
        return await fsck(self.connection, pins, vault or Vault(SECRET), lambda *_: None)

    async def tamper(self, *statements: str) -> None:
        """Change the database behind the back of every trigger and foreign key."""
        await self.connection.execute("SET session_replication_role = replica")
        for statement in statements:
            await self.connection.execute(statement)
        await self.connection.execute("SET session_replication_role = DEFAULT")


@asynccontextmanager
async def filled(url: str, folder: Path, number: int = 12) -> AsyncIterator[Filled]:
    """`number` receipts in the log under several checkpoints, one of them deleted, and two on their way."""
    async with scene(url, folder) as plain:
        made = Filled(plain.url, plain.folder, plain.connection, plain.running)
        made.gateway = await made.start()
        made.committer = await GroupCommitter.open(url)
        try:
            for part in (number // 3, number - number // 3):
                first, *_ = await made.logged(part)
            await delete(made.connection, first)
            await made.seal(2)
            yield made
        finally:
            await made.committer.close()
