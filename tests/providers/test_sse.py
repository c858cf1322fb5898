from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.providers import sse
from prysm.providers.sse import EventTooLarge, SseParser

STREAM = (
    b"\xef\xbb\xbf: a comment\r\n"
    b"event: greeting\r\ndata: gr\xc3\xbc\xc3\x9f\r\ndata: gott\r\n\r\n"
    b"retry: 10\rid: 1\rdata:no space\r\r"
    b"data\n\n"
    b"event: alone\n\n"
    b"data:  two spaces\n: between\ndata: [DONE]\n\n"
    b"data: never finished"
)
EVENTS = [
    "grüß\ngott".encode(),
    b"no space",
    b"",
    b" two spaces\n[DONE]",
]


def parse(reads: list[bytes]) -> list[bytes]:
    parser = SseParser()
    return [event for read in reads for event in parser.feed(read)]


def test_every_line_end_comment_and_multi_line_event_is_understood() -> None:
    assert parse([STREAM]) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=60))
def test_any_chunking_gives_the_same_events(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    assert parse([STREAM[a:b] for a, b in pairwise(edges)]) == EVENTS


def test_one_byte_at_a_time_gives_the_same_events() -> None:
    assert parse([STREAM[i : i + 1] for i in range(len(STREAM))]) == EVENTS


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_no_bytes_upset_the_parser_and_chunking_never_matters(reads: list[bytes]) -> None:
    assert parse(reads) == parse([b"".join(reads)])


@pytest.mark.parametrize("read", [b"data: xxxxxxxx", b"data: xxxx\n", b": comment\n"])
def test_an_event_over_the_cap_is_refused_however_it_comes(read: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    with pytest.raises(EventTooLarge):
        parse([read] * 200)


@pytest.mark.parametrize("size", [1, 7, 400, 999])
def test_an_event_within_the_cap_passes_however_it_comes(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    event = b"data: " + b"x" * 494 + b"\ndata: " + b"y" * 494 + b"\n\n"
    assert [len(whole) for whole in parse([event[i : i + size] for i in range(0, len(event), size)])] == [989]


def test_the_cap_is_per_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 20)
    assert len(parse([b"data: 0123456789\n\n"] * 200)) == 200
