"""Whoever sends slowly, or nothing, holds a connection for a bounded time and keeps nobody else waiting."""

from __future__ import annotations

import json
import resource
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest
from tests.hostile.conftest import BODY_S, HEAD_S, KEEP_S
from tests.hostile.test_framing import BODY, CHUNKED, CHUNKS, GET, HOST, JSON, LENGTH, POST
from tests.hostile.wire import KEY, connect, listen, say
from tests.serving import SANDBOX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.acceptance.conftest import Process
    from tests.hostile.wire import Answer

SLACK_S = 8.0
"""On a machine that is busy with other tests."""
IDLE, MANY_IDLE = 400, 10_000


def drip(url: str, sent: bytes, every_s: float = 0.1) -> tuple[tuple[Answer, ...], float]:
    """Send one byte at a time until the gateway closes; its answers, and after how long."""
    began = time.monotonic()
    with connect(url) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(ConnectionError):
            for byte in sent:
                connection.sendall(bytes([byte]))
                time.sleep(every_s)
                if time.monotonic() - began > 3 * SLACK_S:
                    break
        return listen(connection), time.monotonic() - began


def test_a_head_that_comes_byte_by_byte_is_cut_off(live: Process) -> None:
    answers, seconds = drip(live.url, GET + b"x-slow: " + b"a" * 1000)
    assert seconds < HEAD_S * 1.25 + SLACK_S
    assert [answer.status for answer in answers] in ([408], [])  # or reset while it still sent
    if answers:
        assert json.loads(answers[0].body)["error"]["code"] == "request_timeout"


@pytest.mark.parametrize(
    "begun",
    [POST + b"content-length: 1000\r\n\r\n", POST + CHUNKED + b"\r\n3e8\r\n", POST + CHUNKED + b"\r\n3e8;x="],
    ids=["length", "chunk", "extension"],
)
def test_a_body_that_comes_byte_by_byte_is_cut_off(live: Process, begun: bytes) -> None:
    began = time.monotonic()
    with connect(live.url) as connection:
        connection.sendall(begun)
        with suppress(ConnectionError):
            while time.monotonic() - began < BODY_S + SLACK_S:
                connection.sendall(b"0")
                time.sleep(0.1)
        answers = listen(connection)
    assert time.monotonic() - began < BODY_S + HEAD_S + SLACK_S
    assert [answer.status for answer in answers] in ([408], [])


SILENT: list[tuple[bytes, list[int]]] = [
    (b"", []),
    (b"\r\n", []),
    (GET, [408]),
    (POST + LENGTH + b"\r\n", [408]),
    (POST + LENGTH + b"\r\n" + BODY[:-1], [408]),
    (POST + CHUNKED + b"\r\n" + CHUNKS[:-2], [408]),
    (GET + b"\r\n", [200]),
    (GET + b"\r\n" + GET, [200]),
    (POST.replace(KEY, b"") + LENGTH + b"\r\n", [401]),
    (POST.replace(JSON, b"") + b"content-length: 99999999\r\n\r\n", [415]),
]
"""How a client begins before it falls silent, and what it gets."""


def test_a_client_that_falls_silent_is_let_go(live: Process) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(len(SILENT)) as clients:
        heard = list(clients.map(lambda begun: say(live.url, begun[0]), SILENT))
    assert [[answer.status for answer in one.answers] for one in heard] == [statuses for _, statuses in SILENT]
    assert time.monotonic() - began < KEEP_S + HEAD_S + BODY_S + SLACK_S


def test_blank_lines_do_not_hold_a_connection(live: Process) -> None:
    began = time.monotonic()
    with connect(live.url) as connection:
        connection.sendall(GET + b"\r\n")
        with suppress(ConnectionError):
            while time.monotonic() - began < KEEP_S + HEAD_S + SLACK_S:
                connection.sendall(b"\r\n")
                time.sleep(0.2)
    assert time.monotonic() - began < KEEP_S + HEAD_S + SLACK_S


def test_a_slow_answer_is_not_the_callers_fault(live: Process) -> None:
    body = json.dumps({"model": "prysm/depth", "messages": [{"role": "user", "content": "Hi"}]}).encode()
    chat = b"POST /v1/chat/completions HTTP/1.1\r\nconnection: close\r\n" + HOST + KEY + JSON
    heard = say(live.url, chat + b"content-length: %d\r\n\r\n" % len(body) + body)
    assert [answer.status for answer in heard.answers] == [200]


def test_a_reader_who_reads_nothing_keeps_nobody_waiting(live: Process) -> None:
    with ExitStack() as held:
        for _ in range(20):
            connection = held.enter_context(connect(live.url))
            connection.sendall((GET + b"\r\n") * 200)
        assert live.get("/health").status_code == 200


def test_hundreds_of_idle_connections_keep_nobody_waiting_and_are_let_go(live: Process) -> None:
    with ExitStack() as held:
        idle = [held.enter_context(connect(live.url)) for _ in range(IDLE)]
        for i, connection in enumerate(idle):
            if i % 2:
                connection.sendall(b"GET /health HTTP/1.1\r\nx-a: ")
        began = time.monotonic()
        assert live.post("/v2/orchestrate", {"prompt": "Hi"}).status_code == 200
        assert time.monotonic() - began < SLACK_S
        assert all(len(listen(connection)) <= 1 for connection in idle)


@pytest.fixture
def files() -> Iterator[None]:
    """As many open files as the system lets us have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slow
@pytest.mark.usefixtures("files")
def test_ten_thousand_idle_connections_keep_nobody_waiting(
    serve: Callable[..., Process], database_url: str
) -> None:
    patient = "[server]\nheader_timeout_s = 600\n" + SANDBOX
    gateway = serve(toml=patient, PRYSM_DATABASE_URL=database_url).wait_ready()
    with ExitStack() as held:
        for i in range(MANY_IDLE):
            connection = held.enter_context(connect(gateway.url))
            connection.sendall(GET if i % 2 else b"G")
        times = []
        for _ in range(20):
            began = time.monotonic()
            assert gateway.post("/v2/orchestrate", {"prompt": "Hi"}).status_code == 200
            times.append(time.monotonic() - began)
        assert sorted(times)[len(times) // 2] < 1
    assert gateway.get("/health").status_code == 200
