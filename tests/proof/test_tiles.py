"""The tree kept as tiles, against a tree by the letter of RFC 6962 and the definition of C2SP tlog-tiles."""

from __future__ import annotations

import hashlib
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.proof.naive_tree import leaf, mth, path, proof

from prysm.proof import tiles
from prysm.proof.defect import Defect
from prysm.proof.merkle import EMPTY_ROOT, MAX_SIZE
from prysm.proof.tiles import WIDTH, Appender, Tile

LIMIT = 300
LARGE = 70_000


def grown(batches: list[int], size: int = 0, kept: dict[Tile, bytes] | None = None) -> dict[Tile, bytes]:
    """The tiles after leaves were appended in batches of these sizes, each time by a new appender."""
    kept = dict(kept or {})
    for batch in batches:
        appender = Appender(size, kept)
        appender.append([leaf(n) for n in range(size, size + batch)])
        size += batch
        kept |= appender.changed()
        assert appender.size == size
        assert appender.root() == mth(0, size)
    return kept


def defined(size: int) -> dict[Tile, bytes]:
    """The tiles of a tree by the definition: MTH(D[(n * 256 + i) * 256**l : (n * 256 + i + 1) * 256**l])."""
    made = {}
    level, count = 0, size
    while count:
        for idx in range((count + WIDTH - 1) // WIDTH):
            width = min(WIDTH, count - idx * WIDTH)
            starts = [(idx * WIDTH + i) * WIDTH**level for i in range(width)]
            made[level, idx] = b"".join(mth(start, start + WIDTH**level) for start in starts)
        level, count = level + 1, count // WIDTH
    return made


@cache
def large() -> dict[Tile, bytes]:
    return grown([LARGE])


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, LARGE])
def test_tiles_are_those_of_the_specification(size: int) -> None:
    assert grown([size]) == defined(size)


def test_a_tree_of_70_000_has_the_tiles_that_the_specification_counts() -> None:
    widths = {tile: len(hashes) // 32 for tile, hashes in large().items()}
    assert sum(level == 0 and wide == WIDTH for (level, _), wide in widths.items()) == 273
    assert (widths[0, 273], widths[1, 0], widths[1, 1], widths[2, 0]) == (112, 256, 17, 1)
    assert len(widths) == 277
    assert all(tiles.width(tile, LARGE) == wide for tile, wide in widths.items())
    assert tiles.width((0, 274), LARGE) == 0


@given(st.lists(st.integers(0, 700), max_size=8))
def test_batches_of_any_size_make_the_same_tree(batches: list[int]) -> None:
    assert grown(batches) == defined(sum(batches))


def test_one_appender_goes_on_and_says_only_what_changed_since() -> None:
    appender = Appender(0, {})
    appender.append([leaf(0)])
    assert appender.changed() == {(0, 0): leaf(0)}
    assert appender.changed() == {}
    appender.append([])
    assert appender.changed() == {}
    appender.append([leaf(n) for n in range(1, WIDTH)])
    assert appender.changed() == defined(WIDTH)
    appender.append([leaf(WIDTH)])
    assert appender.changed() == {(0, 1): leaf(WIDTH)}
    assert appender.root() == mth(0, WIDTH + 1)


def test_the_appender_refuses_a_leaf_that_is_no_hash_and_adds_none_of_the_batch() -> None:
    appender = Appender(0, {})
    with pytest.raises(Defect):
        appender.append([leaf(0), b"entry"])
    assert (appender.size, appender.root(), appender.changed()) == (0, EMPTY_ROOT, {})


@pytest.mark.parametrize("hashes", [b"", leaf(0), leaf(0) * 3, leaf(0) * 2 + b"x"])
def test_the_appender_refuses_tiles_that_do_not_fit_the_size(hashes: bytes) -> None:
    with pytest.raises(Defect, match="do not fit"):
        Appender(2, {(0, 0): hashes})


def test_the_appender_refuses_a_missing_tile_and_an_impossible_size() -> None:
    with pytest.raises(Defect):
        Appender(257, {(0, 1): leaf(256)})
    with pytest.raises(Defect):
        Appender(-1, {})
    with pytest.raises(Defect):
        Appender(MAX_SIZE + 1, {})


@pytest.fixture
def _remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """All proofs of all small trees ask for the same subtrees again and again."""
    monkeypatch.setattr(tiles, "_complete", cache(tiles._complete))


@pytest.mark.usefixtures("_remembered")
def test_every_inclusion_path_of_small_trees_is_the_naive_one() -> None:
    kept = grown([LIMIT])
    for size in range(1, LIMIT + 1):
        for index in range(size):
            assert tiles.inclusion_path(index, size, kept) == path(index, 0, size)


@pytest.mark.usefixtures("_remembered")
def test_every_consistency_path_of_small_trees_is_the_naive_one() -> None:
    kept = grown([LIMIT])
    for new in range(1, LIMIT + 1):
        for old in range(1, new + 1):
            assert tiles.consistency_path(old, new, kept) == proof(old, new)


def test_every_root_of_small_trees_is_the_naive_one() -> None:
    kept = grown([LIMIT])
    assert [tiles.root(size, kept) for size in range(LIMIT + 1)] == [mth(0, size) for size in range(LIMIT + 1)]


@given(st.data())
def test_proofs_of_large_trees_read_only_the_tiles_they_name(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, LARGE))
    index, old = data.draw(st.integers(0, new - 1)), data.draw(st.integers(1, new))
    some = {tile: large()[tile] for tile in tiles.tiles_for_inclusion(index, new)}
    assert tiles.inclusion_path(index, new, some) == path(index, 0, new)
    some = {tile: large()[tile] for tile in tiles.tiles_for_consistency(old, new)}
    assert tiles.consistency_path(old, new, some) == proof(old, new)
    some = {tile: large()[tile] for tile in tiles.tiles_for_root(new)}
    assert tiles.root(new, some) == mth(0, new)


@given(st.integers(1, 2000), st.data())
def test_a_path_is_never_read_from_a_missing_or_short_tile(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    needed = sorted(tiles.tiles_for_inclusion(index, size))
    if not needed:
        return
    gone = data.draw(st.sampled_from(needed))
    kept = grown([size])
    with pytest.raises(Defect, match="missing or too short"):
        tiles.inclusion_path(index, size, {tile: kept[tile] for tile in kept if tile != gone})
    with pytest.raises(Defect, match="missing or too short"):
        tiles.inclusion_path(index, size, kept | {gone: b""})


def test_the_edge_is_the_tiles_that_are_not_full() -> None:
    assert tiles.edge(0) == frozenset()
    assert tiles.edge(LARGE) == {(0, 273), (1, 1), (2, 0)}
    assert tiles.edge(65_536) == {(2, 0)}


def test_proofs_of_nothing_are_empty() -> None:
    assert tiles.consistency_path(0, 7, {}) == tiles.consistency_path(7, 7, {}) == []
    assert tiles.inclusion_path(0, 1, {}) == []
    assert tiles.tiles_for_consistency(0, 7) == frozenset()
    assert tiles.root(0, {}) == EMPTY_ROOT


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 4), (4, 4), (0, -1), (0, MAX_SIZE + 1)])
def test_an_index_outside_the_tree_has_no_path(index: int, size: int) -> None:
    with pytest.raises(Defect):
        tiles.tiles_for_inclusion(index, size)


@pytest.mark.parametrize(("old", "new"), [(5, 4), (-1, 4), (0, MAX_SIZE + 1)])
def test_a_tree_does_not_shrink(old: int, new: int) -> None:
    with pytest.raises(Defect):
        tiles.tiles_for_consistency(old, new)


def test_the_largest_tree_needs_few_tiles() -> None:
    assert len(tiles.tiles_for_root(MAX_SIZE)) == 7
    assert len(tiles.tiles_for_inclusion(0, MAX_SIZE)) <= 16


@pytest.mark.parametrize(
    ("idx", "width", "written"),
    [
        (0, WIDTH, "000"),
        (999, WIDTH, "999"),
        (1000, WIDTH, "x001/000"),
        (1_234_067, WIDTH, "x001/x234/067"),
        (1_234_067, 5, "x001/x234/067.p/5"),
        (273, 112, "273.p/112"),
        (MAX_SIZE, WIDTH, "x009/x007/x199/x254/x740/991"),
    ],
)
def test_a_tile_is_addressed_as_the_specification_says(idx: int, width: int, written: str) -> None:
    assert tiles.tile_path(idx, width) == written
    assert tiles.parse_tile_path(written) == (idx, width)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "0",
        "0000",
        "x000/001",
        "001/002",
        "x001",
        "x001/x002",
        "X001/002",
        "-01",
        "٠٠١",
        "001/",
        "/001",
        "001.p/0",
        "001.p/01",
        "001.p/256",
        "001.p/999",
        "001.p/-1",
        "001.p/",
        "001.p",
        "001\n",
        "../001",
        "x009/x223/x372/x036/x854/x775/808",
        "x001/x000/x000/x000/x000/x000/x000/000",
    ],
)
def test_any_other_address_is_refused(path: str) -> None:
    with pytest.raises(Defect):
        tiles.parse_tile_path(path)


def test_an_appended_leaf_costs_about_one_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0

    def counted(data: bytes) -> hashlib._Hash:
        nonlocal made
        made += 1
        return hashlib.sha256(data)

    monkeypatch.setattr(tiles, "sha256", counted)
    appender = Appender(0, {})
    for n in range(0, 10_000, 100):
        appender.append([leaf(n)] * 100)
    assert made <= 10_000
