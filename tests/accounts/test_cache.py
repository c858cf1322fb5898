"""When an answer is given again, when it is kept, and what happens when neither can be done."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from tests.accounts.test_cache_entry import HASH, finished
from tests.scripted_models import ask

from prysm.accounts import cache as module
from prysm.accounts.cache import Cache
from prysm.core.cache import NOWHERE, Caching, Entry, Lookup
from prysm.core.caller import ROOT
from prysm.core.chat import Completion, Usage
from prysm.errors import ProofUnavailable
from prysm.vault import Vault

if TYPE_CHECKING:
    from prysm.core.plan import ChatRequest
    from prysm.core.run import Finished

HOUR = timedelta(hours=1)
DONE = Completion("a secret answer", "stop", Usage(5, 5))
WANTED = ask("Hi", cache=Caching())


@dataclass
class Shelves:
    """A store in memory; `away` answers nothing, a cleared `slow` waits."""

    kept: dict[tuple[UUID, bytes], bytes] = field(default_factory=dict)
    asked: int = 0
    away: bool = False
    slow: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.slow.set()

    async def get(self, org: UUID, key: bytes, ttl_s: int) -> tuple[bytes, int] | None:
        """What is kept, as if it were of this moment."""
        self.asked += 1
        if self.away:
            raise ProofUnavailable("away")
        body = self.kept.get((org, key))
        return None if body is None else (body, min(0, ttl_s))

    async def put(self, org: UUID, key: bytes, request_id: UUID, body: bytes, ttl_s: int) -> None:
        """Keep it, for however long."""
        assert request_id == finished(DONE).request_id
        await self.slow.wait()
        if self.away:
            raise ProofUnavailable("away")
        assert ttl_s > 0
        self.kept[org, key] = body


@dataclass
class Desk:
    """A cache over memory, and a run whose answer it may keep."""

    store: Shelves = field(default_factory=Shelves)
    ttl: timedelta | None = HOUR
    vault: Vault = field(default_factory=lambda: Vault("an encryption key of tests"))
    run: Finished = field(default_factory=lambda: finished(DONE))

    def __post_init__(self) -> None:
        self.cache = Cache(self.store, self.vault, self.ttl, bytes(32))

    async def look(self, request: ChatRequest = WANTED, caller: Any = ROOT) -> Lookup | None:
        """Settle and look, as the gateway does."""
        return await self.cache.look(self.cache.settled(request, caller), self.run.plan, caller)

    async def keep(self, request: ChatRequest = WANTED, caller: Any = ROOT, **more: Any) -> None:
        """Look, and keep what a run answers."""
        lookup = await self.look(request, caller)
        assert lookup is not None
        self.cache.keep(lookup, replace(self.run, **more), HASH)
        await self.cache.close()

    async def has(self, request: ChatRequest = WANTED, caller: Any = ROOT) -> bool:
        """Whether the answer is given again."""
        lookup = await self.look(request, caller)
        return lookup is not None and lookup.found is not None


async def test_an_answer_that_was_kept_is_given_again() -> None:
    desk = Desk()
    assert not await desk.has()
    await desk.keep()
    assert await desk.has()


async def test_who_wants_nothing_of_it_is_not_made_to_wait_for_it() -> None:
    desk, plain = Desk(), ask("Hi")
    assert desk.cache.settled(plain, ROOT) is plain
    assert await desk.look(plain) is None
    assert await desk.look(ask("Hi", cache=Caching(wanted=False)), replace(ROOT, cache=True)) is None
    assert desk.store.asked == 0


@pytest.mark.parametrize(
    ("wish", "key", "ttl_s"),
    [
        (Caching(), False, 3600),
        (Caching(ttl_s=60), False, 60),
        (Caching(ttl_s=86_400), True, 86_400),
        (None, True, 3600),
    ],
)
def test_the_time_is_the_requests_or_the_operators_and_the_receipt_says_it(
    wish: Caching | None, key: bool, ttl_s: int
) -> None:
    settled = Desk().cache.settled(ask("Hi", cache=wish), replace(ROOT, cache=key))
    assert settled.cache is not None
    assert (settled.cache.ttl_s, settled.kept_s) == (ttl_s, ttl_s)


@pytest.mark.parametrize("outcome", ["degraded", "failed", "client_aborted", "interrupted"])
async def test_only_what_went_well_is_kept(outcome: Any) -> None:
    desk = Desk()
    await desk.keep(outcome=outcome)
    assert desk.store.kept == {}


async def test_nothing_is_looked_for_where_nothing_may_be_kept() -> None:
    zero, desk = ask("Hi", cache=Caching(ttl_s=60), retention_zero=True), Desk()
    assert await desk.look(zero) is NOWHERE
    assert desk.cache.settled(zero, ROOT).kept_s is None
    assert await Desk(ttl=None).look() is NOWHERE
    desk.run = replace(desk.run, plan=replace(desk.run.plan, degraded=("one_model",)))
    assert await desk.look() is NOWHERE
    assert desk.store.asked == 0


async def test_what_lies_in_the_database_cannot_be_read_there() -> None:
    desk = Desk()
    await desk.keep()
    ((_, body),) = desk.store.kept.items()
    assert b"secret" not in body
    assert HASH.encode() not in body


async def test_an_entry_that_was_moved_or_altered_is_none() -> None:
    desk, other = Desk(), replace(ROOT, org=UUID(int=9))
    await desk.keep()
    ((place, body),) = desk.store.kept.items()
    theirs = await desk.look(caller=other)
    assert theirs is not None
    assert theirs.entry is not None
    desk.store.kept[theirs.entry.org, theirs.entry.key] = body
    assert not await desk.has(caller=other)
    desk.store.kept[place] = body[:-1] + bytes([body[-1] ^ 1])
    assert not await desk.has()


async def test_under_another_encryption_key_everything_is_asked_anew() -> None:
    desk = Desk()
    await desk.keep()
    other = Desk(desk.store, vault=Vault("another encryption key"))
    assert not await other.has()
    await other.keep()
    assert (await other.has(), await desk.has()) == (True, True)


async def test_while_the_database_is_away_nothing_is_found_and_nothing_is_lost_but_that() -> None:
    desk = Desk()
    await desk.keep()
    desk.store.away = True
    assert await desk.look() is NOWHERE
    desk.cache.keep(Lookup(entry()), desk.run, HASH)
    await desk.cache.close()


async def test_nobody_waits_for_an_answer_to_be_kept_and_not_too_many_are_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_UNDER_WAY", 3)
    desk = Desk()
    desk.store.slow.clear()
    for i in range(5):
        desk.cache.keep(Lookup(entry(i)), desk.run, HASH)
    await asyncio.sleep(0)
    desk.store.slow.set()
    await desk.cache.close()
    assert len(desk.store.kept) == 3


async def test_an_answer_that_is_too_large_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 100)
    desk = Desk()
    await desk.keep()
    assert desk.store.kept == {}


def entry(i: int = 0) -> Entry:
    return Entry(ROOT.org, bytes([i]) * 32, 60)
