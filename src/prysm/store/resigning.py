"""Sign receipts and have them stored; again, when the key is revoked meanwhile: what they say stays the same."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prysm.errors import ConfigError
from prysm.store.batch import VoidKey

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from prysm.store.batch import Batch, Statements
    from prysm.store.connection import Connection
    from prysm.store.log.keys import SigningKeys

PAUSE_S = 0.05
AT_ONCE = 64
"""Signatures between two looks at what else there is to do: some two milliseconds."""


@dataclass(frozen=True, slots=True)
class Resigner:
    """Sends batches; `announce` asks the log to take up a new key."""

    keys: SigningKeys | None
    announce: Callable[[], object]

    async def send(self, batch: Batch, connection: Connection, statements: Statements, instance: UUID) -> None:
        """Sign and store a batch, for as long as the caller's patience lasts: without a good key nothing is sealed."""
        await _sign(batch)
        while True:
            try:
                return await batch.send(connection, statements, instance)
            except VoidKey:
                if self.keys is None:
                    raise ConfigError("There is no key to sign with.") from None
            self.announce()
            await self.keys.refresh(connection)
            await _sign_again(batch, connection, self.keys)
            await asyncio.sleep(PAUSE_S)


async def _sign(batch: Batch) -> None:
    for i, row in enumerate(batch.endings, 1):
        row.sealed = row.sealed.signed()
        if i % AT_ONCE == 0:
            await asyncio.sleep(0)


async def _sign_again(batch: Batch, connection: Connection, keys: SigningKeys) -> None:
    for row in list(batch.endings):
        sealed = await keys.sign_again(connection, row.sealed)
        if sealed is None:
            batch.endings.remove(row)
            row.refuse("no key of this database has signed it")
        else:
            row.sealed = sealed
