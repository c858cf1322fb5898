"""A log begins once; after a restore it goes on under a new origin that names the old one."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import asyncpg
import pytest
from tests.store.log_scene import SECRET, TABLES, Scene, audit, scene

from prysm.errors import ConfigError
from prysm.proof import checkpoint
from prysm.store.log.begin import open_log
from prysm.store.log.pin import Pins
from prysm.vault import Vault, key_path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ORIGIN = "SELECT origin FROM log ORDER BY n DESC LIMIT 1"
FIRST_LEAF = "SELECT body FROM log_leaf WHERE idx = 0 ORDER BY log DESC LIMIT 1"


@pytest.fixture
async def log(database_url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(database_url, tmp_path) as opened:
        yield opened


async def grown(log: Scene, number: int, pins: str = "pins") -> None:
    """Start a gateway, log some receipts, stop."""
    gateway = await log.start(pins)
    await log.put(number, gateway.keys.receipt.kid)
    await gateway.sequencer.drain()
    await log.stop(gateway)


async def test_an_empty_database_gets_a_log_with_its_beginning_and_two_keys(log: Scene) -> None:
    gateway = await log.start()
    rows = await log.connection.fetch("SELECT kind, body FROM log_leaf ORDER BY idx")
    bodies = [json.loads(row["body"]) for row in rows]
    assert [row["kind"] for row in rows] == [2, 3, 3]
    assert bodies[0] == {"v": "prysmlog/1", "origin": gateway.keys.origin, "predecessor": None}
    assert [(body["event"], body["use"]) for body in bodies[1:]] == [("add", "receipt"), ("add", "log")]
    assert bodies[1]["kid"] == gateway.keys.receipt.kid
    keys = await log.connection.fetch("SELECT status, from_index FROM log_key ORDER BY from_index")
    assert [tuple(key) for key in keys] == [("active", 1), ("active", 2)]
    assert await audit(log.connection) == 0


async def test_many_starters_at_once_make_one_log(log: Scene) -> None:
    started = await asyncio.gather(*(log.start(f"pins{i}") for i in range(8)))
    assert len({gateway.keys.origin for gateway in started}) == 1
    assert len({gateway.keys.receipt.kid for gateway in started}) == 1
    assert await log.value("SELECT count(*) FROM log_leaf") == 3


async def test_a_restart_goes_on_with_the_same_log(log: Scene) -> None:
    await grown(log, 5)
    origin = await log.value(ORIGIN)
    await grown(log, 5)
    assert await log.value(ORIGIN) == origin
    assert await audit(log.connection) == 10


async def test_another_encryption_key_stops_the_start_and_says_what_to_do(log: Scene) -> None:
    await log.start()
    with pytest.raises(ConfigError, match="encrypted under another PRYSM_ENCRYPTION_KEY: set the one"):
        await open_log(log.url, Vault("another key, also long"), Pins(log.folder / "pins"))


async def test_a_lost_encryption_key_stops_the_start_and_is_not_made_anew(log: Scene) -> None:
    await log.start()
    path = key_path(log.folder)
    with pytest.raises(ConfigError, match="prysm proof rotate --lost-key"):
        await open_log(log.url, Vault(path), Pins(log.folder / "pins"))
    assert not path.exists()


async def test_many_starters_on_an_empty_database_make_one_encryption_key(log: Scene) -> None:
    path = key_path(log.folder / "data")
    started = await asyncio.gather(*(log.start(f"pins{i}", Vault(path)) for i in range(8)))
    assert len({gateway.keys.receipt.kid for gateway in started}) == 1
    assert path.exists()


async def test_a_log_without_a_checkpoint_stops_the_start_and_is_named(log: Scene) -> None:
    await log.start()
    await log.connection.execute("INSERT INTO log (n, origin) VALUES (2, 'prysm/x')")
    with pytest.raises(ConfigError, match=r"a log prysm/x that has no checkpoint.*prysm fsck"):
        await log.start()


async def test_no_private_key_is_in_the_database(log: Scene) -> None:
    gateway = await log.start()
    chain = gateway.sequencer._chain
    keys = await log.connection.fetch("SELECT kid, wrapped FROM log_key")
    private = [chain.open(key["kid"], key["wrapped"]).private() for key in keys]
    dumped = [row[0] for table in TABLES for row in await log.connection.fetch(f"SELECT t::text FROM {table} t")]  # noqa: S608  ours
    raw = b"".join(key["wrapped"] for key in keys)
    assert len(dumped) > 6
    assert not any(one.hex() in text for one in private for text in dumped)
    assert not any(one in raw for one in private)
    assert not any(one.hex() in repr(vars(gateway)) for one in private)


async def test_an_unmigrated_database_is_a_config_error(postgres_url: str, tmp_path: Path) -> None:
    url = postgres_url.replace("/postgres?", "/template1?")
    with pytest.raises(ConfigError, match="not migrated"):
        await open_log(url, Vault(SECRET), Pins(tmp_path))


@pytest.mark.parametrize("more", [0, 3, 40], ids=["shorter", "as long", "longer"])
async def test_a_restored_database_goes_on_under_a_new_origin_that_names_the_old(
    log: Scene, more: int, caplog: pytest.LogCaptureFixture
) -> None:
    await grown(log, 5)
    backup = await log.copy()
    await grown(log, 3)
    pinned = next((log.folder / "pins").iterdir()).read_text()
    old = await log.value(ORIGIN)
    await log.restore(backup)
    if more:  # another gateway, without our pins, went on after the restore
        await grown(log, more, "elsewhere")
        assert await log.value(ORIGIN) == old
    await grown(log, 7)
    body = json.loads(await log.connection.fetchval(FIRST_LEAF))
    assert body["origin"] == await log.value(ORIGIN) != old
    assert body["predecessor"] == {"origin": old, "checkpoint": pinned}
    assert caplog.text.count("WENT BACK IN TIME") == 1
    assert await audit(log.connection) == 5 + more + 7


async def test_a_restore_under_a_running_gateway_is_noticed_and_its_keys_go_on(log: Scene) -> None:
    gateway = await log.start()
    origin, kid = gateway.keys.origin, gateway.keys.receipt.kid
    await log.put(5, kid)
    await gateway.sequencer.drain()
    backup = await log.copy()
    await log.put(5, kid)
    await gateway.sequencer.drain()
    await log.restore(backup)
    await log.put(2, kid)
    await gateway.sequencer.drain()
    assert gateway.keys.origin != origin
    assert gateway.keys.receipt.kid == kid
    keys = await log.connection.fetch("SELECT log, status, from_index, to_index FROM log_key ORDER BY 1, 3")
    assert [tuple(key) for key in keys] == [
        (1, "retired", 1, None),
        (1, "retired", 2, None),
        (2, "active", 1, None),
        (2, "active", 2, None),
    ]
    assert await audit(log.connection) == 7


async def test_a_log_that_is_damaged_is_not_taken_for_a_restored_one(log: Scene) -> None:
    await grown(log, 5)
    await grown(log, 3, "elsewhere")
    await log.connection.execute("UPDATE log_tile SET hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1)")
    with pytest.raises(ConfigError, match="prysm fsck"):
        await log.start()
    assert await log.value("SELECT count(*) FROM log") == 1


async def test_pins_of_another_database_are_ignored(log: Scene) -> None:
    await grown(log, 2)
    await log.connection.execute(f"TRUNCATE {', '.join(TABLES)}")
    await grown(log, 1)
    assert len(list((log.folder / "pins").iterdir())) == 2
    assert await log.value("SELECT count(*) FROM log") == 1


async def test_a_pin_is_the_last_note_and_its_owners_alone(log: Scene) -> None:
    await grown(log, 9)
    (path,) = (log.folder / "pins").iterdir()
    assert path.read_text() == await log.value("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1")
    assert path.stat().st_mode & 0o777 == 0o600


async def test_pins_are_written_at_most_once_a_second_and_at_the_end(
    log: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    monkeypatch.setattr("prysm.store.log.pin._write", lambda _, pin: written.append(pin.size))
    gateway = await log.start()
    async with asyncio.timeout(10):
        while not written:  # noqa: ASYNC110  the first one is written at once
            await asyncio.sleep(0.01)
    for _ in range(20):
        await log.put(1, gateway.keys.receipt.kid)
        await gateway.sequencer.drain()
    await log.stop(gateway)
    assert (written[0], written[-1]) == (3, 23)
    assert len(written) < 6


async def test_a_pin_that_cannot_be_read_stops_the_start(log: Scene) -> None:
    await grown(log, 1)
    (path,) = (log.folder / "pins").iterdir()
    path.write_text("nonsense")
    with pytest.raises(ConfigError, match="is not a checkpoint"):
        await log.start()


async def test_a_later_pin_of_another_process_is_not_overwritten(log: Scene) -> None:
    late, early = await log.start(), await log.start()
    await log.put(3, late.keys.receipt.kid)
    await early.sequencer.drain()
    await log.put(3, late.keys.receipt.kid)
    await late.sequencer.drain()
    await log.stop(late)
    await log.stop(early)
    (path,) = (log.folder / "pins").iterdir()
    assert checkpoint.parse(path.read_text().partition("\n\n")[0] + "\n").size == 9


async def test_a_folder_that_refuses_pins_does_not_stop_the_log(
    log: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = await log.start()

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("prysm.store.log.pin._write", full)
    await log.put(3, gateway.keys.receipt.kid)
    await gateway.sequencer.drain()
    await gateway.pins.close()
    assert "cannot be kept outside the database: OSError" in caplog.text
    assert await audit(log.connection) == 3


async def test_the_tables_of_the_log_only_grow(log: Scene) -> None:
    await log.start()
    for table in ("log", "log_leaf", "checkpoint"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await log.connection.execute(f"DELETE FROM {table}")  # noqa: S608  ours
