"""What comes back over a connection that was given exactly these bytes."""

from __future__ import annotations

import io
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from tests.serving import ROOT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PATIENCE_S = 30.0
KEY = b"authorization: Bearer " + ROOT_KEY.encode() + b"\r\n"


@dataclass(frozen=True)
class Answer:
    """One answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Heard:
    """Everything that came until the gateway closed the connection, and how long that took."""

    answers: tuple[Answer, ...]
    seconds: float


def connect(url: str) -> socket.socket:
    """Open a connection to where `url` is served."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "", parts.port or 80), timeout=PATIENCE_S)


def say(url: str, *parts: bytes, pause_s: float = 0.05) -> Heard:
    """Send the parts one after the other, and listen until the gateway closes; it must, within `PATIENCE_S`."""
    began = time.monotonic()
    with connect(url) as connection:
        with suppress(ConnectionError):
            for i, part in enumerate(parts):
                if i:
                    time.sleep(pause_s)
                connection.sendall(part)
        heard = listen(connection)
    return Heard(heard, time.monotonic() - began)


def listen(connection: socket.socket) -> tuple[Answer, ...]:
    """Read to the end."""
    heard = b""
    with suppress(ConnectionResetError):
        while read := connection.recv(1 << 16):
            heard += read
    return tuple(_answers(heard))


def _answers(heard: bytes) -> Iterator[Answer]:
    stream = io.BytesIO(heard)
    while stream.tell() < len(heard):
        response = HTTPResponse(cast("socket.socket", _Socket(stream)))
        response.begin()
        body = response.read()
        yield Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


class _Socket:
    """As much of a socket as `HTTPResponse` needs; what it leaves can be read on."""

    def __init__(self, stream: io.BytesIO) -> None:
        self._stream = stream

    def makefile(self, _: str) -> _Unclosed:
        return _Unclosed(self._stream)


class _Unclosed(io.BufferedIOBase):
    def __init__(self, stream: io.BytesIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        return self._stream.read(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        return self._stream.readline(size)

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override] # of the kinds of buffer, the one used
        return self._stream.readinto(buffer)
