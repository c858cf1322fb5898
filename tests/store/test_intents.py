from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.payers import PAYER
from tests.store.receipts import make
from tests.store.waiting import eventually

from prysm.errors import ProofUnavailable
from prysm.store import intents as module
from prysm.store import lease as leases
from prysm.store.committer import GroupCommitter
from prysm.store.intents import Intent, Intents, Reaper
from prysm.store.lease import Lease

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from prysm.proof.sealed import Sealed
    from prysm.store.connection import Pool

    Sql = Callable[[str], Awaitable[object]]

STEADY_S = 0.2


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(database_url, min_size=0, max_size=4) as opened:
        yield opened


@pytest.fixture
async def committer(database_url: str) -> AsyncIterator[GroupCommitter]:
    opened = await GroupCommitter.open(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def dead(database_url: str) -> AsyncIterator[GroupCommitter]:
    """The committer of a process that never registered, which is the same as one whose lease ran out."""
    opened = await GroupCommitter.open(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def intents(pool: Pool, committer: GroupCommitter, monkeypatch: pytest.MonkeyPatch) -> Intents:
    """As a process sees them that has been alive for long enough."""
    monkeypatch.setattr(leases, "LEASE_S", STEADY_S)
    lease = Lease(pool, committer.instance, length_s=15.0)
    await lease.renew()
    await asyncio.sleep(2 * STEADY_S)
    return Intents(pool, lease)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SWEEP_S", 0.02)


def interrupted(intent: Intent) -> Sealed:
    """A receipt that is another one each time, as nonces make them."""
    return make(intent.body + uuid4().bytes, request_id=intent.request_id)


async def ids(intents: Intents) -> list[UUID]:
    return [intent.request_id for intent in await intents.abandoned(100)]


async def test_the_runs_of_a_dead_process_come_back_the_oldest_first(
    intents: Intents, dead: GroupCommitter
) -> None:
    begun = [uuid4() for _ in range(3)]
    for request_id in begun:
        await dead.intend(request_id, b"body", PAYER)
    found = await intents.abandoned(2)
    assert [intent.request_id for intent in found] == begun[:2]
    assert found[0].body == b"body"
    assert "body" not in repr(found[0])


async def test_the_runs_of_a_live_process_are_left_alone_until_its_lease_runs_out(
    intents: Intents, pool: Pool, dead: GroupCommitter
) -> None:
    await Lease(pool, dead.instance).renew()
    await dead.intend(uuid4(), b"{}", PAYER)
    assert await ids(intents) == []
    await Lease(pool, dead.instance, length_s=0).renew()
    assert len(await ids(intents)) == 1


async def test_what_a_live_process_gave_up_comes_back(
    sql: Sql, intents: Intents, committer: GroupCommitter
) -> None:
    given_up, under_way = uuid4(), uuid4()
    await asyncio.gather(committer.intend(given_up, b"{}", PAYER), committer.intend(under_way, b"{}", PAYER))
    committer.give_up(make(request_id=given_up))
    await committer.put(make())
    await eventually(lambda: sql("SELECT count(*) = 1 FROM intent WHERE instance IS NULL"))
    assert await ids(intents) == [given_up]


@pytest.mark.parametrize("what", ["server", "judge", "gap", "unregistered"])
async def test_nobody_judges_others_by_their_leases_soon_after_an_outage(
    what: str, sql: Sql, intents: Intents, dead: GroupCommitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up = uuid4()
    await asyncio.gather(dead.intend(uuid4(), b"{}", PAYER), dead.intend(given_up, b"{}", PAYER))
    dead.give_up(make(request_id=given_up))
    await dead.put(make())
    await eventually(lambda: sql("SELECT count(*) = 1 FROM intent WHERE instance IS NULL"))
    assert len(await ids(intents)) == 2
    if what == "server":
        monkeypatch.setattr(module, "ABANDONED", module.ABANDONED.replace("pg_postmaster_start_time()", "now()"))
    elif what == "judge":
        await sql("DELETE FROM instance")
        await intents._lease.renew()
    elif what == "gap":
        await sql("UPDATE instance SET lease_until = now() + interval '8 seconds'")
    else:
        await sql("DELETE FROM instance")
    assert await ids(intents) == [given_up]


async def test_a_cut_off_run_is_sealed_once_by_two_reapers_at_once(
    sql: Sql, intents: Intents, pool: Pool, committer: GroupCommitter, dead: GroupCommitter
) -> None:
    await asyncio.gather(*(dead.intend(uuid4(), b"{}", PAYER) for _ in range(50)))
    other = Intents(pool, intents._lease)
    reapers = Reaper(intents, interrupted, committer.put), Reaper(other, interrupted, dead.put)
    done = await asyncio.gather(*(reaper.sweep() for reaper in reapers))
    assert sum(done) == 50
    assert await sql("SELECT count(*) FROM receipt") == 50
    assert await sql("SELECT count(DISTINCT request_id) FROM log_queue") == 50
    assert await sql("SELECT count(*) FROM log_queue") == 50
    assert await sql("SELECT count(*) FROM intent") == 0
    assert await reapers[0].sweep() == 0


async def test_a_run_that_has_its_receipt_only_loses_its_intent(
    sql: Sql, intents: Intents, committer: GroupCommitter, dead: GroupCommitter
) -> None:
    sealed = make(b"the real one")
    await dead.put(sealed)
    await dead.intend(sealed.request_id, b"{}", PAYER)
    assert await Reaper(intents, interrupted, committer.put).sweep() == 0
    assert await sql("SELECT payload FROM receipt") == b"the real one"
    assert await sql("SELECT count(*) FROM intent") == 0


async def test_intents_that_cannot_be_sealed_are_told_of_once_and_hold_up_no_other(
    sql: Sql,
    intents: Intents,
    committer: GroupCommitter,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def seal(intent: Intent) -> Sealed:
        if intent.body == b"secret":
            raise ValueError(intent.body)
        return interrupted(intent)

    monkeypatch.setattr(module, "AT_ONCE", 2)
    for body in (b"secret",) * 5 + (b"{}",) * 3:
        await committer.intend(uuid4(), body, PAYER)
    # Given up at one time: they come in the order of their ids.
    await sql("UPDATE intent SET instance = NULL, created_at = (SELECT min(created_at) FROM intent)")
    reaper = Reaper(intents, seal, committer.put)
    assert await reaper.sweep() == 3
    assert await reaper.sweep() == 0
    assert await sql("SELECT count(*) FROM intent") == 5
    assert caplog.text.count("ValueError") == 5
    assert "secret" not in caplog.text


async def test_a_receipt_that_cannot_be_stored_keeps_its_intent(
    sql: Sql, intents: Intents, dead: GroupCommitter
) -> None:
    async def away(_: Sealed) -> None:
        raise ProofUnavailable("away")

    await dead.intend(uuid4(), b"{}", PAYER)
    assert await Reaper(intents, interrupted, away).sweep() == 0
    assert await sql("SELECT count(*) FROM intent") == 1


@pytest.mark.usefixtures("quick")
async def test_the_reaper_goes_on_through_an_outage_and_prunes_processes_long_gone(
    sql: Sql, intents: Intents, committer: GroupCommitter, caplog: pytest.LogCaptureFixture
) -> None:
    gone = Lease(intents._pool, uuid4(), length_s=-3600)
    await gone.renew()
    sealed = make()
    await committer.intend(sealed.request_id, b"{}", PAYER)
    committer.give_up(sealed)
    await committer.put(make())
    await sql("ALTER TABLE instance RENAME TO elsewhere")
    task = asyncio.create_task(Reaper(intents, interrupted, committer.put).run())
    await eventually(lambda: "cannot be sealed now" in caplog.text)
    await sql("ALTER TABLE elsewhere RENAME TO instance")
    await eventually(lambda: sql("SELECT count(*) = 2 FROM receipt"))
    await eventually(lambda: sql("SELECT count(*) = 1 FROM instance"))
    task.cancel()
