"""Where one request ends and the next begins: whatever leaves room for doubt is refused, and the connection closed.

The cases are those of RFC 9112, and of published request smuggling (CL.TE, TE.CL, TE.TE, obs-fold, bare line feeds).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.hostile.wire import KEY, say

if TYPE_CHECKING:
    from tests.acceptance.conftest import Process

HOST = b"host: gateway\r\n"
JSON = b"content-type: application/json\r\n"
POST = b"POST /v1/route HTTP/1.1\r\n" + HOST + KEY + JSON
GET = b"GET /health HTTP/1.1\r\n" + HOST
SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
BODY = b'{"prompt": "Hi"}'
CHUNKED = b"transfer-encoding: chunked\r\n"
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
LENGTH = b"content-length: %d\r\n" % len(BODY)

REFUSED: dict[str, bytes] = {
    "length and chunks": POST + LENGTH + CHUNKED + b"\r\n" + CHUNKS,
    "chunks and length": POST + CHUNKED + LENGTH + b"\r\n" + CHUNKS,
    "chunks and length 0": POST + CHUNKED + b"content-length: 0\r\n\r\n" + CHUNKS,
    "two lengths": POST + LENGTH + b"content-length: 3\r\n\r\n" + BODY,
    "twice the same length": POST + LENGTH * 2 + b"\r\n" + BODY,
    "a list of lengths": POST + b"content-length: 16, 16\r\n\r\n" + BODY,
    "a signed length": POST + b"content-length: +16\r\n\r\n" + BODY,
    "a negative length": POST + b"content-length: -1\r\n\r\n" + BODY,
    "a length over 64 bits": POST + b"content-length: 18446744073709551632\r\n\r\n" + BODY,
    "a hexadecimal length": POST + b"content-length: 0x10\r\n\r\n" + BODY,
    "a length in two words": POST + b"content-length: 1 6\r\n\r\n" + BODY,
    "no length": POST + b"content-length:\r\n\r\n" + BODY,
    "a fraction for a length": POST + b"content-length: 16.0\r\n\r\n" + BODY,
    "xchunked": POST + b"transfer-encoding: xchunked\r\n\r\n" + CHUNKS,
    "identity": POST + b"transfer-encoding: identity\r\n\r\n" + CHUNKS,
    "chunked, identity": POST + b"transfer-encoding: chunked, identity\r\n\r\n" + CHUNKS,
    "gzip, chunked": POST + b"transfer-encoding: gzip, chunked\r\n\r\n" + CHUNKS,
    "chunked twice": POST + CHUNKED * 2 + b"\r\n" + CHUNKS,
    "chunked, chunked": POST + b"transfer-encoding: chunked, chunked\r\n\r\n" + CHUNKS,
    "chunked after a vertical tab": POST + b"transfer-encoding:\x0bchunked\r\n\r\n" + CHUNKS,
    "quoted chunked": POST + b'transfer-encoding: "chunked"\r\n\r\n' + CHUNKS,
    "chunks in HTTP/1.0": POST.replace(b"1.1", b"1.0") + CHUNKED + b"\r\n" + CHUNKS,
    "a blank before the colon": POST + b"transfer-encoding : chunked\r\n\r\n" + CHUNKS,
    "a blank before the name": POST + b" transfer-encoding: chunked\r\n\r\n" + CHUNKS,
    "a folded header": GET + b"x-a: b\r\n c\r\n\r\n",
    "a folded coding": POST + b"transfer-encoding:\r\n chunked\r\n\r\n" + CHUNKS,
    "bare line feeds": GET.replace(b"\r\n", b"\n") + b"\n",
    "a bare line feed after a header": GET + b"x-a: b\n\r\n",
    "a bare line feed at the end": GET + b"\n",
    "a bare carriage return": GET + b"x-a: b\rx-c: d\r\n\r\n",
    "a bare line feed after a chunk's size": POST + CHUNKED + b"\r\n" + CHUNKS.replace(b"\r\n", b"\n", 1),
    "a bare line feed after a chunk": POST + CHUNKED + b"\r\n" + b"10\r\n" + BODY + b"\n0\r\n\r\n",
    "a chunk longer than its size": POST + CHUNKED + b"\r\n" + b"1\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a negative chunk": POST + CHUNKED + b"\r\n-10\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk in 0x": POST + CHUNKED + b"\r\n0x10\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk over 64 bits": POST + CHUNKED + b"\r\n10000000000000010\r\n" + BODY + b"\r\n0\r\n\r\n",
    "no chunk size": POST + CHUNKED + b"\r\n\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a NUL in a trailer": POST + CHUNKED + b"\r\n" + CHUNKS[:-2] + b"a: \x00\r\n\r\n",
    "a header without a colon": GET + b"nonsense\r\n\r\n",
    "a header without a name": GET + b": value\r\n\r\n",
    "a name with a blank": GET + b"x a: b\r\n\r\n",
    "a name with a NUL": GET + b"x\x00a: b\r\n\r\n",
    "a value with a NUL": GET + b"x-a: b\x00c\r\n\r\n",
    "a NUL in the path": b"GET /hea\x00lth HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tab in the path": b"GET /hea\tlth HTTP/1.1\r\n" + HOST + b"\r\n",
    "a blank in the path": b"GET /hea lth HTTP/1.1\r\n" + HOST + b"\r\n",
    "raw UTF-8 in the path": "GET /gr\u00fc\u00dfe HTTP/1.1\r\n".encode() + HOST + b"\r\n",
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "two hosts": GET + HOST + b"\r\n",
    "HTTP/0.9": b"GET /health\r\n",
    "HTTP/1.2": GET.replace(b"1.1", b"1.2") + b"\r\n",
    "HTTP/2.0": GET.replace(b"1.1", b"2.0") + b"\r\n",
    "HTTP/11": GET.replace(b"1.1", b"11") + b"\r\n",
    "no version": GET.replace(b" HTTP/1.1", b"") + b"\r\n",
    "a small method": GET.replace(b"GET", b"get") + b"\r\n",
    "an unknown method": GET.replace(b"GET", b"SMUGGLE") + b"\r\n",
    "a tunnel": b"CONNECT gateway:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "HTTP/2 with prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "TLS": bytes.fromhex("16030100a5010000a10303") + b"\x00" * 200,
    "zeros": b"\x00" * 512,
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "Redis": b"*1\r\n$4\r\nPING\r\n",
}

TOO_LARGE: dict[str, tuple[int, bytes]] = {
    "an address of 20 kB": (414, b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "an endless address": (431, b"GET /" + b"a" * 900_000),
    "a header of 60 kB": (431, GET + b"x-a: " + b"b" * 60_000 + b"\r\n\r\n"),
    "an endless header": (431, GET + b"x-a: " + b"b" * 900_000),
    "an endless name": (431, GET + b"b" * 900_000),
    "20 000 headers": (431, GET + b"".join(b"x-%d: a\r\n" % i for i in range(20_000)) + b"\r\n"),
    "101 headers": (431, GET + b"".join(b"x-%d: a\r\n" % i for i in range(100)) + b"\r\n"),
    "blank lines without end": (431, b"\r\n" * 450_000),
    "an endless chunk extension": (431, POST + CHUNKED + b"\r\n" + b"10;x=" + b"y" * 900_000),
    "endless trailers": (431, POST + CHUNKED + b"\r\n" + CHUNKS[:-2] + b"x-a: b\r\n" * 100_000),
    "an endless trailer": (431, POST + CHUNKED + b"\r\n" + CHUNKS[:-2] + b"x-a: " + b"b" * 900_000),
}


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED)
def test_a_request_that_can_be_read_in_two_ways_is_refused_once_and_the_connection_closed(
    live: Process, sent: bytes
) -> None:
    (answer,) = say(live.url, sent + SMUGGLED).answers
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert json.loads(answer.body)["error"]["code"] == "invalid_request"
    assert len(answer.headers["x-request-id"]) == 36
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(("status", "sent"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_what_is_read_before_a_body_is_bounded(live: Process, status: int, sent: bytes) -> None:
    answers = say(live.url, sent).answers
    if answers:  # the rest of a flood may reset the connection before the answer is read
        assert [answer.status for answer in answers] == [status]
        assert json.loads(answers[0].body)["error"]["code"] == "request_too_large"


def test_requests_sent_ahead_are_answered_one_each_in_their_order(live: Process) -> None:
    heard = say(live.url, GET + b"\r\n" + POST + LENGTH + b"\r\n" + BODY + GET + b"connection: close\r\n\r\n")
    assert [answer.status for answer in heard.answers] == [200, 200, 200]
    assert ["status" in json.loads(answer.body) for answer in heard.answers] == [True, False, True]


@pytest.mark.parametrize(
    "broken", [b"\x00\x01\x02", b"GET /smuggled HTTP/9\r\n\r\n", b"POST /v1/route HTTP/1.1\r\n\r\n"]
)
def test_a_broken_request_behind_a_whole_one_does_not_answer_for_it(live: Process, broken: bytes) -> None:
    heard = say(live.url, POST + LENGTH + b"\r\n" + BODY + broken)
    assert [answer.status for answer in heard.answers] == [200]
    assert heard.answers[0].headers["connection"] == "close"
    assert "routing" in json.loads(heard.answers[0].body)


def test_a_body_behind_a_get_is_its_own_and_no_request(live: Process) -> None:
    with_body = GET + b"content-length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED
    heard = say(live.url, with_body + GET + b"connection: close\r\n\r\n")
    assert [answer.status for answer in heard.answers] == [200, 200]


def test_a_body_that_was_not_wanted_is_no_request(live: Process) -> None:
    refused = POST.replace(KEY, b"") + b"content-length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED
    heard = say(live.url, refused + GET + b"connection: close\r\n\r\n")
    assert [answer.status for answer in heard.answers] == [401, 200]


def test_trailers_are_no_headers(live: Process) -> None:
    keyless = POST.replace(KEY, b"") + CHUNKED + b"\r\n" + CHUNKS[:-2] + KEY + b"\r\n"
    typeless = POST.replace(JSON, b"") + CHUNKED + b"\r\n" + CHUNKS[:-2] + JSON + b"\r\n"
    assert [answer.status for answer in say(live.url, keyless).answers] == [401]
    assert [answer.status for answer in say(live.url, typeless).answers] == [415]


@pytest.mark.parametrize("target", [b"http://elsewhere.test/health", b"/health?x=1#y", b"/%68ealth"])
def test_the_host_in_an_address_decides_nothing(live: Process, target: bytes) -> None:
    heard = say(live.url, GET.replace(b"/health", target) + b"connection: close\r\n\r\n")
    assert [answer.status for answer in heard.answers] in ([200], [400])


@pytest.mark.parametrize("target", [b"http://elsewhere.test/v1/models", b"//v1/models", b"/v1/../v1/models", b"*"])
def test_no_spelling_of_an_address_gets_past_the_key(live: Process, target: bytes) -> None:
    heard = say(live.url, GET.replace(b"/health", target) + b"connection: close\r\n\r\n")
    assert [answer.status for answer in heard.answers] in ([401], [400])


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"TLS/1.0"])
def test_an_upgrade_is_not_made_and_what_comes_after_it_is_no_request(live: Process, protocol: bytes) -> None:
    upgrade = GET + b"connection: Upgrade, HTTP2-Settings\r\nupgrade: " + protocol
    upgrade += b"\r\nhttp2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n"
    for parts in ((upgrade + SMUGGLED,), (upgrade, SMUGGLED)):
        (answer,) = say(live.url, *parts).answers
        assert (answer.status, answer.headers["connection"]) == (200, "close")


def test_a_body_that_was_announced_and_refused_leaves_no_doubt_about_what_follows(live: Process) -> None:
    announced = POST.replace(KEY, b"") + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(SMUGGLED)
    assert [answer.status for answer in say(live.url, announced, SMUGGLED).answers] == [401]


def test_a_body_that_was_announced_is_asked_for(live: Process) -> None:
    announced = POST + LENGTH + b"connection: close\r\nexpect: 100-continue\r\n\r\n"
    assert [answer.status for answer in say(live.url, announced, BODY).answers] == [200]


def test_a_request_of_http_1_0_needs_no_host_and_is_the_last(live: Process) -> None:
    heard = say(live.url, b"GET /health HTTP/1.0\r\n\r\n" + SMUGGLED)
    assert [answer.status for answer in heard.answers] == [200]


def test_nothing_that_was_smuggled_was_served_and_nothing_was_a_defect(live: Process) -> None:
    assert '"status":500' not in live.log()
    assert "defect" not in live.log()
    assert '"path":"/smuggled","status":2' not in live.log()
    assert live.get("/health").status_code == 200
