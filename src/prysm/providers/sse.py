"""Server-sent events, parsed as the bytes arrive (WHATWG HTML, section 9.2.6, "Interpreting an event stream")."""

from __future__ import annotations

from typing import NamedTuple

BOM = b"\xef\xbb\xbf"
LINE_END = (b"\n", b"\r")
MAX_EVENT_BYTES = 4 * 1024 * 1024


class EventTooLarge(Exception):
    """A line, or the data of one event, is over `MAX_EVENT_BYTES`."""


class SseEvent(NamedTuple):
    """One event; `data` is left in bytes, since whoever decodes the JSON checks the UTF-8 too."""

    event: str
    data: bytes


class SseParser:
    """Turns network reads of any size into whole events. An event that the end of the stream cuts never appears."""

    __slots__ = ("_data", "_event", "_pieces", "_size", "_skip_lf", "_started")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []  # of the unfinished line; joined once, so 1-byte reads stay linear
        self._data: list[bytes] = []
        self._event = ""
        self._size = 0
        self._skip_lf = False
        self._started = False

    def feed(self, read: bytes) -> list[SseEvent]:
        """Return the events that this read completes; raise `EventTooLarge` rather than hold more."""
        if self._skip_lf and read:
            self._skip_lf = False
            read = read.removeprefix(b"\n")
        if not read:
            return []
        lines = read.splitlines()  # on bytes: LF, CR and CRLF only, as the standard has it
        rest = b"" if read.endswith(LINE_END) else lines.pop()
        if lines:
            lines[0] = b"".join((*self._pieces, lines[0]))
            self._pieces.clear()
        if rest:
            self._pieces.append(rest)
        self._skip_lf = read.endswith(b"\r")
        return self._take(lines, len(rest))

    def _take(self, lines: list[bytes], unfinished: int) -> list[SseEvent]:
        events = []
        for line in lines:
            if line:
                self._field(line)
            elif (event := self._dispatch()) is not None:
                events.append(event)
        self._grow(unfinished)
        return events

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > MAX_EVENT_BYTES:
            raise EventTooLarge

    def _field(self, line: bytes) -> None:
        if not self._started:
            self._started = True
            line = line.removeprefix(BOM)
        self._grow(len(line))
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode(errors="replace")

    def _dispatch(self) -> SseEvent | None:
        event = SseEvent(self._event or "message", b"\n".join(self._data)) if self._data else None
        self._data.clear()
        self._event, self._size = "", 0
        return event
