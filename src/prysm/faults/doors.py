"""Faults that come before any request: each has an address of its own.

Certificates are made for the occasion and signed by an authority that nobody trusts, unless a test does.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from prysm.faults.certificates import Authority

    Serve: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

BACKLOG = 4


@dataclass(frozen=True, slots=True)
class Door:
    """One address that goes wrong. `tls` is whether its URL is https."""

    what: str
    tls: bool


DOORS: Mapping[str, Door] = {
    "refused": Door("Nobody listens.", tls=False),
    "blackhole": Door("The connection is never accepted.", tls=False),
    "tls-expired": Door("The certificate ended yesterday.", tls=True),
    "tls-wrong-host": Door("The certificate is another host's.", tls=True),
    "tls-self-signed": Door("The certificate vouches for itself.", tls=True),
    "tls-stall": Door("The handshake never ends.", tls=True),
    "tls-none": Door("Plain HTTP where TLS is expected.", tls=True),
    "tls-unknown-authority": Door("The certificate is right, its authority unknown.", tls=True),
}


@asynccontextmanager
async def open_door(name: str, host: str, port: int, serve: Serve, authority: Authority) -> AsyncIterator[int]:
    """Open the door `name` and give its port; `port` 0 takes a free one."""
    match name:
        case "refused":
            opened = _reserved(host, port)
        case "blackhole":
            opened = _never_accepting(host, port)
        case "tls-stall":
            opened = _serving(host, port, _stall, None)
        case "tls-none":
            opened = _serving(host, port, serve, None)
        case _:
            opened = _serving(host, port, serve, _context(name, host, authority))
    async with opened as found:
        yield found


@asynccontextmanager
async def _reserved(host: str, port: int) -> AsyncIterator[int]:
    """A port that is taken and does not listen: the system refuses whoever comes."""
    with socket.socket() as held:
        held.bind((host, port))
        yield held.getsockname()[1]


@asynccontextmanager
async def _never_accepting(host: str, port: int) -> AsyncIterator[int]:
    """A listener whose queue is full: the system drops whoever comes next, as a firewall would."""
    with socket.create_server((host, port), backlog=1) as listener:
        found = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(BACKLOG)]
        for one in waiting:
            one.settimeout(0)
            with suppress(BlockingIOError):
                one.connect((host, found))
        try:
            yield found
        finally:
            for one in waiting:
                one.close()


@asynccontextmanager
async def _serving(host: str, port: int, serve: Serve, context: ssl.SSLContext | None) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, host, port, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read what a client has to say and never answer."""
    with suppress(ConnectionError):
        while await reader.read(1 << 16):
            pass
    writer.close()


def _context(name: str, host: str, authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory(prefix="prysm-faults-") as folder:
        path = Path(folder, "server.pem")  # the ssl module reads certificates from files only
        path.write_bytes(authority.certificate(name, host))
        context.load_cert_chain(path)
    return context
