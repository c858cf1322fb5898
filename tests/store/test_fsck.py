"""A database as the gateway left it has no findings, and whatever is changed in it is named."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from tests.databases import database
from tests.store.filled_log import Filled, filled
from tests.store.log_scene import SECRET, scene

from prysm.store.deletion import delete
from prysm.store.fsck import fsck
from prysm.store.fsck.fixes import FIXES
from prysm.store.log.rotation import replace_lost, revoke, rotate
from prysm.vault import Vault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

NAMES = {
    "$one": "(SELECT request_id FROM receipt JOIN log_leaf USING (request_id) ORDER BY idx LIMIT 1)",
    "$other": "(SELECT request_id FROM receipt JOIN log_leaf USING (request_id) ORDER BY idx DESC LIMIT 1)",
    "$newest": "size = (SELECT max(size) FROM checkpoint)",
    "$x": "sha256('x')",
}
FOREIGN = (
    "UPDATE receipt SET (payload, proof_hash, signature) = (SELECT payload, proof_hash, signature FROM receipt"
    " WHERE request_id = $other) WHERE request_id = $one"
)
BORROWED = (
    "UPDATE checkpoint SET note = split_part(note, E'\\n\\n', 1) || E'\\n\\n' || "
    "split_part((SELECT note FROM checkpoint ORDER BY size LIMIT 1), E'\\n\\n', 2) WHERE $newest"
)
ANYHOW = "DROP INDEX log_leaf_request_id"
MORE = "INSERT INTO log_leaf SELECT log, {idx}, kind, digest, request_id, body FROM log_leaf WHERE idx = 4"
LOG = "INSERT INTO log (n, origin) VALUES (2, 'prysm/' || md5('x'))"
AGAIN = "INSERT INTO log_queue (request_id, kid, digest) SELECT request_id, kid, digest FROM "
TAMPERED = [
    ("log_missing", "DELETE FROM log"),
    ("log_beginning", "UPDATE log SET origin = 'prysm/' || md5('x')"),
    ("log_beginning", "UPDATE log_leaf SET kind = 2 WHERE idx = 5"),
    ("log_beginning", LOG),
    ("log_beginning", "DELETE FROM log_leaf"),
    ("leaf_gap", "DELETE FROM log_leaf WHERE idx = 5"),
    (
        "leaf_duplicate",
        "ALTER TABLE log_leaf DROP CONSTRAINT log_leaf_pkey",
        "DROP INDEX log_leaf_request_id",
        MORE.format(idx="5"),
    ),
    ("leaf_twice", "DROP INDEX log_leaf_request_id", MORE.format(idx="(SELECT max(idx) + 1 FROM log_leaf)")),
    ("leaf_malformed", "UPDATE log_leaf SET kind = 9 WHERE idx = 5"),
    ("leaf_malformed", "UPDATE log_leaf SET request_id = NULL WHERE idx = 5"),
    ("leaf_body", "UPDATE log_leaf SET body = replace(encode(body, 'escape'), 'add', 'end')::bytea WHERE idx = 1"),
    ("leaf_digest", "UPDATE log_leaf SET digest = $x WHERE idx = 8"),
    ("leaf_digest", FOREIGN),
    ("key_event", "UPDATE log_key SET from_index = 2 WHERE use = 'receipt'"),
    ("key_row", "UPDATE log_key SET public = $x WHERE use = 'log'"),
    ("key_row", "UPDATE log_key SET to_index = 16"),
    ("key_row", "UPDATE log_key SET status = 'retiring', retire_at = now(), to_index = 16"),
    ("key_row", "UPDATE log_key SET status = 'retiring'"),
    ("key_row", "UPDATE log_key SET status = 'retired'"),
    ("key_row", "UPDATE log_key SET status = 'revoked'"),
    ("key_row", LOG),
    ("key_overdue", "UPDATE log_key SET status = 'retiring', retire_at = now() - interval '2 days'"),
    ("key_wrapped", "UPDATE log_key SET wrapped = (SELECT min(wrapped) FROM log_key)"),
    ("tile_missing", "DELETE FROM log_tile"),
    ("tile_altered", "UPDATE log_tile SET hashes = overlay(hashes PLACING '\\x00' FROM 40)"),
    ("tile_altered", "UPDATE log_tile SET hashes = hashes || sha256('x')"),
    ("tile_altered", "UPDATE log_leaf SET digest = $x WHERE idx = 8"),
    ("tile_surplus", "INSERT INTO log_tile VALUES (1, 1, 0, $x)"),
    ("checkpoint_root", "UPDATE checkpoint SET root = $x WHERE $newest"),
    ("checkpoint_root", "UPDATE log_leaf SET digest = $x WHERE idx = 8"),
    ("checkpoint_note", "UPDATE checkpoint SET root = $x WHERE $newest"),
    ("checkpoint_note", "UPDATE checkpoint SET note = 'x'"),
    ("checkpoint_signature", BORROWED),
    ("checkpoint_beyond", "DELETE FROM log_leaf WHERE idx = (SELECT max(idx) FROM log_leaf)"),
    ("checkpoint_missing", "DELETE FROM checkpoint WHERE $newest"),
    ("checkpoint_missing", "DELETE FROM checkpoint"),
    ("checkpoint_missing", LOG),
    ("checkpoint_void", "UPDATE log_key SET status = 'revoked', to_index = 15 WHERE use = 'log'"),
    ("checkpoint_void", "UPDATE log_key SET status = 'retired', to_index = 14 WHERE use = 'log'"),
    ("checkpoint_void", "UPDATE log_key SET from_index = 15 WHERE use = 'log'"),
    ("receipt_hash", "UPDATE receipt SET proof_hash = $x WHERE request_id = $one"),
    ("receipt_record", "UPDATE receipt SET payload = payload || ' ', proof_hash = sha256(payload || ' ')"),
    ("receipt_id", FOREIGN),
    ("receipt_stages", "UPDATE stage SET body = '{}' WHERE i = 1 AND request_id = $one"),
    ("receipt_stages", "DELETE FROM stage WHERE i = 1 AND request_id = $one"),
    ("receipt_stages", "DELETE FROM stage WHERE i = 2 AND request_id = $one"),
    ("receipt_stages", "DELETE FROM stage WHERE request_id = $one"),
    ("receipt_signature", "UPDATE receipt SET signature = sha512('x') WHERE request_id = $one"),
    ("receipt_signature", "UPDATE receipt SET signature = NULL, kid = NULL WHERE request_id = $one"),
    ("receipt_key", "UPDATE receipt SET kid = md5('x') WHERE request_id = $one"),
    ("receipt_key", "UPDATE log_key SET status = 'retired', to_index = 6 WHERE use = 'receipt'"),
    ("receipt_unlogged", "DELETE FROM log_queue"),
    ("event_body", "UPDATE audit_event SET detail = '{\"rpm\": 1}'"),
    ("event_body", "UPDATE audit_event SET body = '{}'"),
    ("event_body", "UPDATE audit_event SET at = at + interval '1 us'"),
    ("event_altered", "UPDATE audit_event SET body = replace(encode(body, 'escape'), 'proof', 'prose')::bytea"),
    ("event_altered", "UPDATE log_queue SET digest = $x"),
    ("event_missing", "DELETE FROM audit_event"),
    ("event_unlogged", "DELETE FROM log_queue"),
    ("stage_orphan", "DELETE FROM receipt WHERE request_id = $one"),
    ("stage_orphan", "DELETE FROM receipt"),
    ("queue_digest", "UPDATE log_queue SET digest = $x"),
    ("queue_digest", "UPDATE log_queue SET digest = ''"),
    ("queue_key", "UPDATE log_queue SET kid = md5('x') WHERE kind = 1"),
    ("queue_logged", AGAIN + "log_leaf JOIN receipt USING (request_id)"),
    ("queue_twice", AGAIN + "log_queue WHERE kind = 1"),
    (
        "intent_stale",
        "INSERT INTO intent VALUES (gen_random_uuid(), gen_random_uuid(), '', now() - interval '1 h')",
    ),
    ("ledger", "INSERT INTO ledger_account SELECT id, 'open', 0, -5 FROM organisation"),
    ("lease_beyond", "INSERT INTO instance VALUES (gen_random_uuid(), 'infinity')"),
    ("lease_beyond", "INSERT INTO instance VALUES (gen_random_uuid(), now() + interval '2 h')"),
]
PINNED = {"pin_lost", "pin_signature", "pin_unknown"}


@pytest.fixture(scope="module")
def written(postgres_url: str) -> Iterator[str]:
    """The address of a database that a gateway filled and left."""

    async def fill(url: str, folder: Path) -> None:
        async with filled(url, folder):
            pass

    with tempfile.TemporaryDirectory(prefix="prysm-test-") as folder, database(postgres_url) as url:
        asyncio.run(fill(url, Path(folder)))
        yield url


@pytest.fixture
def copied_url(written: str, postgres_url: str) -> Iterator[str]:
    """A copy of it."""
    with database(postgres_url, urlsplit(written).path[1:]) as url:
        yield url


@pytest.fixture
async def copied(copied_url: str, tmp_path: Path) -> AsyncIterator[Filled]:
    """The copy, with no gateway at work."""
    async with scene(copied_url, tmp_path) as plain:
        yield Filled(plain.url, plain.folder, plain.connection, plain.running)


@pytest.fixture
async def log(database_url: str, tmp_path: Path) -> AsyncIterator[Filled]:
    async with filled(database_url, tmp_path) as made:
        yield made


async def test_what_the_gateway_wrote_has_no_findings(log: Filled) -> None:
    await log.gateway.pins.close()
    found = await log.audit("pins")
    assert found.findings == []
    assert found.as_json() == {
        "ok": True,
        "void": {},
        "kinds": {},
        "findings": [],
        "counts": {
            "logs": 1,
            "keys": 2,
            "leaves": 15,
            "checkpoints": 3,
            "tiles": 1,
            "receipts": 13,
            "stages": 39,
            "deleted": 1,
            "unsigned": 0,
            "pruned": 0,
            "pending": 2,
            "events": 1,
            "queued": 3,
            "intents": 0,
            "pins": 1,
            "entries": 0,
        },
    }


def spelled(statement: str) -> str:
    for name, what in NAMES.items():
        statement = statement.replace(name, what)
    return statement


@pytest.mark.parametrize(("code", "statements"), [(code, rest) for code, *rest in TAMPERED])
async def test_what_was_changed_is_named(copied: Filled, code: str, statements: list[str]) -> None:
    await copied.tamper(*map(spelled, statements))
    found = await copied.audit()
    named = {finding.code: finding for finding in found.findings}
    assert code in named
    assert named[code].as_json().keys() == {"code", "where", "what", "fix"}
    assert all(named[code].as_json().values())


def test_every_kind_of_damage_is_tried() -> None:
    assert {code for code, *_ in TAMPERED} | PINNED == FIXES.keys()


async def test_one_gap_is_one_finding(log: Filled) -> None:
    await log.tamper("DELETE FROM log_leaf WHERE idx = 2")
    assert [(finding.code, finding.where.split()[-1]) for finding in (await log.audit()).findings] == [
        ("leaf_gap", "2"),
        ("key_event", log.gateway.keys.origin),
    ]


async def test_findings_of_one_kind_are_counted_once_there_are_many(log: Filled) -> None:
    await log.logged(30)
    await log.tamper("UPDATE receipt SET proof_hash = sha256('x')")
    found = await log.audit()
    assert (len(found.findings), found.kinds["receipt_hash"]) == (20, 43)


async def test_a_full_tile_is_recomputed_too(log: Filled) -> None:
    await log.logged(600)
    assert (await log.audit()).counts["tiles"] == 4
    await log.tamper("UPDATE log_tile SET hashes = overlay(hashes PLACING '\\x00' FROM 8000) WHERE idx = 1")
    (finding,) = (await log.audit()).findings
    assert (finding.code, finding.where.split()[-1]) == ("tile_altered", "0/1")
    assert "hash 249" in finding.what


async def test_rotated_and_revoked_keys_are_as_they_should_be(log: Filled) -> None:
    vault, last = Vault(SECRET), log.gateway.keys.receipt.kid
    await rotate(log.connection, vault, "receipt")
    await rotate(log.connection, vault, "log")
    assert (await log.audit()).findings == []
    await log.gateway.sequencer.drain()
    await log.connection.execute("UPDATE log_key SET retire_at = now() WHERE status = 'retiring'")
    await log.logged(3)
    assert (await log.audit()).findings == []
    size = await log.connection.fetchval("SELECT max(idx) + 1 FROM log_leaf")
    await revoke(log.connection, vault, log.gateway.keys.receipt.kid, size)
    await log.logged(0)
    assert log.gateway.keys.receipt.kid != last
    await log.logged(3)
    assert (await log.audit()).findings == []


async def test_receipts_that_a_revocation_makes_void_are_counted_and_no_damage(log: Filled) -> None:
    kid = log.gateway.keys.receipt.kid
    await revoke(log.connection, Vault(SECRET), kid, 6)
    found = await log.audit()
    assert (found.findings, dict(found.void)) == ([], {kid: 8})  # one of the nine was deleted
    await log.tamper("UPDATE receipt SET signature = sha512('x')")
    assert (await log.audit()).kinds == {"receipt_signature": 13}


async def test_a_log_under_new_keys_is_as_it_should_be(log: Filled) -> None:
    other = Vault("another key, also long")
    await replace_lost(log.connection, other)
    assert (await log.audit(vault=other)).findings == []
    await log.stop(log.gateway)
    log.gateway = await log.start(vault=other)
    await log.logged(3)
    assert (await log.audit("pins", other)).findings == []


async def test_a_database_that_went_back_in_time_is_named_until_its_log_has_a_successor(log: Filled) -> None:
    backup = await log.copy()
    for request_id in await log.logged(5):
        await delete(log.connection, request_id)  # a real backup would not have them
    await log.stop(log.gateway)
    await log.restore(backup)
    assert {finding.code for finding in (await log.audit("pins")).findings} == {"pin_lost"}
    log.gateway = await log.start()
    await log.logged(5)
    found = await log.audit("pins")
    assert (found.findings, found.counts["logs"]) == ([], 2)


async def test_pins_that_are_forged_or_of_another_database_are_named(log: Filled) -> None:
    await log.gateway.pins.close()
    (path,) = (log.folder / "pins").glob("*.checkpoint")
    head, _, signature = path.read_text().partition("\n\n")
    origin, _, root = head.split("\n")
    path.write_text(f"{origin}\n9\n{root}\n\n{signature}")
    (log.folder / "pins" / "other.checkpoint").write_text(f"prysm/{'0' * 32}\n9\n{root}\n\n{signature}")
    assert {finding.code for finding in (await log.audit("pins")).findings} == {"pin_signature", "pin_unknown"}


async def test_receipts_from_before_signing_are_counted_and_not_wrong(log: Filled) -> None:
    await log.tamper(
        "DELETE FROM log_queue WHERE kind = 1",
        "UPDATE receipt SET kid = NULL, signature = NULL WHERE request_id NOT IN"
        " (SELECT request_id FROM log_leaf WHERE request_id IS NOT NULL)",
    )
    found = await log.audit()
    assert (found.findings, found.counts["unsigned"]) == ([], 2)


async def test_the_runs_of_a_gateway_that_is_alive_are_not_stale(log: Filled) -> None:
    await log.connection.execute("INSERT INTO instance VALUES (gen_random_uuid(), now() + interval '1 h')")
    await log.connection.execute("INSERT INTO intent SELECT id, id, '', now() - interval '1 h' FROM instance")
    assert (await log.audit()).findings == []


async def test_a_gateway_at_work_meanwhile_is_no_finding(log: Filled) -> None:
    done = asyncio.Event()

    async def work() -> None:
        while not done.is_set():
            await log.logged(10)

    working = asyncio.create_task(work())
    async with scene(log.url, log.folder) as other:
        for _ in range(3):
            assert (await fsck(other.connection, [], None, lambda *_: None)).findings == []
    done.set()
    await working
    assert (await log.audit()).counts["receipts"] > 40


async def test_a_database_without_a_log_is_clean(database_url: str, tmp_path: Path) -> None:
    async with filled(database_url, tmp_path) as made:
        tables = "log, log_key, log_leaf, log_tile, checkpoint, log_queue, receipt, stage, feedback, audit_event"
        await made.tamper(f"TRUNCATE {tables}")
        assert (await made.audit()).as_json()["ok"] is True
