"""The log over HTTP, read as a stranger reads it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from tests.api.told_log import told
from tests.api.wire import error
from tests.proof import made
from tests.serving import AUTHORIZED, SANDBOX

from prysm.proof import checkpoint
from prysm.proof.keys import read_keys
from prysm.proof.merkle import leaf_hash, verify_consistency
from prysm.proof.tiles import root, tile_path, tiles_for_root, width

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.api.told_log import Told

SIZE = 600
LOG_PUBLICS = [made.LOG_KEY.public]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Told]:
    """A log of two full tiles and a part of a third."""
    async with told(tmp_path, made.log_entries(made.entry(1, made.PAYLOAD_TYPE, b"ours"), size=SIZE)) as served:
        yield served


async def test_the_checkpoint_is_a_signed_note_that_nobody_keeps(gateway: Told) -> None:
    response = await gateway.http.get("/v1/log/checkpoint")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert checkpoint.opened(response.text, made.ORIGIN, LOG_PUBLICS).size == SIZE
    named = await gateway.http.get("/v1/log/checkpoint", params={"origin": made.ORIGIN})
    assert named.text == response.text


async def test_the_root_of_the_checkpoint_is_that_of_the_tiles(gateway: Told) -> None:
    note = (await gateway.http.get("/v1/log/checkpoint")).text
    read = {}
    for tile in tiles_for_root(SIZE):
        response = await gateway.http.get(f"/v1/log/tile/{tile[0]}/{tile_path(tile[1], width(tile, SIZE))}")
        assert response.headers["content-type"] == "application/octet-stream"
        read[tile] = response.content
    assert root(SIZE, read) == checkpoint.opened(note, made.ORIGIN, LOG_PUBLICS).root


async def test_the_entries_are_those_that_the_tiles_hold_the_hashes_of(gateway: Told) -> None:
    bundle = (await gateway.http.get("/v1/log/tile/entries/002.p/88")).content
    hashes = (await gateway.http.get("/v1/log/tile/0/002.p/88")).content
    read = []
    while bundle:
        size = int.from_bytes(bundle[:2], "big")
        read.append(bundle[2 : 2 + size])
        bundle = bundle[2 + size :]
    assert b"".join(map(leaf_hash, read)) == hashes
    assert len(read) == 88


async def test_a_tile_is_kept_for_ever_only_under_an_address_that_names_its_log(gateway: Told) -> None:
    found = [await gateway.http.get("/v1/log/tile/0/000", params=p) for p in ({}, {"origin": made.ORIGIN})]
    assert found[0].content == found[1].content
    kept = [response.headers["cache-control"] for response in found]
    assert kept == ["public, max-age=60", "public, max-age=31536000, immutable"]


@pytest.mark.parametrize(
    "path",
    [
        "0/002",  # not full
        "0/002.p/89",
        "0/003.p/1",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/007",
        "0/000.p/",
        "0/0",
        "0/0000",
        "0/x000/000",
        "0/x001/000",
        "0/" + "x999/" * 6 + "999",
        "0/" + "x999/" * 600 + "999",
        "00/000",
        "1/000",
        "2/000.p/1",
        "8/000.p/1",
        "64/000.p/1",
        "-1/000",
        "\u0661/000",
        "0/\u0660\u0660\u0660",
        "entries/002",
        "entries/002.p/89",
        "entries",
        "entries/",
        "0",
        "data/000",
        "0/000/",
        "0/%00",
        "0/000%00",
        "%ff/000",
        "0/..%2f000",
    ],
)
async def test_a_tile_that_the_log_does_not_have_is_not_found(gateway: Told, path: str) -> None:
    assert error(await gateway.http.get(f"/v1/log/tile/{path}")) == (404, "not_found")


@pytest.mark.parametrize(
    ("old", "new"), [(0, 0), (0, SIZE), (1, 2), (14, 15), (256, SIZE), (300, SIZE), (599, 600), (SIZE, SIZE)]
)
async def test_a_later_log_is_proved_to_begin_with_an_earlier_one(gateway: Told, old: int, new: int) -> None:
    found = (await gateway.http.get(f"/v1/log/proof/consistency?from={old}&to={new}")).json()
    roots = [made.tree_hash(gateway.log.told[:size]) for size in (old, new)]
    verify_consistency(old, new, roots[0], roots[1], [base64.b64decode(node) for node in found["proof"]])
    assert (found["origin"], found["from"], found["to"]) == (made.ORIGIN, old, new)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=5&to=4", "from"),
        ("from=-1&to=4", "from"),
        ("from=1&to=601", "to"),
        (f"from=1&to={2**63}", "to"),
        (f"from=1&to={'9' * 4000}", "to"),
    ],
)
async def test_sizes_that_the_log_never_had_are_refused_with_its_size(
    gateway: Told, query: str, field: str
) -> None:
    response = await gateway.http.get(f"/v1/log/proof/consistency?{query}")
    assert error(response) == (422, "invalid_request")
    assert response.json()["error"]["param"] == field
    assert "0 <= from <= to <= 600" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "query", ["", "from=1", "to=1", "from=a&to=b", "from=1.5&to=2", "from=&to=2", f"from=0&to={'9' * 5000}"]
)
async def test_what_is_no_size_is_refused(gateway: Told, query: str) -> None:
    assert error(await gateway.http.get(f"/v1/log/proof/consistency?{query}")) == (422, "invalid_request")


@pytest.mark.parametrize("path", ["checkpoint", "tile/0/000", "tile/entries/000", "proof/consistency?from=1&to=2"])
async def test_another_log_is_not_found_and_what_can_name_none_is_refused(gateway: Told, path: str) -> None:
    join = "&" if "?" in path else "?"
    unknown = await gateway.http.get(f"/v1/log/{path}{join}origin=prysm/{'0' * 32}")
    assert error(unknown) == (404, "not_found")
    for hostile in ("", "x", "prysm/%00", f"prysm/{'0' * 32}%0A", "prysm/" + "A" * 32, "x" * 5000, "%ED%A0%80"):
        refused = await gateway.http.get(f"/v1/log/{path}{join}origin={hostile}")
        assert error(refused) == (422, "invalid_request")


async def test_the_keys_are_published_each_with_where_it_is_good(gateway: Told) -> None:
    response = await gateway.http.get("/.well-known/prysm-keys.json")
    assert response.headers["cache-control"] == "public, max-age=60"
    assert [key.kid for key in read_keys(response.json())] == [key.kid for key in made.KEYS]


@pytest.mark.parametrize(
    "path",
    ["/v1/log/checkpoint", "/v1/log/tile/0/000", "/v1/log/proof/consistency", "/.well-known/prysm-keys.json"],
)
async def test_the_log_is_read_only(gateway: Told, path: str) -> None:
    assert error(await gateway.http.post(path)) == (405, "method_not_allowed")


async def test_the_log_is_public_even_where_receipts_are_not(tmp_path: Path) -> None:
    entries = made.log_entries(b"x" * 41)
    async with told(tmp_path, entries, SANDBOX + "\n[proof]\npublic = false\n") as gateway:
        for path in ("log/checkpoint", "log/tile/0/000.p/14", "log/proof/consistency?from=1&to=2"):
            assert (await gateway.http.get(f"/v1/{path}")).status_code == 200
        assert (await gateway.http.get("/.well-known/prysm-keys.json")).status_code == 200
        refused = [await gateway.http.get("/v1/proof/x"), await gateway.http.post("/v1/proof/verify", json={})]
        assert [error(response) for response in refused] == [(401, "invalid_api_key")] * 2
        assert (await gateway.http.post("/v1/proof/verify", json={}, headers=AUTHORIZED)).status_code == 422


@pytest.mark.parametrize("path", ["/v1/log", "/v1/log/", "/v1/log/x", "/v1/log/checkpoint/x", "/.well-known/x"])
async def test_what_is_no_route_of_the_log_needs_a_key(gateway: Told, path: str) -> None:
    assert error(await gateway.http.get(path)) == (401, "invalid_api_key")
