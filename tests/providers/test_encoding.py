from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.providers.encoding import PIECE_BYTES, Undecodable, Unpacker, unpacker

if TYPE_CHECKING:
    from collections.abc import Iterator


def pieces(unpacks: Unpacker, reads: list[bytes]) -> Iterator[bytes]:
    for read in reads:
        yield unpacks.take(read)
        while unpacks.waiting:
            yield unpacks.take()


@given(st.binary(max_size=2000), st.integers(1, 500), st.integers(1, 97), st.sampled_from([gzip, zlib]))
def test_what_was_packed_comes_out_however_it_is_cut(data: bytes, times: int, step: int, how: object) -> None:
    text = data * times
    packed = gzip.compress(text) if how is gzip else zlib.compress(text)
    unpacks = Unpacker()
    reads = [packed[start : start + step] for start in range(0, len(packed), step)]
    assert b"".join(pieces(unpacks, reads)) == text
    assert unpacks.finished


@pytest.mark.parametrize("extra", [0, 1, 257, 258, 259])
def test_no_piece_is_larger_than_its_bound_and_none_is_lost_at_it(extra: int) -> None:
    size = 4 * PIECE_BYTES + extra
    unpacks = Unpacker()
    sizes = [len(piece) for piece in pieces(unpacks, [gzip.compress(b" " * size)])]
    assert (sum(sizes), max(sizes)) == (size, PIECE_BYTES)
    assert unpacks.finished


def test_what_is_cut_is_not_finished() -> None:
    unpacks = Unpacker()
    unpacks.take(gzip.compress(b"hello")[:-3])
    assert not unpacks.finished


@pytest.mark.parametrize(
    "packed",
    [b"hello", gzip.compress(b"a") + gzip.compress(b"b"), gzip.compress(b"a") + b"x"],
    ids=["plain", "two members", "a tail"],
)
def test_what_is_not_one_packed_stream_is_refused(packed: bytes) -> None:
    with pytest.raises(Undecodable):
        Unpacker().take(packed)


def test_only_the_encodings_that_are_known_are_taken() -> None:
    assert unpacker("") is None
    assert unpacker(" Identity ") is None
    assert unpacker("GZIP") is not None
    for name in ("br", "zstd", "gzip, gzip", "gzip, deflate", "compress", "chunked", "\0"):
        with pytest.raises(Undecodable):
            unpacker(name)
