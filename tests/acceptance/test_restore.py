"""A database that is put back to an earlier state is found out, and no receipt loses its worth."""

from __future__ import annotations

import shutil
import signal
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
from tests.acceptance.aftermath import check_log, fetched, fsck, pinned, prysm
from tests.serving import SANDBOX

from prysm.proof.verify import verify_document

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.conftest import Process

ASKED: dict[str, Any] = {"model": "sandbox-small", "messages": [{"role": "user", "content": "What is 17 * 23?"}]}
BEGINNING = "SELECT body FROM log_leaf WHERE idx = 0 ORDER BY log DESC LIMIT 1"


async def test_a_restored_database_goes_on_under_a_new_origin_and_lost_receipts_stay_good(
    serve: Callable[..., Process], tmp_path: Path
) -> None:
    database, backup = tmp_path / ".prysm" / "postgres", tmp_path / "backup"
    before = serve(toml=SANDBOX).wait_ready()
    old = _answers(before)
    _stop(before)
    shutil.copytree(database, backup)

    later = serve(toml=SANDBOX).wait_ready()
    lost = _answers(later)
    keys = pinned(later.get("/.well-known/prysm-keys.json").json())
    note = later.get("/v1/log/checkpoint").text
    _stop(later)
    assert "BACK IN TIME" not in later.log()
    shutil.rmtree(database)
    backup.rename(database)

    restored = serve(toml=SANDBOX).wait_ready()
    assert restored.log().count("THE DATABASE WENT BACK IN TIME") == 1
    new = _answers(restored)
    published = pinned(restored.get("/.well-known/prysm-keys.json").json())
    origins = {_origin(document) for document in new.values()}
    assert len(origins) == 1
    assert origins.isdisjoint({_origin(document) for document in (old | lost).values()})
    for request_id, document in (old | lost | new).items():
        assert verify_document(document, request_id, keys=published).ok
    for request_id, document in (old | lost).items():
        assert verify_document(document, request_id, keys=keys).ok
    for request_id in old:
        assert verify_document(fetched(restored, request_id), request_id, keys=keys).ok
    assert {restored.get(f"/v1/proof/{request_id}").status_code for request_id in lost} == {404}

    url = (tmp_path / ".prysm" / "postgres.url").read_text()
    begun = orjson.loads(await _value(url, BEGINNING))
    assert {begun["origin"]} == origins
    assert begun["predecessor"] == {"origin": note.partition("\n")[0], "checkpoint": note}
    assert await check_log(url) == len(old) + len(new)
    fsck(tmp_path)


async def test_a_lost_encryption_key_is_told_and_got_over_without_losing_a_receipt(
    serve: Callable[..., Process], tmp_path: Path
) -> None:
    first = serve(toml=SANDBOX).wait_ready()
    old = _answers(first)
    keys = pinned(first.get("/.well-known/prysm-keys.json").json())
    _stop(first)
    key = tmp_path / ".prysm" / "encryption.key"
    key.unlink()

    refused = serve(toml=SANDBOX)
    assert refused.popen.wait(30) == 2
    assert "`prysm proof rotate --lost-key`" in refused.log()
    assert not key.exists()
    done = prysm(tmp_path, "proof", "rotate", "--lost-key", "--yes")
    assert done.returncode == 0, done.stderr

    after = serve(toml=SANDBOX).wait_ready()
    new = _answers(after)
    published = pinned(after.get("/.well-known/prysm-keys.json").json())
    assert {_origin(each) for each in new.values()}.isdisjoint({_origin(each) for each in old.values()})
    for request_id, document in (old | new).items():
        assert verify_document(document, request_id, keys=published).ok
    for request_id in old:
        assert verify_document(fetched(after, request_id), request_id, keys=keys).ok
    fsck(tmp_path)


def _answers(gateway: Process) -> dict[str, dict[str, Any]]:
    """Ask a few times; the receipts, as their owner keeps them."""
    answers = [gateway.post("/v1/chat/completions", ASKED).json() for _ in range(3)]
    return {each["prysm"]["request_id"]: fetched(gateway, each["prysm"]["request_id"]) for each in answers}


def _origin(document: dict[str, Any]) -> str:
    return str(document["proof"]["log"]["origin"])


def _stop(gateway: Process) -> None:
    gateway.popen.send_signal(signal.SIGTERM)
    assert gateway.popen.wait(15) == 0


async def _value(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()
