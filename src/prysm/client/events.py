"""Server-sent events (WHATWG HTML §9.2) from bytes, and the chunks of an answer from events. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prysm.client.errors import BadAnswer
from prysm.client.reply import Reply, parse_object
from prysm.client.wire import error_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its name ("message" unless named) and its data lines joined."""

    name: str
    data: str


class EventDecoder:
    """Bytes in, whole events out. An event that the stream's end cuts off is never given out."""

    def __init__(self) -> None:
        self._rest = b""
        self._started = False
        self._name = ""
        self._data: list[str] = []

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take the next bytes, cut anywhere. Raises `UnicodeDecodeError` for bytes that are not UTF-8."""
        buffer = self._rest + data
        if not self._started:
            if _BOM.startswith(buffer):
                self._rest = buffer
                return
            buffer, self._started = buffer.removeprefix(_BOM), True
        # A final CR may be the first half of CRLF: it waits for what follows it.
        held = b"\r" if buffer.endswith(b"\r") else b""
        *lines, rest = _LINE_END.split(buffer[: len(buffer) - len(held)])
        self._rest = rest + held
        for line in lines:
            yield from self._line(line.decode())

    def _line(self, line: str) -> Iterator[Event]:
        if not line:
            yield from self._dispatch()
            return
        field, _, value = line.partition(":")  # a comment has the empty field name and falls through
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value

    def _dispatch(self) -> Iterator[Event]:
        if self._data:
            yield Event(self._name or "message", "\n".join(self._data))
        self._name, self._data = "", []


class ChunkReader:
    """The chunks of one streamed answer. `done` turns true at `[DONE]`; what follows is not looked at."""

    def __init__(self, request_id: str | None) -> None:
        self._decoder = EventDecoder()
        self._request_id = request_id
        self.done = False

    def feed(self, data: bytes) -> Iterator[Reply]:
        """Give out the chunks that are now whole. Raises `GatewayError` for an error event, else `BadAnswer`."""
        try:
            for event in self._decoder.feed(data):
                if event.data == "[DONE]":
                    self.done = True
                    return
                yield self._chunk(event)
        except ValueError as error:
            raise BadAnswer(
                "The stream holds something that is not JSON: is there a proxy between you and the gateway?",
                request_id=self._request_id,
            ) from error

    def close(self) -> None:
        """Say that no more bytes come. Raises `BadAnswer` when the answer is not whole."""
        if not self.done:
            raise BadAnswer(
                "The stream ended before [DONE], so the answer is not whole and has no receipt: send it again.",
                request_id=self._request_id,
            )

    def _chunk(self, event: Event) -> Reply:
        chunk = parse_object(event.data)
        if event.name == "error" or chunk.get("error"):
            raise error_of(chunk, status=None, request_id=self._request_id)
        return chunk
