"""More than anyone should read, in heads, in bodies and in what they unpack to."""

from __future__ import annotations

import itertools
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prysm.faults.exchange import Exchange
    from prysm.faults.plays import Change, Play

BLOCK = 64 * 1024
FILLER = b"x" * BLOCK
BOMB_BYTES = 512 * 1024 * 1024


def raw(*parts: bytes) -> Play:
    """Write bytes that are not HTTP as it should be, and hang up."""

    async def play(at: Exchange) -> None:
        for part in parts:
            await at.send(part)
        at.close()

    return play


def endless(opening: bytes, again: Callable[[], Iterator[bytes]]) -> Play:
    """Write a raw opening, then for as long as anyone reads."""

    async def play(at: Exchange) -> None:
        await at.send(opening)
        for part in again():
            await at.send(part)

    return play


async def endless_body(at: Exchange) -> None:
    """A body without an end: one string in JSON, one line in a stream."""
    await at.head(transfer_encoding="chunked")
    await at.chunks(itertools.chain([b'data: {"choices": "' if at.asked.streamed else b'{"choices": "'], _filler()))


async def endless_events(at: Exchange) -> None:
    """An answer that never stops: the same words again and again."""
    await at.head(transfer_encoding="chunked")
    answer = at.script()
    said = b"".join(part for part in answer.events if b"Paris" in part)
    opening = b"".join(answer.events[:2]) if at.asked.form == "anthropic" else b""
    await at.chunks(itertools.chain([opening or said], itertools.repeat(said * (BLOCK // len(said)))))


async def huge_body(at: Exchange) -> None:
    """A body that says honestly that it has a gigabyte."""
    await at.head(content_length=1 << 30)
    for part in _filler():
        await at.send(part)


def _filler() -> Iterator[bytes]:
    return itertools.repeat(FILLER)


def packed(encoding: str, pack: Change) -> Play:
    """The answer, compressed, under the name of an encoding."""

    async def play(at: Exchange) -> None:
        answer = at.script()
        text = b"".join(answer.events) if at.asked.streamed else answer.whole
        await at.reply(pack(text), content_encoding=encoding)

    return play


def bomb(encoding: str, wbits: int) -> Play:
    """Half a gigabyte of blanks in half a megabyte."""

    async def play(at: Exchange) -> None:
        await at.head(content_encoding=encoding, transfer_encoding="chunked")
        await at.chunks(_deflated(wbits))

    return play


def _deflated(wbits: int) -> Iterator[bytes]:
    packer = zlib.compressobj(9, wbits=wbits)
    for _ in range(BOMB_BYTES // (1 << 20)):
        yield packer.compress(b" " * (1 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


async def zstd_bomb(at: Exchange) -> None:
    """Four gigabytes in 128 KiB: a frame of blocks that each repeat one byte (RFC 8878, section 3.1.1.2)."""
    size = 128 * 1024
    block = (size << 3 | 1 << 1).to_bytes(3, "little") + b" "
    last = (size << 3 | 1 << 1 | 1).to_bytes(3, "little") + b" "
    frame = b"\x28\xb5\x2f\xfd" + b"\x00\x58" + block * (BLOCK // 2) + last  # magic, descriptor, a window of 2 MiB
    await at.reply(frame, content_encoding="zstd")
