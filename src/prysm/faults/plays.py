"""What a response may say: refusals, redirects, odd answers and odd framing. `catalog` gives them names."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, TypeAlias

from prysm.faults.formats import event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from prysm.faults.exchange import Exchange
    from prysm.faults.formats import Said

    Play: TypeAlias = Callable[[Exchange], Awaitable[None]]
    Change: TypeAlias = Callable[[bytes], bytes]

PAUSE_S = 0.02
"""Long enough for the other side to read what was sent before what comes next."""


async def good(at: Exchange) -> None:
    """Answer as asked."""
    await at.answer(at.script())


def status(code: int, *, times: int | None = None, retry_after: str | None = None) -> Play:
    """Refuse, always or the first `times` times."""

    async def play(at: Exchange) -> None:
        if times is not None and at.nth >= times:
            await good(at)
            return
        headers = {} if retry_after is None else {"retry_after": retry_after}
        await at.reply(at.error(), code, "application/json", **headers)

    return play


def rate_limited_until(seconds_from_now: float) -> Play:
    """429, with the time to come back as an HTTP date."""

    async def play(at: Exchange) -> None:
        moment = datetime.now(UTC) + timedelta(seconds=seconds_from_now)
        await status(429, retry_after=format_datetime(moment, usegmt=True))(at)

    return play


def redirect(location: str, code: int = 302) -> Play:
    """Point elsewhere; `{trap}` in `location` is where the fault server counts who follows."""

    async def play(at: Exchange) -> None:
        host = at.asked.headers.get("host", "127.0.0.1")
        await at.reply(b"", code, location=location.format(trap=f"//{host.replace('127.0.0.1', 'localhost')}/trap"))

    return play


def body(data: bytes, media: str | None = None, code: int = 200) -> Play:
    """Answer 200 with bytes that are no answer."""

    async def play(at: Exchange) -> None:
        await at.reply(data, code, media)

    return play


async def no_content(at: Exchange) -> None:
    """204, which has no body and no type."""
    await at.head(204, "")


async def wrong_kind(at: Exchange) -> None:
    """A stream where a whole answer was asked for, and the other way round."""
    answer = at.script()
    if at.asked.streamed:
        await at.reply(answer.whole, media="application/json")
    else:
        await at.reply(b"".join(answer.events), media="text/event-stream")


def says(said: Said) -> Play:
    """A well-formed answer that says something odd."""

    async def play(at: Exchange) -> None:
        await at.answer(at.script(said))

    return play


def changed(change: Change) -> Play:
    """Change the JSON of the answer, in every event of a stream."""

    async def play(at: Exchange) -> None:
        answer = at.script()
        if at.asked.streamed:
            await at.head(transfer_encoding="chunked")
            await at.chunks(_in_events(part, change) for part in answer.events)
        else:
            await at.reply(change(answer.whole))

    return play


def _in_events(part: bytes, change: Change) -> bytes:
    head, mark, data = part.partition(b"data: ")
    return part if data.startswith(b"[DONE]") else head + mark + change(data[:-2]) + b"\n\n"


def framed(change: Change, *, step: int | None = None) -> Play:
    """Send the same events with other framing, all at once or `step` bytes a write."""

    async def play(at: Exchange) -> None:
        text = change(b"".join(at.script().events))
        await at.head(transfer_encoding="chunked")
        if step is None:
            await at.chunks([text])
            return
        for start in range(0, len(text), step):
            await at.chunks([text[start : start + step]], end=False)
            await asyncio.sleep(0)
        await at.chunks([])

    return play


async def split_in_a_character(at: Exchange) -> None:
    """Write the first byte of an ü, wait, and write the rest."""
    text = b"".join(at.script().events)
    where = text.index("ü".encode()) + 1
    await at.head(transfer_encoding="chunked")
    await at.chunks([text[:where]], end=False)
    await asyncio.sleep(PAUSE_S)
    await at.chunks([text[where:]])


async def without_done(at: Exchange) -> None:
    """Finish, and leave the `[DONE]` that only one format knows out."""
    await at.head(transfer_encoding="chunked")
    await at.chunks(part for part in at.script().events if b"[DONE]" not in part)


async def error_in_200(at: Exchange) -> None:
    """An error object where the answer should be."""
    data = at.error()
    if not at.asked.streamed:
        await at.reply(data)
        return
    await at.head(transfer_encoding="chunked")
    await at.chunks([event(data, "error")])


async def error_in_the_middle(at: Exchange) -> None:
    """Half an answer, then an error event."""
    answer = at.script()
    await at.head(transfer_encoding="chunked")
    await at.chunks(answer.events[: answer.unfinished], end=False)
    await asyncio.sleep(PAUSE_S)
    await at.chunks([event(at.error(), "error")])
