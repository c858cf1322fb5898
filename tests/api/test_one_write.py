"""The end of a connection: the slow get all of an answer, and those who left hold nothing."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest

from prysm.api.one_write import ByTurns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

LONG = b"x" * 4_000_000


class Closing:
    """A connection with a long answer in it that was closed at once, and its reader."""

    def __init__(self, ours: ByTurns, theirs: socket.socket, looks: list[Callable[[], object]]) -> None:
        self.ours, self._theirs, self._looks = ours, theirs, looks
        self._loop = asyncio.get_running_loop()

    async def take(self, size: int) -> int:
        """Read that much, or to the end; return how much there was."""
        got = 0
        while got < size and (read := await self._loop.sock_recv(self._theirs, 1 << 16)):
            got += len(read)
        return got

    def a_minute_passes(self) -> None:
        """Do what was to be done in a minute."""
        due = self._looks[:]
        self._looks.clear()
        for look in due:
            look()


@pytest.fixture
async def closing(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Closing]:
    loop, looks = asyncio.get_running_loop(), list[Any]()
    near, far = socket.socketpair()
    far.settimeout(0)
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=near)
    ours = ByTurns(transport)
    monkeypatch.setattr(loop, "call_later", lambda _, call, *args: looks.append(lambda: call(*args)))
    ours.write(LONG)
    ours.close()
    yield Closing(ours, far, looks)
    far.close()
    if ours.get_write_buffer_size():
        ours.abort()
    await asyncio.sleep(0)


async def test_a_steady_slow_reader_gets_the_end_of_an_answer_after_which_the_connection_closes(
    closing: Closing,
) -> None:
    got = 0
    for _ in range(8):
        got += await closing.take(len(LONG) // 16)
        closing.a_minute_passes()
    assert got + await closing.take(len(LONG)) == len(LONG)


async def test_a_reader_who_takes_nothing_for_a_minute_is_hung_up_on(closing: Closing) -> None:
    closing.a_minute_passes()
    assert closing.ours.get_write_buffer_size() == 0
    assert await closing.take(len(LONG)) < len(LONG)


async def test_what_waits_for_a_connection_that_was_lost_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    near, far = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=near)
    ours = ByTurns(transport)
    ours.write(b"late")
    transport.abort()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    far.close()
    assert not caplog.records
