"""A Merkle tree kept as tiles of 256 hashes (c2sp.org/tlog-tiles): reading proofs from it, and growing it.

Tile `(level, idx)` holds, 32 bytes each, the roots of the complete subtrees of `256**level` leaves from number
`256 * idx` on; at level 0 those are the leaf hashes. The last tile of a level may be shorter, and a tile that has
grown since still serves every smaller tree. The levels between two tile levels are hashed anew whenever asked for.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, TypeAlias

from prysm.proof.defect import Defect
from prysm.proof.merkle import EMPTY_ROOT, HASH_BYTES, MAX_SIZE, node_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

HEIGHT = 8
WIDTH = 1 << HEIGHT
TILE_BYTES = WIDTH * HASH_BYTES

Tile: TypeAlias = tuple[int, int]
"""(level, idx), both from 0."""

_Range: TypeAlias = tuple[int, int]
_PATH = re.compile(r"((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


def tiles_for_inclusion(index: int, size: int) -> frozenset[Tile]:
    """The tiles that `inclusion_path` reads."""
    return _tiles_of(_inclusion(index, size))


def tiles_for_consistency(old: int, new: int) -> frozenset[Tile]:
    """The tiles that `consistency_path` reads."""
    return _tiles_of(_consistency(old, new))


def tiles_for_root(size: int) -> frozenset[Tile]:
    """The tiles that `root` reads; at most 8."""
    return _tiles_of([(0, _checked(size))])


def edge(size: int) -> frozenset[Tile]:
    """The tiles that are not full, which an `Appender` goes on from: the same that the root is read from."""
    return tiles_for_root(size)


def width(tile: Tile, size: int) -> int:
    """How many hashes, 0 to 256, the tile has in a tree of this size."""
    level, idx = tile
    return min(WIDTH, max(0, (size >> HEIGHT * level) - idx * WIDTH))


def inclusion_path(index: int, size: int, tiles: Mapping[Tile, bytes]) -> list[bytes]:
    """The inclusion proof of leaf `index`, from its sibling up; raises `Defect` if a tile is missing or too short."""
    return [_hash_of(each, tiles) for each in _inclusion(index, size)]


def consistency_path(old: int, new: int, tiles: Mapping[Tile, bytes]) -> list[bytes]:
    """The consistency proof from size `old` to size `new`; raises `Defect` if a tile is missing or too short."""
    return [_hash_of(each, tiles) for each in _consistency(old, new)]


def root(size: int, tiles: Mapping[Tile, bytes]) -> bytes:
    """The root of the first `size` leaves; raises `Defect` if a tile is missing or too short."""
    return _hash_of((0, _checked(size)), tiles) if size else EMPTY_ROOT


def tile_path(idx: int, width: int = WIDTH) -> str:
    """How a tile's number is written in its address: `x001/x234/067`, and `x001/x234/067.p/5` if it is partial."""
    rest, last = divmod(idx, 1000)
    path = f"{last:03d}"
    while rest:
        rest, part = divmod(rest, 1000)
        path = f"x{part:03d}/{path}"
    return path if width == WIDTH else f"{path}.p/{width}"


def parse_tile_path(path: str) -> tuple[int, int]:
    """`(idx, width)` of what `tile_path` wrote; raises `Defect` for any other spelling."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise Defect("a tile is addressed as 000, x001/234 or x001/234.p/5")
    idx, wide = int(match[1].replace("x", "").replace("/", "")), int(match[2] or WIDTH)
    if tile_path(idx, wide) != path or wide > WIDTH or idx > MAX_SIZE:
        raise Defect("the number of a tile has no needless zeros and its width is below 256")
    return idx, wide


class Appender:
    """A tree that grows at its right edge: about one node hash a leaf, however large the tree is."""

    __slots__ = ("_dirty", "_edge", "_full", "_root", "size")

    def __init__(self, size: int, tiles: Mapping[Tile, bytes]) -> None:
        """Go on from a tree of `size` leaves; `tiles` holds at least `edge(size)`.

        Raises `Defect` if one is missing or not as long as the size demands: whoever writes must not guess.
        """
        self.size = _checked(size)
        self._edge = [bytearray() for _ in range((size.bit_length() + HEIGHT - 1) // HEIGHT)]
        self._full: dict[Tile, bytes] = {}
        self._dirty: set[int] = set()
        self._root: bytes | None = None
        for tile in edge(size):
            hashes = tiles.get(tile, b"")
            if len(hashes) != width(tile, size) * HASH_BYTES:
                raise Defect("the last tiles of the log do not fit its size")
            self._edge[tile[0]] += hashes

    def append(self, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes in order; on `Defect` (one has not 32 bytes) none was added."""
        if any(len(leaf) != HASH_BYTES for leaf in leaves):
            raise Defect("a leaf hash has 32 bytes")
        size = _checked(self.size + len(leaves))
        if leaves:
            self._push(0, b"".join(leaves))
        self.size, self._root = size, None

    def root(self) -> bytes:
        """The root now; it is computed once."""
        if self._root is None:
            self._root = root(self.size, self._partial(range(len(self._edge))))
        return self._root

    def changed(self) -> dict[Tile, bytes]:
        """Every tile that became longer since the last call, in full."""
        tiles = self._full | self._partial(self._dirty)
        self._full, self._dirty = {}, set()
        return tiles

    def _partial(self, levels: Iterable[int]) -> dict[Tile, bytes]:
        edge = self._edge
        return {(level, self._next(level)): bytes(edge[level]) for level in levels if edge[level]}

    def _next(self, level: int) -> int:
        return self.size >> HEIGHT * (level + 1)

    def _push(self, level: int, hashes: bytes) -> None:
        """Lengthen a level, and the one above by the roots of the tiles that became full; `size` is still the old."""
        if level == len(self._edge):
            self._edge.append(bytearray())
        row, idx = self._edge[level], self._next(level)
        row += hashes
        self._dirty.add(level)
        full = [bytes(row[at : at + TILE_BYTES]) for at in range(0, len(row) - TILE_BYTES + 1, TILE_BYTES)]
        if full:
            del row[: len(full) * TILE_BYTES]
            self._full.update({(level, idx + n): tile for n, tile in enumerate(full)})
            self._push(level + 1, b"".join(map(_complete, full)))


def _inclusion(index: int, size: int) -> list[_Range]:
    """The leaves under each hash of an inclusion proof (RFC 6962, section 2.1.1)."""
    if not 0 <= index < _checked(size):
        raise Defect("the index is not inside the tree")
    lo, hi, ranges = 0, size, []
    while hi - lo > 1:
        middle = _split(lo, hi)
        if index < middle:
            ranges.append((middle, hi))
            hi = middle
        else:
            ranges.append((lo, middle))
            lo = middle
    return ranges[::-1]


def _consistency(old: int, new: int) -> list[_Range]:
    """The leaves under each hash of a consistency proof (RFC 6962, section 2.1.2)."""
    if not 0 <= old <= _checked(new):
        raise Defect("the old tree is larger than the new one")
    lo, hi, ranges = 0, new, []
    while old and old != hi:
        middle = _split(lo, hi)
        if old <= middle:
            ranges.append((middle, hi))
            hi = middle
        else:
            ranges.append((lo, middle))
            lo = middle
    # Unless it is the whole old tree, whose root the verifier has, the proof starts from the subtree that ends it.
    return [*([(lo, hi)] if lo else []), *ranges[::-1]]


def _split(lo: int, hi: int) -> int:
    """Where the tree over these leaves divides: at the largest power of two that leaves something on the right."""
    return lo + (1 << (hi - lo - 1).bit_length() - 1)


def _complete_subtrees(lo: int, hi: int) -> Iterator[tuple[int, int]]:
    """The (height, first leaf) of each complete subtree in a range, largest first."""
    while lo < hi:
        height = (hi - lo).bit_length() - 1
        yield height, lo
        lo += 1 << height


def _tile_of(height: int, first: int) -> Tile:
    level = height // HEIGHT
    return level, first >> HEIGHT * (level + 1)


def _tiles_of(ranges: list[_Range]) -> frozenset[Tile]:
    return frozenset(_tile_of(*subtree) for each in ranges for subtree in _complete_subtrees(*each))


def _hash_of(leaves: _Range, tiles: Mapping[Tile, bytes]) -> bytes:
    *left, node = [_subtree(height, first, tiles) for height, first in _complete_subtrees(*leaves)]
    for sibling in reversed(left):
        node = node_hash(sibling, node)
    return node


def _subtree(height: int, first: int, tiles: Mapping[Tile, bytes]) -> bytes:
    level, inside = divmod(height, HEIGHT)
    start = (first >> HEIGHT * level) % WIDTH * HASH_BYTES
    end = start + (HASH_BYTES << inside)
    hashes = tiles.get(_tile_of(height, first), b"")
    if len(hashes) < end:
        raise Defect("a tile of the log is missing or too short")
    return _complete(hashes[start:end])


def _complete(hashes: bytes) -> bytes:
    """The root of a complete subtree; two children lie side by side, so one slice is both."""
    pair = 2 * HASH_BYTES
    while len(hashes) > HASH_BYTES:
        hashes = b"".join([sha256(b"\x01" + hashes[at : at + pair]).digest() for at in range(0, len(hashes), pair)])
    return hashes


def _checked(size: int) -> int:
    if not 0 <= size <= MAX_SIZE:
        raise Defect("the size of a tree is between 0 and 2^63-1")
    return size
