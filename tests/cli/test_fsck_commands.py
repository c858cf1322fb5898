"""`prysm fsck` and what operators do with receipts and keys, on a database without a running gateway."""

from __future__ import annotations

import json
from asyncio import to_thread
from typing import TYPE_CHECKING, Any

import pytest
from tests.store.filled_log import Filled, filled
from tests.store.log_scene import SECRET
from typer.testing import CliRunner

from prysm.cli import app
from prysm.proof import checkpoint, tiles
from prysm.proof.keys import read_keys
from prysm.proof.merkle import leaf_hash
from prysm.proof.verify import verify_bytes
from prysm.vault import Vault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from typer.testing import Result

    from prysm.proof.keys import PublicKey

    Prysm = Callable[..., Awaitable[Result]]

LEFT = """
    SELECT (SELECT count(*) FROM receipt WHERE request_id = $1) + (SELECT count(*) FROM stage WHERE request_id = $1)
        + (SELECT count(*) FROM feedback WHERE request_id = $1) + (SELECT count(*) FROM response WHERE id = $1)
"""
NEVER = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
async def log(database_url: str, tmp_path: Path) -> AsyncIterator[Filled]:
    async with filled(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def prysm(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prysm:
    """Run a command as an operator does on the gateway's machine."""
    monkeypatch.setenv("PRYSM_DATABASE_URL", database_url)
    monkeypatch.setenv("PRYSM_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("PRYSM_ENCRYPTION_KEY", raising=False)
    (tmp_path / "encryption.key").write_text(SECRET)

    async def run(*args: object, **options: Any) -> Result:
        return await to_thread(CliRunner().invoke, app, [str(arg) for arg in args], **options)

    return run


def verified(folder: Path, keys: tuple[PublicKey, ...]) -> int:
    """How many receipts there are; each verifies with nothing but the files."""
    found = sorted((folder / "receipts").iterdir())
    for path in found:
        report = verify_bytes(path.read_bytes(), keys=keys)
        assert report.exit_code == 0, list(report.lines())
    return len(found)


def pinned(folder: Path) -> tuple[PublicKey, ...]:
    return read_keys(json.loads((folder / "keys.json").read_text()))


async def test_a_sound_database_is_said_to_be_so(log: Filled, prysm: Prysm) -> None:
    await log.gateway.pins.close()
    done = await prysm("fsck")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "13 receipts" in done.stdout
    assert "1 deleted" in done.stdout
    assert "all is well" in done.stdout


async def test_damage_is_exit_code_1_and_names_what_to_do(log: Filled, prysm: Prysm) -> None:
    await log.tamper("DELETE FROM log_leaf WHERE idx = 5")
    done = await prysm("fsck")
    assert done.exit_code == 1
    assert "leaf_gap  log prysm/" in done.stdout
    assert "restore the last backup" in done.stdout
    assert json.loads((await prysm("fsck", "--json")).stdout)["kinds"] == {"leaf_gap": 1, "receipt_unlogged": 1}


async def test_what_cannot_be_looked_at_is_exit_code_2(
    prysm: Prysm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PRYSM_DATABASE_URL")
    done = await prysm("fsck")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "holds no database" in done.stderr
    assert not (tmp_path / "postgres").exists()


async def test_every_exported_receipt_verifies_offline_and_the_tiles_give_the_checkpoint(
    log: Filled, prysm: Prysm, tmp_path: Path
) -> None:
    await log.logged(300)
    out = tmp_path / "out"
    done = await prysm("proof", "export", "--out", out)
    assert done.exit_code == 0, done.output
    keys = pinned(out)
    assert verified(out, keys) == 313
    origin = log.gateway.keys.origin
    publics = [key.public for key in keys if key.use == "log"]
    signed = checkpoint.opened((out / "checkpoint").read_text(), origin, publics)
    assert signed.size == 318
    tree = tiles.Appender(0, {})
    for path in ("000", "001.p/62"):
        packed = (out / "tile" / "entries" / path).read_bytes()
        tree.append([leaf_hash(packed[at + 2 : at + 43]) for at in range(0, len(packed), 43)])
    assert tree.root() == signed.root
    held = {(0, 0): "0/000", (0, 1): "0/001.p/62", (1, 0): "1/000.p/1"}
    assert tree.changed() == {tile: (out / "tile" / path).read_bytes() for tile, path in held.items()}


async def test_an_export_goes_on_and_changes_nothing_that_is_there(
    log: Filled, prysm: Prysm, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = json.loads((await prysm("proof", "export", "--out", out, "--json")).stdout)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    lost, *_ = (out / "receipts").iterdir()
    lost.unlink()
    again = json.loads((await prysm("proof", "export", "--out", out, "--json")).stdout)
    assert (first["written"], again["written"]) == (len(before), 1)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert (first["receipts"], first["without_receipt"], first["size"]) == (11, 4, 15)
    await log.logged(5)
    await prysm("proof", "export", "--out", out, "--from", "15")
    assert verified(out, pinned(out)) == 18


async def test_a_range_is_proven_in_the_first_checkpoint_that_covers_it(
    log: Filled, prysm: Prysm, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert log.running
    done = json.loads((await prysm("proof", "export", "--out", out, "--from", 4, "--to", 5, "--json")).stdout)
    assert (done["size"], done["receipts"], done["last"]) == (7, 2, 5)
    assert sorted(path.name[:13] for path in (out / "receipts").iterdir()) == ["000000000004-", "000000000005-"]
    assert verified(out, pinned(out)) == 2


@pytest.mark.parametrize(
    "options",
    [
        ("--to", "99"),
        ("--to", str(2**63)),
        ("--from", "99"),
        ("--from", "5", "--to", "4"),
        ("--origin", "x"),
    ],
)
async def test_a_range_that_is_not_there_is_refused(
    log: Filled, prysm: Prysm, tmp_path: Path, options: tuple[str, ...]
) -> None:
    assert log.running
    done = await prysm("proof", "export", "--out", tmp_path / "out", *options)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)


async def test_a_smaller_range_does_not_turn_the_checkpoint_back(log: Filled, prysm: Prysm, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert log.running
    await prysm("proof", "export", "--out", out)
    newest = (out / "checkpoint").read_text()
    await prysm("proof", "export", "--out", out, "--to", 5)
    assert (out / "checkpoint").read_text() == newest
    assert verified(out, pinned(out)) == 11


async def test_a_folder_of_another_log_is_left_alone(log: Filled, prysm: Prysm, tmp_path: Path) -> None:
    assert log.running
    (tmp_path / "checkpoint").write_text("prysm/other\n0\n")
    done = await prysm("proof", "export", "--out", tmp_path)
    assert "holds an export of another log" in done.stderr
    assert (tmp_path / "checkpoint").read_text() == "prysm/other\n0\n"


async def test_a_deleted_receipt_leaves_every_other_proof_valid(log: Filled, prysm: Prysm, tmp_path: Path) -> None:
    run = await log.connection.fetchval("SELECT request_id FROM log_leaf WHERE idx = 4")
    await log.connection.execute("INSERT INTO feedback (request_id, score) VALUES ($1, 1)", run)
    kept = "INSERT INTO response SELECT $1, 'o', NULL, '{}', '{}', now(), id FROM organisation"
    await log.connection.execute(kept, run)
    asked = await prysm("proof", "delete", f"prysm-{run}", input="n\n")
    assert asked.exit_code == 1
    assert "Leaf 4 of prysm/" in asked.stderr
    done = json.loads((await prysm("proof", "delete", run, "--json")).stdout)
    assert (done["deleted"], done["index"]) == (True, 4)
    for table, column in (
        ("receipt", "request_id"),
        ("stage", "request_id"),
        ("feedback", "request_id"),
        ("response", "id"),
    ):
        statement = f"SELECT count(*) FROM {table} WHERE {column} = $1"  # noqa: S608 - ours
        assert await log.connection.fetchval(statement, run) == 0
    assert "was deleted before. Leaf 4" in (await prysm("proof", "delete", run, "--yes")).stdout
    assert (await prysm("fsck")).exit_code == 0
    await prysm("proof", "export", "--out", tmp_path / "out")
    assert verified(tmp_path / "out", pinned(tmp_path / "out")) == 10


async def test_a_receipt_on_its_way_to_the_log_is_logged_after_it_was_deleted(log: Filled, prysm: Prysm) -> None:
    run = await log.connection.fetchval("SELECT request_id FROM log_queue WHERE kind = 1 LIMIT 1")
    assert "waits for the log" in (await prysm("proof", "delete", run, "--yes")).stdout
    await log.gateway.sequencer.drain()
    assert await log.connection.fetchval("SELECT idx FROM log_leaf WHERE request_id = $1", run) == 16
    assert (await log.audit()).findings == []


@pytest.mark.parametrize(("run", "said"), [(NEVER, "no receipt"), ("x", "not the id of a run")])
async def test_what_was_never_there_cannot_be_deleted(log: Filled, prysm: Prysm, run: str, said: str) -> None:
    assert log.running
    done = await prysm("proof", "delete", run, "--yes")
    assert done.exit_code == 2
    assert said in done.stderr


async def test_a_rotated_key_is_taken_up_by_the_sequencer(log: Filled, prysm: Prysm) -> None:
    done = await prysm("proof", "rotate")
    assert "active when the next one starts" in done.stdout
    await log.connection.execute("INSERT INTO instance VALUES (gen_random_uuid(), now() + interval '1 min')")
    assert json.loads((await prysm("proof", "rotate", "--use", "log", "--json")).stdout)["gateway_runs"] is True
    await log.gateway.sequencer.drain()
    assert log.gateway.keys.receipt.kid in done.stdout
    assert (await prysm("fsck")).exit_code == 0


async def test_a_wrong_encryption_key_makes_no_key(log: Filled, prysm: Prysm, tmp_path: Path) -> None:
    (tmp_path / "encryption.key").write_text("another key than theirs")
    assert "another PRYSM_ENCRYPTION_KEY" in (await prysm("proof", "rotate")).stderr
    assert json.loads((await prysm("fsck", "--json")).stdout)["kinds"] == {"key_wrapped": 2}
    (tmp_path / "encryption.key").unlink()
    assert "--lost-key" in (await prysm("proof", "rotate")).stderr
    assert not (tmp_path / "encryption.key").exists()
    assert await log.connection.fetchval("SELECT count(*) FROM log_key") == 2
    assert "private keys were not looked at" in (await prysm("fsck")).stdout


async def test_a_revoked_key_voids_what_it_signed_from_the_leaf_named(log: Filled, prysm: Prysm) -> None:
    kid = log.gateway.keys.receipt.kid
    assert (await prysm("proof", "revoke", kid, "--at", 99, "--yes")).exit_code == 2
    assert (await prysm("proof", "revoke", kid, "--at", 10, input="n\n")).exit_code == 1
    assert (await prysm("proof", "revoke", kid, "--at", 10, "--yes")).exit_code == 0
    told = await prysm("fsck")
    assert (told.exit_code, f"5 receipts are void: the key {kid}" in told.stdout) == (0, True)
    assert json.loads((await prysm("fsck", "--json")).stdout)["void"] == {kid: 5}


async def test_a_key_is_revoked_from_now_on_when_nothing_is_said(log: Filled, prysm: Prysm) -> None:
    kid = log.gateway.keys.receipt.kid
    assert "from now on? The log has 15 leaves" in (await prysm("proof", "revoke", kid, input="n\n")).stderr
    done = json.loads((await prysm("proof", "revoke", kid, "--json")).stdout)
    assert done["to_index"] > 15
    await log.gateway.sequencer.drain()
    assert log.gateway.keys.receipt.kid == done["successor"]
    assert json.loads((await prysm("fsck", "--json")).stdout)["void"] == {}


async def test_a_lost_encryption_key_is_replaced_and_the_log_goes_on(
    log: Filled, prysm: Prysm, tmp_path: Path
) -> None:
    assert "none is lost" in (await prysm("proof", "rotate", "--lost-key", "--yes")).stderr
    (tmp_path / "encryption.key").unlink()
    kid = log.gateway.keys.receipt.kid
    assert "NO KEY IS IN ITS PLACE" in (await prysm("proof", "revoke", kid, "--yes")).stdout
    assert (await prysm("proof", "rotate", "--lost-key", input="n\n")).exit_code == 1
    assert not (tmp_path / "encryption.key").exists()
    done = json.loads((await prysm("proof", "rotate", "--lost-key", "--json")).stdout)
    assert (await prysm("fsck")).exit_code == 0
    vault = Vault(tmp_path / "encryption.key")
    gateway = await log.start(vault=vault)
    assert gateway.keys.origin == done["origin"]
    await gateway.sequencer.drain()
    assert json.loads((await prysm("fsck", "--json")).stdout)["void"] == {kid: 2}  # they could not be logged before


async def test_the_published_keys_are_printed_and_can_be_pinned(log: Filled, prysm: Prysm) -> None:
    assert log.gateway.keys.receipt.kid in (await prysm("proof", "keys")).stdout
    listed = read_keys(json.loads((await prysm("proof", "keys", "--json")).stdout))
    assert [key.use for key in listed] == ["receipt", "log"]
