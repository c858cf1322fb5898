"""Several processes write one log: two workers, and two gateways on one database."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.acceptance.aftermath import (
    check_heard,
    check_log,
    exported,
    fetched,
    fsck,
    outcome,
    pinned,
    prysm,
    settled,
)
from tests.acceptance.callers import calling
from tests.serving import SANDBOX

from prysm.proof import checkpoint
from prysm.proof.merkle import verify_consistency
from prysm.proof.strict import from_base64

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.acceptance.conftest import Process

    from prysm.proof.checkpoint import Checkpoint

SECRET = "an-encryption-key-that-two-gateways-share"
LOAD_S = 4.0
TAKEN_UP_S = 10.0
ASLEEP_S = 20.0
"""Longer than a lease, and than the sweep that finds out that it is over."""
COMPARED = 25
ASKED: dict[str, Any] = {"model": "sandbox-small", "messages": [{"role": "user", "content": "What is 17 * 23?"}]}


async def test_two_gateways_of_which_one_has_two_workers_keep_one_log_and_rotate_its_keys(
    serve: Callable[..., Process], database_url: str, tmp_path: Path
) -> None:
    shared = {"PRYSM_DATABASE_URL": database_url, "PRYSM_ENCRYPTION_KEY": SECRET}
    started = [  # both at once, on a database without a log
        serve("--workers", "2", toml=SANDBOX, PRYSM_DATA_DIR="one", **shared),
        serve(toml=SANDBOX, PRYSM_DATA_DIR="two", **shared),
    ]
    gateways = [await asyncio.to_thread(gateway.wait_ready) for gateway in started]
    rotating = {"PRYSM_DATA_DIR": "one", **shared}
    async with calling(gateways, 8) as heard:
        watch = asyncio.create_task(_checkpoints(gateways))
        await asyncio.sleep(LOAD_S / 2)
        for use in ("receipt", "log"):
            done = await asyncio.to_thread(prysm, tmp_path, "proof", "rotate", "--use", use, **rotating)
            assert done.returncode == 0, done.stderr
        await asyncio.sleep(LOAD_S / 2)
    seen = await watch
    await settled(database_url)

    published = gateways[0].get("/.well-known/prysm-keys.json").json()
    active = {key["use"]: key["kid"] for key in published["keys"] if key["status"] == "active"}
    assert sorted(key["status"] for key in published["keys"]) == ["active", "active", "retiring", "retiring"]
    for gateway in gateways:
        await asyncio.to_thread(_takes_up, gateway, active["receipt"])
    await settled(database_url)
    keys = pinned(gateways[1].get("/.well-known/prysm-keys.json").json())
    receipts = exported(tmp_path, keys, **rotating)
    check_heard(heard, receipts, keys)
    assert heard.cut == set()
    assert not heard.others
    assert await check_log(database_url) == len(receipts)
    _check_consistent(gateways, seen)
    for folder in ("one", "two"):
        fsck(tmp_path, **shared, PRYSM_DATA_DIR=folder)


@pytest.mark.slow
async def test_a_gateway_that_sleeps_through_its_lease_withholds_what_was_called_cut_off_meanwhile(
    serve: Callable[..., Process], database_url: str, tmp_path: Path
) -> None:
    shared = {"PRYSM_DATABASE_URL": database_url, "PRYSM_ENCRYPTION_KEY": SECRET}
    started = [serve(toml=SANDBOX, PRYSM_DATA_DIR=folder, **shared) for folder in ("one", "two")]
    gateways = [await asyncio.to_thread(gateway.wait_ready) for gateway in started]
    async with calling(gateways) as heard:
        await asyncio.sleep(16.0)  # nobody is called dead by one who has just come up
        os.killpg(gateways[0].popen.pid, signal.SIGSTOP)
        await asyncio.sleep(ASLEEP_S)
        os.killpg(gateways[0].popen.pid, signal.SIGCONT)
        await asyncio.sleep(1.0)
    await settled(database_url)
    keys = pinned(gateways[0].get("/.well-known/prysm-keys.json").json())
    receipts = exported(tmp_path, keys, PRYSM_DATA_DIR="one", **shared)
    check_heard(heard, receipts, keys)
    assert heard.others.keys() == {"proof_unavailable"}
    assert "interrupted" in set(map(outcome, receipts.values()))
    assert await check_log(database_url) == len(receipts)
    for folder in ("one", "two"):
        fsck(tmp_path, **shared, PRYSM_DATA_DIR=folder)


def test_a_gateway_with_another_encryption_key_does_not_start(
    serve: Callable[..., Process], database_url: str
) -> None:
    one = serve(toml=SANDBOX, PRYSM_DATABASE_URL=database_url, PRYSM_ENCRYPTION_KEY=SECRET).wait_ready()
    for arguments in ((), ("--workers", "2")):
        wrong = {"PRYSM_DATABASE_URL": database_url, "PRYSM_ENCRYPTION_KEY": "another-" + SECRET}
        other = serve(*arguments, toml=SANDBOX, PRYSM_DATA_DIR="other", **wrong)
        assert other.popen.wait(30) == 2
        (line,) = other.log().splitlines()
        assert line.startswith("prysm: The signing keys in this database are encrypted under another")
        assert SECRET not in line
    assert one.post("/v1/chat/completions", ASKED).status_code == 200


async def _checkpoints(gateways: Sequence[Process]) -> dict[int, str]:
    """What a monitor sees of either gateway meanwhile: the note of every size."""
    seen: dict[int, str] = {}
    over = time.monotonic() + LOAD_S
    async with httpx.AsyncClient() as http:
        while time.monotonic() < over:
            for gateway in gateways:
                note = (await http.get(gateway.url + "/v1/log/checkpoint")).text
                found = checkpoint.parse(note.partition("\n\n")[0] + "\n")
                known = seen.setdefault(found.size, note)
                assert known.partition("\n\n")[0] == note.partition("\n\n")[0]  # one history
            await asyncio.sleep(0.05)
    return seen


def _check_consistent(gateways: Sequence[Process], seen: dict[int, str]) -> None:
    """Each note is signed, and the tree of each begins with the one before, whichever gateway proves it."""
    published = gateways[0].get("/.well-known/prysm-keys.json").json()["keys"]
    publics = [from_base64(key["public"]) for key in published if key["use"] == "log"]
    trees = [_opened(note, publics) for _, note in sorted(seen.items())][:COMPARED]
    assert len(trees) > 3
    for i, (old, new) in enumerate(pairwise(trees)):
        found = gateways[i % 2].get(f"/v1/log/proof/consistency?from={old.size}&to={new.size}").json()
        path = [from_base64(node) for node in found["proof"]]
        verify_consistency(old.size, new.size, old.root, new.root, path)


def _opened(note: str, publics: list[bytes]) -> Checkpoint:
    return checkpoint.opened(note, note.partition("\n")[0], publics)


def _takes_up(gateway: Process, kid: str) -> None:
    """Wait until several answers in a row, of all its workers, are signed by the new key."""
    deadline, in_a_row = time.monotonic() + TAKEN_UP_S, 0
    while in_a_row < 6:
        assert time.monotonic() < deadline
        answer = gateway.post("/v1/chat/completions", ASKED)
        (signature,) = fetched(gateway, answer.json()["prysm"]["request_id"])["proof"]["envelope"]["signatures"]
        in_a_row = in_a_row + 1 if signature["keyid"] == kid else 0
