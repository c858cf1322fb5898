"""Keys are valid from leaf to leaf, and a new one takes over without a gap."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.store.log_scene import SECRET, Scene, audit, reading, scene

from prysm.errors import ConfigError, InvalidRequest, NotFound
from prysm.proof import checkpoint, note
from prysm.store.log.rotation import Revoked, replace_lost, revoke, rotate
from prysm.vault import Vault, WrongEncryptionKey, key_path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

VAULT = Vault(SECRET)
OVER = "UPDATE log_key SET retire_at = now() WHERE status = 'retiring'"
KEY = "SELECT status, from_index, to_index FROM log_key WHERE kid = $1"
NOTE = "SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1"
LAST = "SELECT body FROM log_leaf ORDER BY idx DESC LIMIT 1"


@pytest.fixture
async def log(database_url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(database_url, tmp_path) as opened:
        yield opened


async def key(log: Scene, kid: str) -> tuple[object, ...]:
    row = await log.connection.fetchrow(KEY, kid)
    assert row is not None
    return tuple(row)


async def test_a_new_receipt_key_is_announced_then_used_then_the_old_one_is_closed(log: Scene) -> None:
    gateway = await log.start()
    old = gateway.keys.receipt.kid
    new = await rotate(log.connection, VAULT, "receipt")
    assert await key(log, new) == ("pending", None, None)
    await gateway.sequencer.drain()
    assert gateway.keys.receipt.kid == new
    assert await key(log, new) == ("active", 3, None)
    assert await key(log, old) == ("retiring", 1, None)
    await log.connection.execute(OVER)
    await log.put(1, old)  # a batch that had to wait for the database
    await gateway.sequencer.drain()
    assert await key(log, old) == ("retired", 1, 6)
    assert json.loads(await log.connection.fetchval(LAST))["event"] == "close"
    assert await audit(log.connection) == 1


async def test_a_receipt_under_a_key_not_yet_announced_is_logged_after_the_announcement(log: Scene) -> None:
    gateway = await log.start()
    new = await rotate(log.connection, VAULT, "receipt")
    (request_id,) = await log.put(1, new)
    await gateway.sequencer.drain()
    assert await key(log, new) == ("active", 3, None)
    assert await log.value("SELECT idx FROM log_leaf WHERE request_id = $1", request_id) == 5


async def test_a_key_is_not_closed_while_a_receipt_of_it_waits(log: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prysm.store.log.tick.BATCH", 4)
    gateway = await log.start()
    old = gateway.keys.receipt.kid
    await rotate(log.connection, VAULT, "receipt")
    await gateway.sequencer.drain()
    await log.connection.execute(OVER)
    await log.put(9, old)
    await gateway.sequencer.drain()
    assert await key(log, old) == ("retired", 1, 14)
    assert await log.value("SELECT max(idx) FROM log_leaf WHERE kind = 1") == 13


async def test_checkpoints_are_signed_by_both_log_keys_in_the_overlap(log: Scene) -> None:
    gateway = await log.start()
    old = await log.connection.fetchrow("SELECT kid, public FROM log_key WHERE use = 'log'")
    new = await rotate(log.connection, VAULT, "log")
    await gateway.sequencer.drain()
    both = str(await log.value(NOTE))
    assert len(note.signatures(both)[1]) == 2
    assert old is not None
    checkpoint.opened(both, gateway.keys.origin, [old["public"]])
    await log.connection.execute(OVER)
    await gateway.sequencer.drain()
    assert len(note.signatures(str(await log.value(NOTE)))[1]) == 1
    assert (await key(log, new))[0] == "active"
    assert (await key(log, old["kid"]))[::2] == ("retired", 5)
    await audit(log.connection)


async def test_a_revoked_key_ends_at_the_index_named_and_has_a_successor(log: Scene) -> None:
    gateway = await log.start()
    stolen = gateway.keys.receipt.kid
    await log.put(5, stolen)
    await gateway.sequencer.drain()
    done = await revoke(log.connection, VAULT, stolen, 6)
    await gateway.sequencer.drain()
    assert await key(log, stolen) == ("revoked", 1, 6)
    assert gateway.keys.receipt.kid == done.successor
    assert await revoke(log.connection, VAULT, stolen, 5) == Revoked(5, None, replaced=True)
    with pytest.raises(InvalidRequest, match="at most"):
        await revoke(log.connection, VAULT, stolen, 99)
    with pytest.raises(NotFound, match="no such key"):
        await revoke(log.connection, VAULT, "0" * 32, 5)


async def test_a_receipt_that_comes_after_its_key_was_closed_is_logged_and_told(
    log: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = await log.start()
    stolen = gateway.keys.receipt.kid
    await revoke(log.connection, VAULT, stolen, 3)
    await gateway.sequencer.drain()
    await log.put(2, stolen)
    await gateway.sequencer.drain()
    assert "2 receipts came to the log after the key" in caplog.text
    assert await audit(log.connection) == 2


async def test_a_key_that_is_revoked_now_keeps_what_waits_for_the_log(log: Scene) -> None:
    gateway = await log.start()
    stolen = gateway.keys.receipt.kid
    await rotate(log.connection, VAULT, "log")
    waiting = await log.put(7, stolen)
    done = await revoke(log.connection, VAULT, stolen)
    await gateway.sequencer.drain()
    last = await log.value("SELECT max(idx) FROM log_leaf WHERE request_id = ANY($1)", waiting)
    assert isinstance(last, int)
    assert last < done.to_index <= last + 3


async def test_keys_are_changed_only_with_the_encryption_key_and_revoked_without(log: Scene) -> None:
    gateway = await log.start()
    stolen = gateway.keys.receipt.kid
    for other in (Vault("another key, also long"), Vault(key_path(log.folder))):
        with pytest.raises(WrongEncryptionKey, match="--lost-key"):
            await rotate(log.connection, other, "receipt")
        assert (await revoke(log.connection, other, stolen)).successor is None
    assert not key_path(log.folder).exists()
    assert await log.value("SELECT count(*) FROM log_key") == 2
    assert (await key(log, stolen))[0] == "revoked"
    kid = await rotate(log.connection, VAULT, "receipt")
    await gateway.sequencer.drain()
    assert gateway.keys.receipt.kid == kid


async def test_a_lost_encryption_key_is_got_over_with_a_new_log(log: Scene) -> None:
    gateway = await log.start()
    old, origin = gateway.keys.receipt.kid, gateway.keys.origin
    await log.put(3, old)
    await gateway.sequencer.drain()
    await log.stop(gateway)
    seen = await log.value(NOTE)
    (late,) = await log.put(1, old)
    other = Vault(key_path(log.folder))
    with pytest.raises(InvalidRequest, match="none is lost"):
        await replace_lost(log.connection, VAULT)
    head = await replace_lost(log.connection, other)
    begun = json.loads(await log.connection.fetchval("SELECT body FROM log_leaf WHERE log = 2 AND idx = 0"))
    assert begun["predecessor"] == {"origin": origin, "checkpoint": seen}
    rows = await log.connection.fetch("SELECT status, to_index FROM log_key WHERE log = 1")
    assert [tuple(row) for row in rows] == [("retired", None)] * 2
    gateway = await log.start(vault=other)
    assert (gateway.keys.origin, gateway.keys.receipt.kid != old) == (head.origin, True)
    await gateway.sequencer.drain()
    assert await log.value("SELECT log FROM log_leaf WHERE request_id = $1", late) == 2
    with pytest.raises(ConfigError):
        await log.start()
    await log.connection.execute(OVER)
    await gateway.sequencer.drain()
    assert await log.value("SELECT status FROM log_key WHERE log = 2 AND kid = $1", old) == "retired"
    assert await audit(log.connection) == 4


async def test_rotations_go_on_in_a_log_that_succeeds_another(log: Scene) -> None:
    gateway = await log.start()
    backup = await log.copy()
    await log.put(5, gateway.keys.receipt.kid)
    await gateway.sequencer.drain()
    await log.restore(backup)
    new = await rotate(log.connection, VAULT, "log")
    await gateway.sequencer.drain()
    rows = await log.connection.fetch("SELECT log, status FROM log_key WHERE kid = $1 ORDER BY log", new)
    assert [tuple(row) for row in rows] == [(1, "retired"), (2, "active")]
    await audit(log.connection)


async def test_the_published_keys_hold_no_private_half_and_no_key_that_is_pending(log: Scene) -> None:
    gateway = await log.start()
    await rotate(log.connection, VAULT, "receipt")
    async with reading(log.url) as reader:
        first, second = await reader.keys()
    assert first["kid"] == gateway.keys.receipt.kid
    assert set(first) == {"kid", "use", "alg", "public", "origin", "from_index", "to_index", "status"}
    assert (first["use"], second["use"], second["alg"], second["status"]) == ("receipt", "log", "Ed25519", "active")
