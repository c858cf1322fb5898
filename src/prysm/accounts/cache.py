"""Answers that are given again to who asks for the same, and says that he wants that."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import structlog

from prysm.accounts import cache_entry
from prysm.accounts.cache_key import key_of
from prysm.core.cache import NOWHERE, Caching, Entry, Lookup
from prysm.errors import ProofUnavailable
from prysm.vault import WrongEncryptionKey

if TYPE_CHECKING:
    from datetime import timedelta
    from uuid import UUID

    from prysm.core.cache import Recalled
    from prysm.core.caller import Caller
    from prysm.core.plan import ChatRequest, Plan
    from prysm.core.run import Finished
    from prysm.vault import Vault

KEY_INFO = b"prysm cache key 1"
AAD = b"prysm cache 1"
LARGEST = 4_000_000
"""Bytes of an answer that is still kept."""
MOST_UNDER_WAY = 64
"""Answers on their way into the database; what comes on top is not kept."""

log = structlog.get_logger()


class Store(Protocol):
    """Keeps bytes for a while. Both methods raise ProofUnavailable."""

    async def get(self, org: UUID, key: bytes, ttl_s: int) -> tuple[bytes, int] | None:
        """The newest that is kept under the key, and its age in seconds, at most `ttl_s`."""
        ...

    async def put(self, org: UUID, key: bytes, request_id: UUID, body: bytes, ttl_s: int) -> None:
        """Keep what a run answered for so long, in place of what is kept there and is over by then."""
        ...


class Cache:
    """Exact: an answer is given again only for a request that is the same in all that could shape it.

    `ttl` is for how long answers are kept where the request does not say; None keeps none. `catalog` is what
    `catalog_digest` makes of it. Entries belong to an organisation, and lie encrypted, bound to it and to what was
    asked. While the database is away nothing is found.
    """

    def __init__(self, store: Store, vault: Vault, ttl: timedelta | None, catalog: bytes) -> None:
        self._store = store
        self._vault = vault
        self._ttl_s = None if ttl is None else int(ttl.total_seconds())
        self._catalog = catalog
        self._secret = b""
        self._under_way: set[asyncio.Task[None]] = set()

    def settled(self, request: ChatRequest, caller: Caller) -> ChatRequest:
        """The request with what it and the caller's key want of the cache made one, and the time its text is kept."""
        wish = request.cache
        if wish is None and not caller.cache:
            return request
        wish = wish or Caching()
        if not wish.wanted:
            return replace(request, cache=None)
        ttl_s = wish.ttl_s or self._ttl_s
        if self._ttl_s is None or ttl_s is None or request.retention_zero:
            return replace(request, cache=replace(wish, ttl_s=None))
        return replace(request, cache=replace(wish, ttl_s=ttl_s), kept_s=max(request.kept_s or 0, ttl_s))

    async def look(self, request: ChatRequest, plan: Plan, caller: Caller) -> Lookup | None:
        """Whether there is an answer to a `settled` request; None when nobody wants to know."""
        if request.cache is None:
            return None
        ttl_s = request.cache.ttl_s
        if ttl_s is None or plan.degraded:
            return NOWHERE
        self._secret = self._secret or self._vault.derived(KEY_INFO)
        entry = Entry(caller.org, key_of(self._secret, caller.org, request, plan, self._catalog), ttl_s)
        try:
            kept = await self._store.get(entry.org, entry.key, ttl_s)
        except ProofUnavailable:
            return NOWHERE
        return Lookup(entry, None if kept is None else self._opened(entry, *kept, plan))

    def keep(self, lookup: Lookup, run: Finished, proof_hash: str) -> None:
        """Keep the answer of a run that went well, without anybody waiting for it."""
        if lookup.entry is None or lookup.found is not None or run.outcome != "ok":
            return
        if len(self._under_way) < MOST_UNDER_WAY:
            task = asyncio.create_task(self._keep(lookup.entry, run, proof_hash))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """Wait for what is on its way into the database."""
        await asyncio.gather(*self._under_way)

    async def _keep(self, entry: Entry, run: Finished, proof_hash: str) -> None:
        if run.verdict is None:
            return
        body = cache_entry.written(run, run.verdict, proof_hash)
        if len(body) > LARGEST:
            return
        try:
            sealed = self._vault.wrap(body, _aad(entry))
            await self._store.put(entry.org, entry.key, run.request_id, sealed, entry.ttl_s)
        except ProofUnavailable:
            log.warning("an answer is not kept for others: the database does not answer")

    def _opened(self, entry: Entry, sealed: bytes, age_s: int, plan: Plan) -> Recalled | None:
        try:
            return cache_entry.read(self._vault.unwrap(sealed, _aad(entry)), age_s, plan)
        except (WrongEncryptionKey, ValueError, LookupError, TypeError):
            return None  # kept under another encryption key, say: it is replaced by what the run answers


def _aad(entry: Entry) -> bytes:
    """What an entry belongs to: two parts of a fixed length."""
    return AAD + entry.org.bytes + entry.key
