"""Server-sent events, parsed as the bytes arrive (WHATWG HTML, section 9.2.6, "Interpreting an event stream")."""

from __future__ import annotations

BOM = b"\xef\xbb\xbf"
LINE_END = (b"\n", b"\r")
FIELD, END = b"data: ", b"\n\n"
BETWEEN = END + FIELD
MAX_EVENT_BYTES = 4 * 1024 * 1024


class EventTooLarge(Exception):
    """A line, or the data of one event, is over `MAX_EVENT_BYTES`."""


class SseParser:
    """Turns network reads of any size into the data of whole events; the data of every provider names its own kind.

    It is left in bytes, since whoever decodes the JSON checks the UTF-8 too. An event that the end of the stream cuts
    never appears.
    """

    __slots__ = ("_data", "_pieces", "_size", "_skip_lf", "_started")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []  # of the unfinished line; joined once, so 1-byte reads stay linear
        self._data: list[bytes] = []
        self._size = 0
        self._skip_lf = False
        self._started = False

    def feed(self, read: bytes) -> list[bytes]:
        """Return the events that this read completes; raise `EventTooLarge` rather than hold more."""
        if not (self._size or self._data or self._skip_lf) and (plain := _plain(read)):
            self._started = True
            return plain
        if self._skip_lf and read:
            self._skip_lf = False
            read = read.removeprefix(b"\n")
        if not read:
            return []
        lines = read.splitlines()  # on bytes: LF, CR and CRLF only, as the standard has it
        rest = b"" if read.endswith(LINE_END) else lines.pop()
        if lines and self._pieces:
            begun = b"".join(self._pieces)
            self._pieces.clear()
            self._size -= len(begun)  # counted while it was unfinished, and with its line again
            lines[0] = begun + lines[0]
        if rest:
            self._pieces.append(rest)
        self._skip_lf = read.endswith(b"\r")
        return self._take(lines, len(rest))

    def _take(self, lines: list[bytes], unfinished: int) -> list[bytes]:
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
        if name == b"data":
            self._data.append(value.removeprefix(b" "))

    def _dispatch(self) -> bytes | None:
        event = b"\n".join(self._data) if self._data else None
        self._data.clear()
        self._size = 0
        return event


def _plain(read: bytes) -> list[bytes]:
    """Cut whole events of one line of data each, as most providers send them; none if there is anything else."""
    if not read.startswith(FIELD) or not read.endswith(END) or b"\r" in read or len(read) > MAX_EVENT_BYTES:
        return []
    data = read[len(FIELD) : -len(END)]
    if b"\n" not in data:
        return [data]
    events = data.split(BETWEEN)
    return [] if b"\n" in b"".join(events) else events  # to count the line ends takes several times as long
