"""Compressed answers, unpacked a bounded piece at a time: a small body may hold a very large one."""

from __future__ import annotations

import zlib

PIECE_BYTES = 256 * 1024
GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
"""Tells the two apart by their first bytes: "deflate" is a zlib stream (RFC 9110, section 8.4.1.2)."""
PLAIN = frozenset({"", "identity"})
PACKED = frozenset({"gzip", "x-gzip", "deflate"})


class Undecodable(Exception):
    """An encoding that was not asked for and is not known, or bytes that are not in it."""


class Unpacker:
    """One encoding, once: none in another, no second member, and no more than `PIECE_BYTES` at a time."""

    __slots__ = ("_left", "_zlib", "waiting")

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(GZIP_OR_ZLIB)
        self._left = b""
        self.waiting = False
        """Whether there may be more to take without another read."""

    @property
    def finished(self) -> bool:
        """Whether the packed stream came to its own end."""
        return self._zlib.eof

    def take(self, read: bytes = b"") -> bytes:
        """Unpack the next piece, perhaps an empty one; raise `Undecodable`."""
        try:
            piece = self._zlib.decompress(self._left + read, PIECE_BYTES)
        except zlib.error as error:
            raise Undecodable from error
        if self._zlib.unused_data:
            raise Undecodable
        self._left = self._zlib.unconsumed_tail
        self.waiting = len(piece) == PIECE_BYTES
        return piece


def unpacker(encoding: str) -> Unpacker | None:
    """What unpacks a `Content-Encoding`, None for a plain body; raise `Undecodable` for any other."""
    name = encoding.strip().lower()
    if name in PLAIN:
        return None
    if name in PACKED:
        return Unpacker()
    raise Undecodable
