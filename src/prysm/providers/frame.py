"""Chunks of a stream that differ in their text alone, as nearly all do: only the text of them is decoded."""

from __future__ import annotations

import re
from typing import Self

import orjson

_STRING = re.compile(rb'\s*"(?:[^"\\]|\\.)*"')


class Frame:
    """What stands before and behind the text of a chunk. Whoever has the same around a string is the same chunk.

    Behind it something stands: at least the object ends there.
    """

    __slots__ = ("_from", "_to", "head", "tail")

    def __init__(self, head: bytes, tail: bytes) -> None:
        self.head = head
        self.tail = tail
        self._from, self._to = len(head), -len(tail)

    @classmethod
    def around(cls, chunk: bytes, key: bytes, text: str) -> Self | None:
        """The frame of a chunk of valid JSON that holds `text` under `key`; None where that is not told for sure."""
        before, found, after = chunk.partition(b'"%b":' % key)
        string = _STRING.match(after)
        if string is None or found in after:
            return None
        frame = cls(before + found, after[string.end() :])
        return frame if frame.text(chunk) == text else None

    def text(self, chunk: bytes) -> str | None:
        """The text of a chunk in this frame, None of any other."""
        if not (chunk.startswith(self.head) and chunk.endswith(self.tail)):
            return None
        try:
            text = orjson.loads(chunk[self._from : self._to])
        except orjson.JSONDecodeError:
            return None
        return text if isinstance(text, str) else None
