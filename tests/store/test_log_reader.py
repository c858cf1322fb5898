"""What the log gives out verifies with nothing but the verifier's own code."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, cast
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.store.log_scene import Scene, reading, scene

from prysm.errors import ProofUnavailable
from prysm.proof import checkpoint, leaves, tiles
from prysm.proof.merkle import leaf_hash, verify_consistency, verify_inclusion
from prysm.store.log.reader import LogReader, Place, _place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from prysm.proof.checkpoint import Checkpoint
    from prysm.store.connection import Connection

RECEIPTS = "SELECT request_id, digest FROM log_leaf WHERE kind = 1 ORDER BY idx"


@pytest.fixture
async def log(database_url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(database_url, tmp_path) as opened:
        yield opened


async def grown(log: Scene, *batches: int) -> None:
    gateway = log.running[0] if log.running else await log.start()
    for number in batches:
        await log.put(number, gateway.keys.receipt.kid)
        await gateway.sequencer.drain()


async def opened(log: Scene, note: str) -> Checkpoint:
    keys = await log.connection.fetch("SELECT public FROM log_key WHERE use = 'log'")
    return checkpoint.opened(note, log.running[0].keys.origin, [key["public"] for key in keys])


@given(batches=st.lists(st.integers(1, 400), min_size=1, max_size=4), seed=st.integers(0, 99))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_receipt_has_a_proof_that_verifies_whatever_the_batches(
    log: Scene, batches: list[int], seed: int
) -> None:
    await grown(log, *batches)
    rows = await log.connection.fetch(RECEIPTS)
    async with reading(log.url) as reader:
        for row in random.Random(seed).sample(rows, min(40, len(rows))):  # noqa: S311  a sample to look at
            place = await reader.place(row["request_id"])
            assert place is not None
            assert place.index is not None
            assert place.inclusion is not None
            signed = await opened(log, str(place.note))
            assert signed.size == place.size
            leaf = leaf_hash(leaves.entry(leaves.RECEIPT, row["digest"]))
            verify_inclusion(place.index, signed.size, leaf, place.inclusion, signed.root)


async def test_every_leaf_verifies_while_the_log_grows(log: Scene) -> None:
    await grown(log, 300)
    gateway = log.running[0]
    rows = await log.connection.fetch(RECEIPTS)
    gateway.sequencer.start()
    async with reading(log.url) as reader:
        for i, row in enumerate(rows):
            if i % 20 == 0:
                await log.put(30, gateway.keys.receipt.kid)
                gateway.sequencer.wake()
            place = await reader.place(row["request_id"])
            assert place is not None
            assert place.inclusion is not None
            signed = await opened(log, str(place.note))
            leaf = leaf_hash(leaves.entry(leaves.RECEIPT, row["digest"]))
            verify_inclusion(place.index or 0, signed.size, leaf, place.inclusion, signed.root)


async def test_the_states_of_a_receipt(log: Scene) -> None:
    await grown(log, 1)
    origin, kid = log.running[0].keys.origin, log.running[0].keys.receipt.kid
    pending, dropped = await log.put(2, kid)
    (included,) = [row["request_id"] for row in await log.connection.fetch(RECEIPTS)]
    await log.connection.execute("DELETE FROM receipt WHERE request_id = $1", dropped)
    async with reading(log.url) as reader:
        assert await reader.place(uuid4()) is None
        assert await reader.place(pending) == Place("pending", origin)
        assert await reader.place(dropped) == Place("deleted", origin)
        place = await reader.place(included)
        assert place is not None
        assert (place.state, place.index, place.size) == ("included", 3, 4)
        await log.connection.execute("DELETE FROM receipt WHERE request_id = $1", included)
        assert await reader.place(included) == Place("deleted", origin, 3)


async def test_a_receipt_from_before_the_log_has_no_place(log: Scene) -> None:
    await grown(log, 1)
    old = uuid4()
    await log.connection.execute("INSERT INTO receipt VALUES ($1, '{}', '\\x00')", old)
    async with reading(log.url) as reader:
        assert await reader.place(old) is None


async def test_every_two_checkpoints_are_shown_to_be_consistent(log: Scene) -> None:
    await grown(log, 1, 250, 3, 256, 100)
    signed = await log.connection.fetch("SELECT size, root FROM checkpoint ORDER BY size")
    async with reading(log.url) as reader:
        for old in signed:
            for new in signed:
                path = await reader.consistency(old["size"], new["size"])
                if old["size"] > new["size"]:
                    assert path is None
                else:
                    assert path is not None
                    verify_consistency(old["size"], new["size"], old["root"], new["root"], path)
        assert await reader.consistency(1, signed[-1]["size"] + 1) is None


async def test_tiles_and_entries_are_those_of_the_checkpoint(log: Scene) -> None:
    await grown(log, 600)
    async with reading(log.url) as reader:
        signed = await opened(log, str(await reader.checkpoint()))
        assert signed.size == 603
        parts = [await reader.entries(0), await reader.entries(1), await reader.entries(2, 91)]
        entries = b"".join(part or b"" for part in parts)
        assert len(entries) == 603 * 43
        hashes = [leaf_hash(entries[at + 2 : at + 43]) for at in range(0, len(entries), 43)]
        assert b"".join(hashes[:256]) == await reader.tile(0, 0)
        read = {tile: await reader.tile(*tile, tiles.width(tile, 603)) or b"" for tile in tiles.tiles_for_root(603)}
        assert tiles.root(603, read) == signed.root
        assert await reader.tile(0, 2, 91) == b"".join(hashes[512:])
        assert await reader.tile(0, 2, 5) == b"".join(hashes[512:517])


@pytest.mark.parametrize("tile", [(0, 2, 92), (0, 3, 1), (1, 0, 3), (-1, 0, 1), (0, -1, 1), (0, 0, 0), (70, 0, 1)])
async def test_what_the_checkpoint_does_not_cover_is_none(log: Scene, tile: tuple[int, int, int]) -> None:
    await grown(log, 600)
    async with reading(log.url) as reader:
        assert await reader.tile(*tile) is None
        assert await reader.leaf(603) is None
        assert await reader.leaf(-1) is None
        assert await reader.entries(2, 92) is None


async def test_a_leaf_shows_its_statement(log: Scene) -> None:
    await grown(log, 1)
    async with reading(log.url) as reader:
        first, fourth = await reader.leaf(0), await reader.leaf(3)
    assert first is not None
    assert first.kind == leaves.BEGINNING
    assert fourth is not None
    assert (fourth.kind, fourth.body) == (leaves.RECEIPT, None)


async def test_an_origin_names_a_log_and_an_unknown_one_is_none(log: Scene) -> None:
    await grown(log, 1)
    origin = log.running[0].keys.origin
    backup = await log.copy()
    await grown(log, 5)
    await log.restore(backup)
    await grown(log, 5)
    async with reading(log.url) as reader:
        assert str(await reader.checkpoint(origin)).startswith(f"{origin}\n4\n")
        assert str(await reader.checkpoint()).startswith(f"{log.running[0].keys.origin}\n8\n")
        assert await reader.checkpoint("prysm/none") is None
        assert await reader.consistency(0, 0, "prysm/none") is None
        assert await reader.tile(0, 0, 1, "prysm/none") is None
        assert await reader.entries(0, 1, "prysm/none") is None
        assert await reader.leaf(0, "prysm/none") is None
        assert len(await reader.keys()) == 4


async def test_a_database_that_is_away_makes_the_proof_unavailable(
    log: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prysm.store.log.reader.PATIENCE_S", 0.0)
    pool = asyncpg.create_pool(log.url.replace(".socket", ".nowhere"), min_size=0, max_size=1)
    async with pool:
        with pytest.raises(ProofUnavailable, match="cannot be read now"):
            await LogReader(pool).checkpoint()


async def test_damaged_tiles_give_no_proof(log: Scene) -> None:
    await grown(log, 1)
    (request_id,) = [row["request_id"] for row in await log.connection.fetch(RECEIPTS)]
    await log.connection.execute("DELETE FROM log_tile")
    async with reading(log.url) as reader:
        with pytest.raises(ProofUnavailable, match="prysm fsck"):
            await reader.place(request_id)
        assert await reader.tile(0, 0, 1) is None


async def test_a_place_costs_two_statements(log: Scene) -> None:
    await grown(log, 300)
    ids = [row["request_id"] for row in await log.connection.fetch(RECEIPTS)]
    asked: list[str] = []
    async with asyncpg.create_pool(log.url, min_size=1, max_size=1) as pool:
        await LogReader(pool).place(ids[0])  # the first use of a connection also asks for types
        async with pool.acquire() as connection:
            connection.add_query_logger(lambda query: asked.append(query.query))
            await _place(cast("Connection", connection), ids[1], 1)
            await asyncio.sleep(0)  # a logger is called soon
            assert len(asked) == 2
