"""What administrators did: recorded with the change itself, sealed in the log, and told only to them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.store.filled_log import Filled, filled
from tests.store.log_scene import SECRET, reading

from prysm.core.caller import DEFAULT_ID, Caller
from prysm.proof.audited import event_document, told
from prysm.proof.defect import Defect
from prysm.store import deletion
from prysm.store.audit import AuditStore, Event, record
from prysm.store.log.rotation import replace_lost, revoke, rotate
from prysm.vault import Vault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from prysm.store.audit import Recorded
    from prysm.store.connection import Connection

ADMIN = Caller("root", uuid4(), DEFAULT_ID, DEFAULT_ID, "admin")
CREATED = Event.by(
    ADMIN, "key.create", "a-key", {"name": "Ünïcode \U0001f511", "rpm": 60, "tags": None}, DEFAULT_ID
)


@pytest.fixture
async def log(database_url: str, tmp_path: Path) -> AsyncIterator[Filled]:
    async with filled(database_url, tmp_path, 3) as made:
        yield made


async def done(log: Filled, org: UUID | None = None, after: UUID | None = None, limit: int = 100) -> list[Recorded]:
    async with asyncpg.create_pool(log.url, min_size=0, max_size=1) as pool:
        return await AuditStore(pool).events(limit, org, after)


async def actions(log: Filled) -> list[tuple[str, str, str]]:
    found = [told(event.body) for event in reversed(await done(log))]
    return [(event["actor"], event["action"], event["target"]) for event in found]


async def test_an_event_says_who_did_what_and_its_row_repeats_it(log: Filled) -> None:
    made = await record(log.connection, CREATED)
    (newest, *_) = await done(log)
    said = told(newest.body)
    assert (newest.id, newest.index, said["id"]) == (made, None, str(made))
    assert said["actor_key"] == str(ADMIN.key)
    assert said["detail"] == {"name": "Ünïcode \U0001f511", "rpm": 60, "tags": None}
    row = await log.connection.fetchrow("SELECT * FROM audit_event WHERE id = $1", made)
    assert row is not None
    assert (row["org"], row["actor"], row["action"]) == (DEFAULT_ID, "key root", "key.create")
    assert (row["target"], json.loads(row["detail"])) == ("a-key", said["detail"])


async def test_an_event_and_its_change_happen_together_or_not_at_all(log: Filled) -> None:
    before = await log.value("SELECT count(*) FROM log_queue")
    change = log.connection.transaction()
    await change.start()
    await record(log.connection, CREATED)
    await change.rollback()
    assert await log.value("SELECT count(*) FROM log_queue") == before
    assert "key.create" not in {action for _, action, _ in await actions(log)}


@pytest.mark.parametrize("value", [0.5, 2**53])
async def test_what_no_reader_could_read_again_is_not_recorded(log: Filled, value: Any) -> None:
    with pytest.raises(Defect):
        await record(log.connection, Event("key.update", "x", {"limit": value}))
    assert len(await done(log)) == 1


async def test_the_log_takes_events_up_and_proves_them(log: Filled) -> None:
    made = await record(log.connection, CREATED)
    async with reading(log.url) as reader:
        waits = await reader.event_place(made)
        await log.gateway.sequencer.drain()
        place = await reader.event_place(made)
        assert await reader.place(made) is None  # it is no receipt, and not one that was deleted
        assert place is not None
        assert place.index is not None
        leaf = await reader.leaf(place.index)
    assert (waits.state if waits else None, place.state) == ("pending", "included")
    assert leaf is not None
    assert (leaf.kind, leaf.request_id, leaf.body) == (4, None, None)  # what is public says nothing
    assert (await done(log))[0].index == place.index
    assert (await log.audit()).findings == []


async def test_the_same_action_twice_leaves_two_digests(log: Filled) -> None:
    for _ in range(2):
        await record(log.connection, CREATED)
    assert await log.value("SELECT count(DISTINCT digest) FROM log_queue WHERE kind = 4") == 3


async def test_none_is_lost_or_doubled_when_many_act_while_receipts_are_sealed(log: Filled) -> None:
    async def act(pool: asyncpg.Pool[asyncpg.Record], number: int) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await record(cast("Connection", connection), Event("key.create", str(number)))

    other = await log.start("others pins")
    async with asyncpg.create_pool(log.url, min_size=0, max_size=8) as pool:
        logging = (other.sequencer.drain(), log.logged(50))
        await asyncio.gather(*(act(pool, i) for i in range(200)), log.seal(50), *logging)
    await log.logged(0)
    assert await log.value("SELECT count(DISTINCT request_id) FROM log_leaf WHERE kind = 4") == 201
    assert (await log.audit()).findings == []


@pytest.mark.parametrize(
    "change", ["UPDATE audit_event SET actor = 'x'", "DELETE FROM audit_event", "TRUNCATE audit_event"]
)
async def test_events_are_only_ever_added(log: Filled, change: str) -> None:
    with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
        await log.connection.execute(change)


async def test_an_organisation_reads_its_own_page_by_page(log: Filled) -> None:
    other = uuid4()
    await log.connection.execute("INSERT INTO organisation (id, name) VALUES ($1, 'other')", other)
    theirs = [await record(log.connection, Event("key.create", str(i), org=other)) for i in range(5)]
    await record(log.connection, CREATED)
    assert [event.id for event in await done(log, other)] == theirs[::-1]
    assert [event.id for event in await done(log, other, theirs[3], 2)] == [theirs[2], theirs[1]]
    assert len(await done(log)) == 7
    async with asyncpg.create_pool(log.url, min_size=0, max_size=1) as pool:
        assert await AuditStore(pool).event(theirs[0], DEFAULT_ID) is None
        assert await AuditStore(pool).event(theirs[0]) is not None


async def test_what_operators_do_with_receipts_and_keys_is_recorded(log: Filled) -> None:
    vault = Vault(SECRET)
    run = await log.value("SELECT request_id FROM receipt LIMIT 1")
    assert isinstance(run, UUID)
    for _ in range(2):  # the second time nothing is there to be deleted
        await deletion.delete(log.connection, run)
    kid = await rotate(log.connection, vault, "receipt")
    await log.gateway.sequencer.drain()
    await revoke(log.connection, vault, kid)
    following = await replace_lost(log.connection, Vault("another key, also long"))
    first, *rest = await actions(log)
    assert first[:2] == ("operator", "proof.delete")
    assert rest == [
        ("operator", "proof.delete", str(run)),
        ("operator", "signing_key.rotate", kid),
        ("operator", "signing_key.revoke", kid),
        ("operator", "signing_key.replace", following.origin),
    ]


async def test_what_is_kept_of_an_event_makes_its_document(log: Filled) -> None:
    await record(log.connection, CREATED)
    (newest, *_) = await done(log)
    document = event_document(newest.body, None)
    assert document | told(newest.body) == document
    assert "nonce" not in document
