"""Answers that come late, stop, or break off."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prysm.faults.formats import OWN_WORDS
from prysm.faults.plays import PAUSE_S, good

if TYPE_CHECKING:
    from prysm.faults.exchange import Exchange
    from prysm.faults.plays import Play

DRIP_S = 0.05


async def nothing_ever(at: Exchange) -> None:
    """Take the request and say nothing."""
    await at.hang()


async def slow_head(at: Exchange) -> None:
    """Write the head a byte at a time."""
    for byte in b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-slow: " + b"x" * 400:
        await at.send(bytes([byte]))
        await asyncio.sleep(DRIP_S)


async def slow_body(at: Exchange) -> None:
    """Write the body a byte at a time."""
    answer = at.script()
    text = b"".join(answer.events) if at.asked.streamed else answer.whole
    await at.head(content_length=len(text))
    for byte in text:
        await at.send(bytes([byte]))
        await asyncio.sleep(DRIP_S)


async def stall(at: Exchange) -> None:
    """Begin the answer with status 200 and fall silent."""
    answer = at.script()
    await at.head(transfer_encoding="chunked")
    begun = answer.events[: answer.unfinished] if at.asked.streamed else [answer.whole[:20]]
    await at.chunks(begun, end=False)
    await at.hang()


async def only_comments(at: Exchange) -> None:
    """Keep a stream alive for ever with comments and say nothing."""
    await at.head(transfer_encoding="chunked")
    while True:
        await at.chunks([b": still thinking\n\n" if at.asked.streamed else b" "], end=False)
        await asyncio.sleep(DRIP_S)


async def late(at: Exchange) -> None:
    """Answer well, a second and a half late."""
    await asyncio.sleep(1.5)
    await good(at)


async def twice(at: Exchange) -> None:
    """Answer, and send a second answer on the same connection that nobody asked for."""
    await good(at)
    await at.reply(b'{"error": {"message": "%s"}}' % OWN_WORDS.encode(), 500)


async def cut_body(at: Exchange) -> None:
    """Promise more bytes than there are, then hang up."""
    answer = at.script()
    text = b"".join(answer.events[: answer.unfinished]) if at.asked.streamed else answer.whole
    await at.head(content_length=len(text) + 100)
    await at.send(text)
    await asyncio.sleep(PAUSE_S)
    at.close()


async def short_length(at: Exchange) -> None:
    """Promise fewer bytes than there are."""
    answer = at.script()
    text = b"".join(answer.events) if at.asked.streamed else answer.whole
    unfinished = len(b"".join(answer.events[: answer.unfinished])) if at.asked.streamed else len(text) - 10
    await at.head(content_length=unfinished, connection="close")  # else the surplus meets whoever comes next
    await at.send(text[:unfinished])
    await asyncio.sleep(PAUSE_S)
    await at.send(text[unfinished:])
    at.close()


async def cut_chunk(at: Exchange) -> None:
    """Hang up inside a chunk."""
    answer = at.script()
    text = b"".join(answer.events[: answer.unfinished]) if at.asked.streamed else answer.whole
    await at.head(transfer_encoding="chunked")
    await at.send(b"%x\r\n%s" % (len(text) + 100, text))
    await asyncio.sleep(PAUSE_S)
    at.close()


async def cut_chunks(at: Exchange) -> None:
    """Hang up between two chunks, without the last one; the text itself may be whole."""
    answer = at.script()
    await at.head(transfer_encoding="chunked")
    await at.chunks(answer.events[: answer.unfinished] if at.asked.streamed else [answer.whole], end=False)
    await asyncio.sleep(PAUSE_S)
    at.close()


async def cut_without_frame(at: Exchange) -> None:
    """Half an answer whose only end is that of the connection."""
    answer = at.script()
    await at.head(connection="close")
    await at.send(b"".join(answer.events[: answer.unfinished]) if at.asked.streamed else answer.whole[:-10])
    await asyncio.sleep(PAUSE_S)
    at.close()


async def reset_in_the_body(at: Exchange) -> None:
    """Half an answer, then a TCP reset."""
    answer = at.script()
    await at.head(transfer_encoding="chunked")
    await at.chunks(answer.events[: answer.unfinished] if at.asked.streamed else [answer.whole[:20]], end=False)
    await asyncio.sleep(PAUSE_S)  # a reset may overtake what was sent just before
    at.reset()


async def hang_up(at: Exchange) -> None:
    """Read the request and hang up."""
    at.close()


async def reset(at: Exchange) -> None:
    """Read the request and reset the connection."""
    at.reset()


def unfinished(*, cut_in_event: bool = False) -> Play:
    """End a stream in good order before the answer is finished."""

    async def play(at: Exchange) -> None:
        answer = at.script()
        await at.head(transfer_encoding="chunked")
        await at.chunks([*answer.events[: answer.unfinished], *([b'data: {"cho'] if cut_in_event else [])])

    return play
