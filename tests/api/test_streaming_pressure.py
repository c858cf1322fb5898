from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING

import psutil
from tests.api.wire import stream_start

if TYPE_CHECKING:
    import pytest
    from tests.providers.upstream import Upstream
    from tests.serving import Served

MEGABYTE = 1_000_000
POURED = 50 * MEGABYTE


def test_a_caller_who_reads_nothing_stops_the_upstream_and_not_the_memory(scripted: Served, left: Upstream) -> None:
    left.plays(*_flood(POURED))
    before = _resident()
    with _slow(scripted) as connection:
        _wait_until_still(left)
        still = left.poured
        assert still < POURED // 2  # the kernel's buffers on two connections hold most of it
        assert _resident() - before < POURED // 2  # the upstream and the caller live in this process too
        _take(connection, still)
        _wait_until_still(left)
        assert left.poured > still
    assert _gone(left)


def test_a_caller_who_reads_nothing_for_long_is_taken_to_be_gone(
    scripted: Served, left: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prysm.api.sse.STUCK_S", 0.3)
    left.plays(*_flood(POURED))
    with _slow(scripted) as connection:
        assert _gone(left)
        request_id = connection.recv(4096).split(b"x-request-id: ")[1][:36].decode()
    assert scripted.outcome(request_id) == "client_aborted"


def _flood(size: int) -> tuple[bytes, ...]:
    start, body = stream_start("x" * 50_000).split(b"\r\n\r\n", 1)
    return (start + b"\r\n\r\n", *[body] * (size // len(body) + 1))


def _slow(gateway: Served) -> socket.socket:
    """A caller with a small window who asks and does not read."""
    connection = gateway.connect()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    body = json.dumps({"model": "left", "messages": [{"role": "user", "content": "Hi"}], "stream": True}).encode()
    connection.sendall(
        gateway.raw(
            "POST", "/v1/chat/completions", body, content_type="application/json", content_length=str(len(body))
        )
    )
    return connection


def _wait_until_still(upstream: Upstream) -> None:
    """Until nothing more was poured for half a second."""
    poured, since = -1, time.monotonic()
    while time.monotonic() - since < 0.5:
        if upstream.poured != poured:
            poured, since = upstream.poured, time.monotonic()
        time.sleep(0.02)


def _gone(upstream: Upstream) -> bool:
    deadline = time.monotonic() + 10
    while not upstream.left.is_set() and time.monotonic() < deadline:
        time.sleep(0.01)
    return upstream.left.is_set()


def _take(connection: socket.socket, size: int) -> None:
    while size > 0:
        size -= len(connection.recv(1 << 20))


def _resident() -> int:
    return psutil.Process().memory_info().rss
