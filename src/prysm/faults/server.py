"""The fault server: HTTP/1.1 on plain sockets, so that it can lie about everything."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prysm.faults.catalog import FAULTS
from prysm.faults.certificates import Authority
from prysm.faults.doors import DOORS, open_door
from prysm.faults.exchange import Exchange, HungUp, read_request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prysm.faults.exchange import Asked

LEFT = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, HungUp, ValueError)
MAX_HEAD_BYTES = 256 * 1024


@dataclass(slots=True)
class FaultServer:
    """Plays the fault that the model's name says, and remembers who asked.

    `ports` are those of the doors, by name; `playing` is what is not over yet; `sent` is how many bytes a fault got
    rid of in one exchange, at most.
    """

    host: str
    port: int = 0
    ports: dict[str, int] = field(default_factory=dict)
    authority: Authority = field(default_factory=Authority)
    seen: list[Asked] = field(default_factory=list)
    playing: list[Asked] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        """The base URL of every fault that is chosen by the model's name; the same for the three formats."""
        return f"http://{self.host}:{self.port}/v1"

    def door_url(self, name: str) -> str:
        """The base URL of a door."""
        return f"{'https' if DOORS[name].tls else 'http'}://{self.host}:{self.ports[name]}/v1"

    def asked(self, fault: str) -> list[Asked]:
        """The requests for a model so far."""
        return [asked for asked in self.seen if asked.model == fault]

    @classmethod
    @asynccontextmanager
    async def running(cls, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[FaultServer]:
        """Serve until the block ends: the faults at `port`, the doors at the ports behind it; 0 takes free ones."""
        server = cls(host)
        async with AsyncExitStack() as stack:
            plain = await asyncio.start_server(server.serve, host, port, limit=MAX_HEAD_BYTES)
            stack.callback(plain.close)
            server.port = plain.sockets[0].getsockname()[1]
            for number, name in enumerate(DOORS, start=port + 1 if port else 0):
                door = open_door(name, host, number if port else 0, server.serve, server.authority)
                server.ports[name] = await stack.enter_async_context(door)
            stack.callback(server.drop_all)
            yield server

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Play the requests of one connection."""
        self._writers.add(writer)
        try:
            while True:
                await self._play(await read_request(reader), reader, writer)
        except LEFT:
            writer.close()
        finally:
            self._writers.discard(writer)

    async def _play(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nth = sum(
            (one.model, one.form, one.streamed) == (asked.model, asked.form, asked.streamed) for one in self.seen
        )
        self.seen.append(asked)
        self.playing.append(asked)
        exchange = Exchange(asked, nth, reader, writer)
        fault = FAULTS.get(asked.model)
        try:
            if fault is None:
                await exchange.reply(exchange.error(), 404, "application/json")
            else:
                await fault.play(exchange)
        finally:
            self.playing.remove(asked)
            self.sent[asked.model] = max(self.sent.get(asked.model, 0), exchange.sent)

    def drop_all(self) -> None:
        """Cut every open connection."""
        for writer in tuple(self._writers):
            writer.transport.abort()
