"""What the gateway reads from Postgres, and what it writes apart from receipts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, cast

from prysm.store.audit import AuditStore
from prysm.store.budgets import BudgetStore
from prysm.store.cache import CacheStore
from prysm.store.connection import DATABASE_ERRORS
from prysm.store.credits import CreditStore
from prysm.store.directory import DirectoryStore
from prysm.store.feedback import FeedbackStore
from prysm.store.idempotency import IdempotencyStore
from prysm.store.isolation import EVERYBODY, PUBLIC, SEALER, TENANT, open_pool
from prysm.store.keys import KeyStore
from prysm.store.log.reader import LogReader
from prysm.store.provider_keys import ProviderKeyStore
from prysm.store.receipts import ReceiptStore
from prysm.store.responses import ResponseStore
from prysm.store.tenants import TenantStore
from prysm.store.turns import Turns
from prysm.store.usage import UsageStore

if TYPE_CHECKING:
    from datetime import timedelta

    from prysm.store.connection import Pool
    from prysm.store.lease import Lease

POOL_SIZE = 4
VITAL = 3
"""Connections for the directory of keys, provider keys and the ping, and as many for the lease, the reaper and what
counts requests, one at a time: no reader may hold them up, nor they each other."""
CLOSE_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Database:
    """Small pools, and what is read and written over them. The `Notary`, which writes receipts, is lent `sealing`.

    What strangers may read has a pool of its own, so that they can only keep each other waiting. Each pool has a role
    of the database, and sees no more than that needs; in `pool` are the rows of everybody.
    """

    receipts: ReceiptStore
    log: LogReader
    audit: AuditStore
    directory: DirectoryStore
    keys: KeyStore
    tenants: TenantStore
    usage: UsageStore
    budgets: BudgetStore
    credits: CreditStore
    provider_keys: ProviderKeyStore
    feedback: FeedbackStore
    responses: ResponseStore
    cache: CacheStore
    pool: Pool
    sealing: Pool
    keyed: Pool
    public: Pool

    @classmethod
    async def open(cls, url: str) -> Self:
        """Make the pools; they connect when they are first used."""
        vital = await open_pool(url, VITAL, TENANT, EVERYBODY)
        sealing = await open_pool(url, VITAL, SEALER)
        keyed, public = [await open_pool(url, POOL_SIZE, role) for role in (TENANT, PUBLIC)]
        turns = cast("Pool", Turns(public))  # the stores below only acquire
        receipts = ReceiptStore(turns, vital)
        log, audit = LogReader(turns), AuditStore(keyed)
        tenants = DirectoryStore(vital), KeyStore(keyed), TenantStore(keyed)
        money = UsageStore(keyed), BudgetStore(keyed), CreditStore(keyed)
        brought = ProviderKeyStore(keyed, vital)
        judged, kept = FeedbackStore(keyed), (ResponseStore(keyed), CacheStore(keyed))
        return cls(receipts, log, audit, *tenants, *money, brought, judged, *kept, vital, sealing, keyed, public)

    def idempotency(self, lease: Lease, period: timedelta | None) -> IdempotencyStore:
        """Requests under idempotency keys, claimed by the holder of `lease`, their answers kept for `period`."""
        return IdempotencyStore(self.keyed, lease, period)

    async def close(self) -> None:
        """Disconnect."""
        await asyncio.gather(*map(_close, (self.pool, self.sealing, self.keyed, self.public)))


async def _close(pool: Pool) -> None:
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await pool.close()
    except DATABASE_ERRORS:
        pool.terminate()
