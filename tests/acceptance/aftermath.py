"""What must be true of a database and its receipts after whatever happened, checked without the gateway's word."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
from tests.acceptance.conftest import PRYSM
from tests.serving import ROOT_KEY
from tests.store.log_scene import audit

from prysm import Prysm
from prysm.proof.keys import read_keys
from prysm.proof.verify import verify_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.acceptance.callers import Heard
    from tests.acceptance.conftest import Process

    from prysm.proof.keys import PublicKey
    from prysm.store.connection import Connection

PATIENCE_S = 60.0
UNDONE = "SELECT (SELECT count(*) FROM intent) + (SELECT count(*) FROM log_queue)"


def prysm(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command of Prysm in a folder, with nothing of this environment that is Prysm's."""
    clean = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    return subprocess.run(  # noqa: S603 - the command under test
        [PRYSM, *arguments], check=False, cwd=folder, env=clean | environ, capture_output=True, text=True
    )


async def settled(url: str) -> None:
    """Wait until every intent is gone and every receipt is in the log."""
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while await connection.fetchval(UNDONE):  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.1)
    finally:
        await connection.close()


async def check_log(url: str) -> int:
    """Recompute the log from its leaves alone, and return how many receipts there are, each in it exactly once."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            logged = await audit(connection)
            await _check_leaves(connection)
            return logged
    finally:
        await connection.close()


async def _check_leaves(connection: Connection) -> None:
    receipts = {row["request_id"] for row in await connection.fetch("SELECT request_id FROM receipt")}
    leaves = [row["request_id"] for row in await connection.fetch("SELECT request_id FROM log_leaf WHERE kind = 1")]
    assert len(leaves) == len(set(leaves))
    assert set(leaves) == receipts
    assert await connection.fetchval(UNDONE) == 0


def exported(folder: Path, keys: tuple[PublicKey, ...], **environ: str) -> dict[str, bytes]:
    """Export every receipt of the log in use, and return them by id: each verifies offline, by the pinned keys."""
    out = folder / "exported"
    done = prysm(folder, "proof", "export", "--out", str(out), **environ)
    assert done.returncode == 0, done.stderr
    found = {path.stem.partition("-")[2]: path.read_bytes() for path in (out / "receipts").iterdir()}
    for name, document in found.items():
        assert verify_bytes(document, keys=keys).ok, name
    return found


def fetched(gateway: Process, request_id: str) -> dict[str, Any]:
    """A receipt with its stages and keys, as soon as the log has it: what a client keeps as a file."""
    with Prysm(api_key=ROOT_KEY, base_url=gateway.url) as client:
        return dict(client.proof_document(request_id))


def pinned(keys_document: Mapping[str, Any]) -> tuple[PublicKey, ...]:
    """Keys as a verifier keeps them."""
    return read_keys(keys_document)


def check_heard(heard: Heard, receipts: Mapping[str, bytes], keys: tuple[PublicKey, ...]) -> None:
    """Every answer has the receipt that opens to it, and every run that was seen to begin has one."""
    assert heard.begun <= receipts.keys(), heard.begun - receipts.keys()
    for request_id, answer in heard.answers.items():
        report = verify_bytes(receipts[request_id], request_id=request_id, keys=keys, openings=answer)
        assert report.ok, (request_id, list(report.lines()))
        assert any(check.ok for check in report.checks if check.name == "opening:answer")
        assert outcome(receipts[request_id]) in {"ok", "degraded"}


def outcome(document: bytes) -> str:
    """How the run of a receipt ended."""
    return str(orjson.loads(document)["entry"]["outcome"])


def fsck(folder: Path, **environ: str) -> None:
    """Let `prysm fsck` look at it too."""
    done = prysm(folder, "fsck", "--json", **environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["findings"] == []
