"""A receipt whose key is revoked before it is stored is signed again; what was stored before stays good."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from tests.payers import PAYER
from tests.signed_receipts import RECORD, STAGES
from tests.store.log_scene import SECRET, Scene, scene

from prysm.errors import ProofUnavailable
from prysm.proof.dsse import pae
from prysm.proof.hashing import PAYLOAD_TYPE
from prysm.proof.signing import SigningKey, signature_holds
from prysm.receipt.seal import seal
from prysm.store import committer as module
from prysm.store.committer import GroupCommitter
from prysm.store.fsck import fsck
from prysm.store.log.lock import locked
from prysm.store.log.rotation import revoke
from prysm.store.rows import Refused
from prysm.vault import Vault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.store.log_scene import Gateway

    from prysm.proof.sealed import Sealed

VAULT = Vault(SECRET)
STORED = "SELECT kid, signature, payload, proof_hash FROM receipt WHERE request_id = $1"
BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.fixture
async def log(database_url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def gateway(log: Scene) -> Gateway:
    return await log.start()


@pytest.fixture
async def committer(log: Scene, gateway: Gateway) -> AsyncIterator[GroupCommitter]:
    opened = await GroupCommitter.open(log.url, gateway.sequencer.wake, gateway.keys)
    yield opened
    await opened.close()


def made(key: SigningKey) -> Sealed:
    request_id = uuid4()
    return seal(request_id, RECORD | {"request_id": str(request_id)}, STAGES, key)


async def kid_of_stored(log: Scene, sealed: Sealed) -> str:
    """The key of a receipt that is stored with the same payload and a signature that holds."""
    row = await log.connection.fetchrow(STORED, sealed.request_id)
    assert row is not None
    assert (row["payload"], row["proof_hash"]) == (sealed.payload, sealed.proof_hash)
    public = await log.connection.fetchval("SELECT public FROM log_key WHERE kid = $1", row["kid"])
    assert signature_holds(public, row["signature"], pae(PAYLOAD_TYPE, sealed.payload))
    return str(row["kid"])


async def sound(log: Scene) -> None:
    found = await fsck(log.connection, [], VAULT, lambda *_: None)
    assert (found.findings, dict(found.void)) == ([], {})


async def test_a_receipt_under_a_revoked_key_is_signed_again_with_the_next(
    log: Scene, gateway: Gateway, committer: GroupCommitter
) -> None:
    stolen = gateway.keys.receipt
    before, after = made(stolen), made(stolen)
    await committer.put(before)
    await committer.intend(after.request_id, b"{}", PAYER)
    done = await revoke(log.connection, VAULT, stolen.kid)
    gateway.sequencer.start()
    assert await committer.put(after) == "sealed"
    assert await kid_of_stored(log, before) == stolen.kid
    assert await kid_of_stored(log, after) == done.successor
    assert await log.value("SELECT count(*) FROM intent") == 0
    await gateway.sequencer.drain()
    await sound(log)


async def test_a_receipt_that_is_stored_in_the_moment_of_the_revocation_is_before_it_or_signed_again(
    log: Scene, gateway: Gateway, committer: GroupCommitter
) -> None:
    stolen = gateway.keys.receipt
    await committer.put(made(stolen))
    sealed = made(stolen)
    async with scene(log.url, log.folder) as other, locked(other.connection):
        await other.connection.execute("LOCK TABLE log_queue IN SHARE MODE")
        storing = asyncio.create_task(committer.put(sealed))
        while not await log.value(BLOCKED):  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.01)
        await other.connection.execute(
            "UPDATE log_key SET status = 'revoked', to_index = 3 WHERE kid = $1", stolen.kid
        )
    await revoke(log.connection, VAULT, stolen.kid, 3)
    gateway.sequencer.start()
    await storing
    assert await kid_of_stored(log, sealed) != stolen.kid


async def test_nothing_revoked_under_load_is_void(log: Scene, gateway: Gateway, committer: GroupCommitter) -> None:
    gateway.sequencer.start()
    stop = asyncio.Event()

    async def caller() -> None:
        while not stop.is_set():
            await committer.put(made(gateway.keys.receipt))

    callers = [asyncio.create_task(caller()) for _ in range(8)]
    for _ in range(3):
        kid = gateway.keys.receipt.kid
        await revoke(log.connection, VAULT, kid)
        while gateway.keys.receipt.kid == kid:  # noqa: ASYNC110 - nothing tells of a new key
            await asyncio.sleep(0.01)
    stop.set()
    await asyncio.gather(*callers)
    await gateway.sequencer.drain()
    await sound(log)


async def test_without_another_key_the_receipt_is_refused_and_its_run_is_left_to_the_reaper(
    log: Scene, gateway: Gateway, committer: GroupCommitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLUSH_TIMEOUT_S", 0.2)
    monkeypatch.setattr(module, "RECOVERY_S", 0.2)
    sealed = made(gateway.keys.receipt)
    await committer.intend(sealed.request_id, b"{}", PAYER)
    await revoke(log.connection, Vault("another key, also long"), gateway.keys.receipt.kid)
    with pytest.raises(ProofUnavailable):
        await committer.put(sealed)
    assert await log.value("SELECT count(*) FROM receipt") == 0
    assert await log.value("SELECT count(*) FROM intent") == 1


async def test_what_no_key_of_the_database_has_signed_is_refused_and_not_signed(
    log: Scene, gateway: Gateway, committer: GroupCommitter
) -> None:
    strange, ours = made(SigningKey.generate()), made(gateway.keys.receipt)
    forged = replace(made(SigningKey.generate()), kid=gateway.keys.receipt.kid)
    await revoke(log.connection, VAULT, gateway.keys.receipt.kid)
    gateway.sequencer.start()
    found = await asyncio.gather(*map(committer.put, (strange, ours, forged)), return_exceptions=True)
    assert [type(one) for one in found] == [Refused, str, Refused]
    assert await log.value("SELECT count(*) FROM receipt") == 1
