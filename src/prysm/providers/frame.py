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

    def texts(self, chunks: list[bytes]) -> tuple[int, str]:
        """How many chunks there are up to the first in no such frame, and their texts as one; (0, "") if any has none.

        All are decoded at once. No string can hold the line end between two, so each is one string by itself.
        """
        n = len(chunks)
        while n and not self._holds(chunks[n - 1]):  # the end of a stream is unlike the rest
            n -= 1
        strings = [chunk[self._from : self._to] for chunk in chunks[:n]]
        # Compared as a whole: to look at each takes twice as long.
        if self.head + (self.tail + self.head).join(strings) + self.tail != b"".join(chunks[:n]):
            n = next((i for i, chunk in enumerate(chunks) if not self._holds(chunk)), n)
            del strings[n:]
        try:
            texts = orjson.loads(b"[%b]" % b",\n".join(strings))
            return (len(texts), "".join(texts)) if len(texts) == len(strings) else (0, "")
        except (orjson.JSONDecodeError, TypeError):  # no JSON; no string
            return 0, ""

    def text(self, chunk: bytes) -> str | None:
        """The text of a chunk in this frame, None of any other."""
        if not (chunk.startswith(self.head) and chunk.endswith(self.tail)):
            return None
        try:
            text = orjson.loads(chunk[self._from : self._to])
        except orjson.JSONDecodeError:
            return None
        return text if isinstance(text, str) else None

    def _holds(self, chunk: bytes) -> bool:
        return chunk.startswith(self.head) and chunk.endswith(self.tail)
