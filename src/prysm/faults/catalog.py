"""The faults by name, each with a sentence: all that an upstream has been seen to do, and some that it could."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from itertools import count, repeat
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from prysm.faults import cuts, floods, plays
from prysm.faults.formats import Said

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prysm.faults.plays import Play

PREFIX = "fault-"
Ways: TypeAlias = Literal["both", "json", "stream"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to go wrong. `ways` is where it makes a difference: whole answers, streamed ones, or both."""

    name: str
    what: str
    play: Play
    ways: Ways = "both"


def _numbers(template: str) -> Iterator[bytes]:
    return (template.format(number).encode() for number in count())


OK = b"HTTP/1.1 200 OK\r\n"
_STATUSES = (
    Fault("429-retry-after-seconds", "429; come back in 1 s.", plays.status(429, retry_after="1")),
    Fault("429-retry-after-date", "429; come back at an HTTP date, in a minute.", plays.rate_limited_until(60)),
    Fault("429-retry-after-past", "429; come back at a date in the past.", plays.rate_limited_until(-3600)),
    Fault("429-retry-after-absurd", "429; come back in three years.", plays.status(429, retry_after="99999999")),
    Fault("429-retry-after-negative", "429; come back in -5 s.", plays.status(429, retry_after="-5")),
    Fault("429-retry-after-missing", "429, with no word on when.", plays.status(429)),
    Fault("429-once", "429 once, then a good answer.", plays.status(429, times=1, retry_after="0")),
    *(Fault(f"{code}", f"Status {code}, always.", plays.status(code)) for code in (500, 502, 503, 529)),
    Fault("500-once", "500 once, then a good answer.", plays.status(500, times=1)),
    Fault("503-retry-after", "503; come back in an hour.", plays.status(503, retry_after="3600")),
    *(Fault(f"{code}", f"Status {code}, always.", plays.status(code)) for code in (400, 401, 403, 404, 422)),
)
_CONNECTIONS = (
    Fault("hang-up", "Reads the request and hangs up.", cuts.hang_up),
    Fault("reset", "Reads the request and resets the connection.", cuts.reset),
)
_TIMES = (
    Fault("no-head", "Takes the request and never answers.", cuts.nothing_ever),
    Fault("slow-head", "Sends the head a byte at a time, for 20 s.", cuts.slow_head),
    Fault("slow-body", "Sends the body a byte at a time.", cuts.slow_body),
    Fault("stall", "Begins an answer with 200 and falls silent.", cuts.stall),
    Fault("only-comments", "Keeps the body alive for ever and says nothing.", cuts.only_comments),
    Fault("late", "Answers well, 1.5 s late.", cuts.late),
    Fault("twice", "Sends a second answer that nobody asked for.", cuts.twice),
)
_CUTS = (
    Fault("cut-body", "Content-Length is too long: hangs up before it is reached.", cuts.cut_body),
    Fault("short-length", "Content-Length is too short: the answer goes on behind it.", cuts.short_length),
    Fault("cut-chunk", "Hangs up inside a chunk.", cuts.cut_chunk),
    Fault("cut-chunks", "Hangs up before the last chunk.", cuts.cut_chunks),
    Fault("cut-without-frame", "Half an answer that ends with the connection.", cuts.cut_without_frame),
    Fault("reset-in-body", "Half an answer, then a TCP reset.", cuts.reset_in_the_body),
    Fault("cut-json", "A whole response with half the JSON.", plays.changed(lambda text: text[:-10])),
    Fault("sse-cut", "Ends the stream before the finish reason.", cuts.unfinished(), "stream"),
    Fault("sse-cut-in-event", "Ends the stream inside an event.", cuts.unfinished(cut_in_event=True), "stream"),
)
_TYPES = (
    Fault("html", "200 with a page of HTML.", plays.body(b"<html><h1>Welcome</h1></html>", "text/html")),
    Fault("empty", "200 with nothing in it.", plays.body(b"")),
    Fault("no-content", "204.", plays.no_content),
    Fault("no-type", "200 with a body of no type.", plays.body(b"hello", "")),
    Fault("wrong-kind", "A stream in place of JSON, or the other way round.", plays.wrong_kind),
)
_FRAMES = (
    Fault("sse-no-done", "Finishes without [DONE]. An answer.", plays.without_done, "stream"),
    Fault("sse-split-utf8", "Splits a character over two writes. An answer.", plays.split_in_a_character, "stream"),
    Fault("sse-crlf", "CRLF. An answer.", plays.framed(lambda t: t.replace(b"\n", b"\r\n")), "stream"),
    Fault("sse-cr", "CR alone. An answer.", plays.framed(lambda t: t.replace(b"\n", b"\r")), "stream"),
    Fault(
        "sse-mixed",
        "LF, CR and CRLF mixed, a few bytes a write. An answer.",
        plays.framed(lambda t: t.replace(b"\n\n", b"\r\r\n", 1).replace(b"\n\n", b"\r\n\n", 1), step=3),
        "stream",
    ),
    Fault("sse-bytes", "One byte a write. An answer.", plays.framed(lambda t: t, step=1), "stream"),
    Fault("sse-bom", "A byte order mark first. An answer.", plays.framed(lambda t: b"\xef\xbb\xbf" + t), "stream"),
    Fault(
        "sse-comments",
        "Comments, ids and unknown fields between the lines. An answer.",
        plays.framed(lambda t: t.replace(b"data: ", b": hello\nid: 7\nretry: 1\nfoo\ndata:")),
        "stream",
    ),
    Fault(
        "sse-data-lines",
        "One event's JSON over several data lines. An answer.",
        plays.framed(lambda t: t.replace(b', "', b',\ndata: "')),
        "stream",
    ),
)
_ERRORS = (
    Fault("error-in-200", "200 with an error object.", plays.error_in_200),
    Fault("error-in-stream", "Half an answer, then an error event.", plays.error_in_the_middle, "stream"),
    Fault("content-filter", "Finishes because of a content filter.", plays.says(Said("content_filter"))),
    Fault("length", "Finishes at the token limit.", plays.says(Said("length"))),
)
_HUGE = (
    Fault("huge-body", "Announces a body of a gigabyte and sends it.", floods.huge_body),
    Fault("endless-body", "One string, or one line of a stream, without an end.", floods.endless_body),
    Fault("endless-events", "Says the same for ever.", floods.endless_events, "stream"),
    Fault(
        "endless-headers",
        "Header after header.",
        floods.endless(OK, lambda: (line * 500 for line in _numbers("x-{}: y\r\n"))),
    ),
    Fault(
        "endless-header", "One header without an end.", floods.endless(OK + b"x: ", lambda: repeat(floods.FILLER))
    ),
    Fault(
        "endless-status", "A status line without an end.", floods.endless(OK[:15], lambda: repeat(floods.FILLER))
    ),
    Fault(
        "endless-hints",
        "103 Early Hints, for ever.",
        floods.endless(b"", lambda: repeat(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 100)),
    ),
)
_GARBAGE = (
    Fault("invalid-utf8", "Bytes that are no UTF-8.", plays.changed(lambda t: t.replace(b"Gr", b"G\xff\xfer"))),
    Fault("nul", "A NUL in the text. An answer.", plays.changed(lambda t: t.replace(b"Gr", b"G\\u0000r"))),
    Fault("raw-nul", "A raw NUL in the JSON.", plays.changed(lambda t: t.replace(b"Gr", b"G\x00r"))),
    Fault("lone-surrogate", "Half a character.", plays.changed(lambda t: t.replace(b"Gr", b"G\\ud800r"))),
    Fault("deep-nesting", "100,000 brackets.", plays.changed(lambda _: b"[" * 100_000)),
    Fault("duplicate-keys", "A key twice. An answer.", plays.changed(lambda t: b'{"model": "x", ' + t[1:])),
    Fault("nan", "NaN, which is not JSON.", plays.changed(lambda t: b'{"x": NaN, ' + t[1:])),
    Fault("overflow", "The number 1e400.", plays.changed(lambda t: b'{"x": 1e400, ' + t[1:])),
    Fault("not-http", "Speaks SSH.", floods.raw(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")),
    Fault(
        "upgrade",
        "Switches to another protocol.",
        floods.raw(b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
    ),
    Fault("two-lengths", "Two lengths.", floods.raw(OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}")),
)
_ENCODINGS = (
    Fault("gzip", "gzip, unasked. An answer.", floods.packed("gzip", gzip.compress)),
    Fault("deflate", "deflate, unasked. An answer.", floods.packed("deflate", zlib.compress)),
    Fault("gzip-bomb", "Half a gigabyte in half a megabyte of gzip.", floods.bomb("gzip", 31)),
    Fault("deflate-bomb", "The same as deflate.", floods.bomb("deflate", 15)),
    Fault("zstd-bomb", "Four gigabytes in 128 KiB of zstd.", floods.zstd_bomb),
    Fault("br", "Brotli, which nobody asked for.", floods.packed("br", lambda t: b"\x8b\x00\x80" + t)),
    Fault("gzip-twice", "gzip in gzip.", floods.packed("gzip, gzip", lambda t: gzip.compress(gzip.compress(t)))),
    Fault("gzip-lie", "Says gzip and is none.", floods.packed("gzip", lambda t: t)),
    Fault("gzip-cut", "gzip without its end.", floods.packed("gzip", lambda t: gzip.compress(t)[:-12])),
)
_REDIRECTS = (
    Fault(
        "redirect-metadata", "To a cloud's metadata.", plays.redirect("http://169.254.169.254/latest/meta-data/")
    ),
    Fault("redirect-host", "302 to the same server by another name.", plays.redirect("http:{trap}")),
    Fault("redirect-307", "307, which asks for the same POST again.", plays.redirect("http:{trap}", 307)),
    Fault("redirect-scheme", "To another scheme.", plays.redirect("ftp:{trap}")),
)
_ODD = (
    Fault("wrong-model", "Names another model. An answer.", plays.says(Said(model="another-model"))),
    Fault("wrong-types", "Model and id are no text. An answer.", plays.says(Said(model=7, id=["x"]))),
    Fault("no-usage", "Does not say how many tokens. An answer.", plays.says(Said(tokens=None))),
    Fault("negative-usage", "Negative tokens. An answer.", plays.says(Said(tokens=(-20, -9)))),
    Fault("absurd-usage", "10¹⁵ tokens. An answer.", plays.says(Said(tokens=(10**15, 10**15)))),
)
_ALL = (
    Fault("none", "A good answer.", plays.good),
    *_STATUSES,
    *_CONNECTIONS,
    *_TIMES,
    *_CUTS,
    *_TYPES,
    *_FRAMES,
    *_ERRORS,
    *_HUGE,
    *_GARBAGE,
    *_ENCODINGS,
    *_REDIRECTS,
    *_ODD,
)
FAULTS: Mapping[str, Fault] = MappingProxyType({PREFIX + fault.name: fault for fault in _ALL})
"""By the name of the model that plays it."""
