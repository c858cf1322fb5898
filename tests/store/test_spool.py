from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.store.receipts import make, whole
from tests.store.waiting import eventually

from prysm.errors import ConfigError, ProofUnavailable
from prysm.store import spool as module
from prysm.store.rows import Refused
from prysm.store.spool import Spool

if TYPE_CHECKING:
    from prysm.proof.sealed import Sealed


class Shelf:
    """Where drained receipts go."""

    def __init__(self) -> None:
        self.held: list[Sealed] = []

    async def put(self, sealed: Sealed) -> None:
        """Take it."""
        self.held.append(sealed)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "spool"


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_what_was_spooled_is_drained_the_oldest_first(
    folder: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 1)
    spool = Spool(folder)
    receipts = [whole(), whole(), whole()]
    for second, sealed in enumerate(receipts):
        await spool.put(sealed)
        os.utime(folder / f"{sealed.request_id}.receipt", (second, second))
    assert await Spool(folder).drain(shelf.put) == 3
    assert shelf.held == receipts
    assert names(folder) == []


@given(note=st.text())
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_survives_the_file(tmp_path: Path, note: str) -> None:
    sealed, shelf = whole(note), Shelf()

    async def through_the_file() -> None:
        await Spool(tmp_path).put(sealed)
        await Spool(tmp_path).drain(shelf.put)

    asyncio.run(through_the_file())
    assert shelf.held == [sealed]


async def test_nobody_else_may_read_it(folder: Path) -> None:
    sealed = make()
    await Spool(folder).put(sealed)
    file = folder / f"{sealed.request_id}.receipt"
    assert [oct(os.stat(path).st_mode & 0o777) for path in (folder, file)] == ["0o700", "0o600"]  # noqa: PTH116


@pytest.mark.parametrize(
    "torn",
    [
        "half",
        "empty",
        "not json",
        "altered",
        "no payload",
        "a list",
        "another run's",
        "stage of another",
        "stage missing",
        "no digest",
        "deep",
    ],
)
async def test_a_corrupt_file_is_set_aside_and_only_its_name_is_logged(
    torn: str, folder: Path, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    spool, bad, good = Spool(folder), whole("secret"), whole()
    await spool.put(bad)
    await spool.put(good)
    path = folder / f"{bad.request_id}.receipt"
    text = path.read_bytes()
    kept, other = json.loads(text), json.loads((folder / f"{good.request_id}.receipt").read_bytes())
    path.write_bytes(
        {
            "half": text[: len(text) // 2],
            "empty": b"",
            "not json": b"\xff" * 9,
            "altered": json.dumps(kept | {"payload": "c2VjcmV0"}).encode(),
            "no payload": b"{}",
            "a list": b"[]",
            "another run's": json.dumps(other).encode(),
            "stage of another": json.dumps(kept | {"stages": [*kept["stages"][:-1], "e30="]}).encode(),
            "stage missing": json.dumps(kept | {"stages": kept["stages"][:-1]}).encode(),
            "no digest": json.dumps(kept | {"digest": None}).encode(),
            "deep": b"[" * 10_000,
        }[torn]
    )
    assert await spool.drain(shelf.put) == 1
    assert shelf.held == [good]
    assert names(folder) == [f"{bad.request_id}.bad"]
    assert path.name in caplog.text
    assert "secret" not in caplog.text


async def test_a_receipt_that_is_refused_is_set_aside(folder: Path) -> None:
    async def refuse(_: Sealed) -> None:
        raise Refused("another receipt has its id")

    spool = Spool(folder)
    await spool.put(whole())
    assert await spool.drain(refuse) == 0
    assert [Path(name).suffix for name in names(folder)] == [".bad"]


async def test_what_is_not_durable_stays(folder: Path, shelf: Shelf) -> None:
    async def away(_: Sealed) -> None:
        raise ProofUnavailable("away")

    spool = Spool(folder)
    await spool.put(whole())
    with pytest.raises(ProofUnavailable):
        await spool.drain(away)
    assert await spool.drain(shelf.put) == 1


async def test_a_full_spool_takes_no_more_until_it_is_drained(folder: Path, shelf: Shelf) -> None:
    limit = module.ROOM_BYTES + 4000
    spool = Spool(folder, limit)
    await spool.put(whole("x" * 4000))
    assert spool.full
    assert Spool(folder, limit).full
    with pytest.raises(ProofUnavailable, match="full"):
        await spool.put(make(os.urandom(module.ROOM_BYTES)))
    await spool.drain(shelf.put)
    assert not Spool(folder, limit).full
    await spool.put(whole("x" * 2000))


async def test_a_write_that_fails_leaves_nothing_behind(folder: Path) -> None:
    spool, sealed = Spool(folder), make()
    (folder / f"{sealed.request_id}.receipt").mkdir()
    with pytest.raises(ProofUnavailable, match="IsADirectory"):
        await spool.put(sealed)
    assert names(folder) == [f"{sealed.request_id}.receipt"]


async def test_a_cancelled_wait_does_not_take_the_receipt_back(folder: Path, shelf: Shelf) -> None:
    spool = Spool(folder)
    task = asyncio.create_task(spool.put(whole()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await eventually(lambda: spool.drain(shelf.put))


async def test_what_a_crash_left_half_written_is_removed_in_time(folder: Path, shelf: Shelf) -> None:
    spool = Spool(folder)
    old, young = folder / f"{uuid4()}.receipt.aa.tmp", folder / f"{uuid4()}.receipt.bb.tmp"
    for path in (old, young):
        path.write_bytes(b"{")
    os.utime(old, (0, 0))
    await spool.drain(shelf.put)
    assert names(folder) == [young.name]


async def test_a_folder_in_the_spool_is_left_alone(folder: Path, shelf: Shelf) -> None:
    spool, sealed = Spool(folder), whole()
    folders = [f"{uuid4()}.receipt", f"{uuid4()}.receipt.aa.tmp"]
    for name in folders:
        (folder / name).mkdir()
        os.utime(folder / name, (0, 0))
    await spool.put(sealed)
    assert await spool.drain(shelf.put) == 1
    assert names(folder) == sorted(folders)


async def test_a_file_that_cannot_be_read_holds_up_no_other(
    folder: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 1)
    spool, corrupt = Spool(folder), folder / f"{uuid4()}.receipt"
    corrupt.touch()
    os.utime(corrupt, (0, 0))
    corrupt.with_suffix(".bad").mkdir()  # so that it cannot be set aside either
    await spool.put(whole())
    with pytest.raises(ProofUnavailable):
        await spool.drain(shelf.put)
    assert len(shelf.held) == 1
    assert corrupt.exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="PRYSM_DATA_DIR"):
        Spool(tmp_path / "file" / "spool")
