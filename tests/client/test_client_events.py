"""Server-sent events, wherever the network cuts them."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.client import BadAnswer, GatewayError
from prysm.client.events import ChunkReader, Event, EventDecoder

STREAM = (
    "\ufeff: hello\r\n\r\nevent: error\rdata: é\r\rdata:a\ndata: b\n\nid: 7\nretry: 1\n\ndata\n\n"
    "data: \u2028 stays inside\x0b\n\r\ndata: [DONE]\n\ndata: cut off"
)
EVENTS = [
    Event("error", "é"),
    Event("message", "a\nb"),
    Event("message", ""),
    Event("message", "\u2028 stays inside\x0b"),
    Event("message", "[DONE]"),
]


def decoded(pieces: list[bytes]) -> list[Event]:
    decoder = EventDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)]


@given(st.lists(st.integers(0, len(STREAM.encode()))))
def test_cuts_between_reads_change_nothing(cuts: list[int]) -> None:
    data, edges = STREAM.encode(), sorted({0, *cuts, len(STREAM.encode())})
    assert decoded([data[a:b] for a, b in itertools.pairwise(edges)]) == EVENTS


@given(st.lists(st.binary()))
def test_junk_is_a_decode_error_or_nothing_never_a_crash(pieces: list[bytes]) -> None:
    with contextlib.suppress(UnicodeDecodeError):
        decoded(pieces)


def read(*pieces: bytes) -> list[dict[str, object]]:
    reader = ChunkReader("run-1")
    chunks: list[dict[str, object]] = [chunk for piece in pieces for chunk in reader.feed(piece)]
    reader.close()
    return chunks


def test_comments_are_skipped_and_done_ends_the_stream() -> None:
    assert read(b": beat\n\n", b'data: {"a": 1}\n\ndata: [DONE]\n\ndata: junk\n\n') == [{"a": 1}]


def test_a_stream_without_done_is_not_a_whole_answer() -> None:
    with pytest.raises(BadAnswer, match="before \\[DONE\\]") as caught:
        read(b'data: {"a": 1}\n\ndata: [DONE]\n')
    assert caught.value.request_id == "run-1"


@pytest.mark.parametrize("prefix", [b"", b"event: error\n"])
def test_an_error_event_raises_what_it_says_after_the_chunks_before_it(prefix: bytes) -> None:
    reader = ChunkReader("run-1")
    chunks = reader.feed(
        b'data: {"a": 1}\n\n%bdata: {"error": {"message": "all failed", "code": "all_models_failed"}}\n\n' % prefix
    )
    assert next(chunks) == {"a": 1}
    with pytest.raises(GatewayError, match="all failed") as caught:
        next(chunks)
    assert (caught.value.code, caught.value.status, caught.value.request_id) == ("all_models_failed", None, "run-1")


@pytest.mark.parametrize("junk", [b"data: <html>\n\n", b"data: 1\n\n", b"data: \xff\n\n"])
def test_junk_in_a_stream_is_a_bad_answer(junk: bytes) -> None:
    with pytest.raises(BadAnswer, match="not JSON"):
        read(junk)
