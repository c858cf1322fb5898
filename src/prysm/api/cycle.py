"""One request and its answer on a connection: uvicorn's, with a short way for the heads that nearly all answers have.

uvicorn looks at the name and the value of every header with a pattern each, some twenty searches an answer. A head of
names that are known here is looked at once, as a whole; any other is left to uvicorn. So are all parts of an answer
but those of a stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator, Mapping

USUAL = frozenset(
    (
        b"date",
        b"content-type",
        b"content-length",
        b"x-prysm-proof-url",
        b"x-request-id",
        b"x-accel-buffering",
        b"x-content-type-options",
        b"referrer-policy",
        b"content-security-policy",
        b"cache-control",
    )
)
"""Names of headers, none of which says how the answer is coded or whether the connection closes after it."""
OK = 200
_LINE = b": ".join
_CONTROL = bytes({*range(32), 127} - {ord("\t")})


_NOTHING: Generator[None, None, None] = (None for _ in range(0))


class _Done:
    """What is done already when it is awaited: a coroutine costs as much as all the rest of a small write."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        return _NOTHING


_DONE = _Done()


class Cycle(RequestResponseCycle):
    """Serves one request."""

    def send(self, message: Any) -> Awaitable[None]:  # type: ignore[override] # whoever calls it awaits it
        """Send the next part of the answer."""
        if not (self.disconnected or self.flow.write_paused or self.response_complete):
            if not self.response_started:
                if self._is_usual(message) and self._begin(message):
                    return _DONE
            elif self.chunked_encoding:
                if message.get("more_body") and (body := message.get("body")) and self.scope["method"] != "HEAD":
                    self.transport.write(b"%x\r\n%b\r\n" % (len(body), body))
                    return _DONE
            elif self._end(message):
                return _DONE
        return super().send(message)

    async def receive(self) -> Any:
        """The next part of the request; one that is there already waits for nothing."""
        if self.message_event.is_set() and not (
            self.waiting_for_100_continue or self.disconnected or self.response_complete
        ):
            self.flow.resume_reading()
            self.message_event.clear()
            body, self.body = bytes(self.body), bytearray()
            return {"type": "http.request", "body": body, "more_body": self.more_body}
        return await super().receive()

    def _end(self, message: Mapping[str, Any]) -> bool:
        """Write a body, if this is all of it, its length was said, and the connection stays."""
        body = message.get("body", b"")
        if (
            not len(body) == self.expected_content_length > 0
            or message["type"] != "http.response.body"
            or message.get("more_body")
            or not self.keep_alive
            or self.scope["method"] == "HEAD"
        ):
            return False
        self.transport.write(body)
        self.expected_content_length = 0
        self.response_complete = True
        self.message_event.set()
        self.on_response()
        return True

    def _is_usual(self, message: Mapping[str, Any]) -> bool:
        """Whether this is a head, a body follows, and the connection stays."""
        return (
            message["type"] == "http.response.start"
            and message["status"] == OK
            and self.keep_alive
            and not self.access_log
            and self.scope["method"] != "HEAD"
        )

    def _begin(self, message: Mapping[str, Any]) -> bool:
        """Write the head, unless there is something in it that is not usual."""
        headers = [*self.default_headers, *message.get("headers", ())]
        said = dict(headers)
        if not USUAL.issuperset(said):
            return False
        length = said.get(b"content-length")
        lines = [b"HTTP/1.1 200 OK", *map(_LINE, headers)]
        if length is None:
            lines.append(b"transfer-encoding: chunked")
        lines += b"", b""
        head = b"\r\n".join(lines)
        breaks = 2 * (len(lines) - 1)
        if len(head) - len(head.translate(None, _CONTROL)) != breaks:
            return False
        self.response_started = True
        self.waiting_for_100_continue = False
        self.chunked_encoding = length is None
        self.expected_content_length = int(length or 0)
        self.transport.write(head)
        return True
