"""HTTP/1.1 as it comes over a connection: what is no request is refused, and nobody holds a connection for nothing.

Two servers that disagree on where a request ends let one caller write into another's (request smuggling, RFC 9112
§11.2), so whatever leaves room for doubt is refused and the connection closed. What keeps us waiting is cut off.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, cast

import orjson

from prysm.api import one_write
from prysm.api.problems import envelope
from prysm.api.shield import HEADERS
from prysm.core.values import dataclass
from prysm.errors import AddressTooLong, HeadTooLarge, InvalidRequest, PrysmError, RequestTimeout
from prysm.receipt import new_request_id

if TYPE_CHECKING:
    import asyncio

MOST_HEADERS = 100
MOST_ADDRESS = 8192
"""Bytes of path and query."""
REST_S = 5.0
"""How long the rest of a body may take when the answer is out already: cut off at once, the caller might not see it."""
LOOKS = 4
"""How often in the time for a head a connection is looked at: what takes too long is cut off so much later at most."""
STATUS_LINES = {
    400: b"HTTP/1.1 400 Bad Request",
    408: b"HTTP/1.1 408 Request Timeout",
    414: b"HTTP/1.1 414 URI Too Long",
    431: b"HTTP/1.1 431 Request Header Fields Too Large",
}


@dataclass(frozen=True, slots=True)
class Patience:
    """How much head a request may have, and how long head and body may take to come."""

    head_bytes: int = 32_768
    head_s: float = 15.0
    body_s: float = 60.0


USUAL = Patience()


class Protocol(one_write.Protocol):
    """One connection of a client."""

    def __init__(self, *args: Any, patience: Patience = USUAL, **options: Any) -> None:
        super().__init__(*args, **options)
        self._patience = patience
        self._refusal: PrysmError | None = None
        self._at: Literal["between", "head", "body"] = "between"
        self._vain = 0  # bytes that came and no head or body of them
        self._gained = False
        self._read = self._read_before = self._begun_at = 0  # bytes so far, before this read, before this head
        self._due: float | None = None  # when what we wait for must be there; None while we wait for nothing
        self._timer: asyncio.TimerHandle | None = None
        self._idle_since: float | None = None
        self._until_idle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Expect a request."""
        super().connection_made(transport)
        self._expect(self._patience.head_s)
        self._wind()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        for timer in (self._timer, self._until_idle):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; a head, a chunk's extension or a trailer that never ends is not gathered without end."""
        self._gained = False
        self._read_before = self._read
        self._read += len(data)
        super().data_received(data)
        self._vain = 0 if self._gained else self._vain + len(data)
        if self._vain > self._patience.head_bytes:
            self._refuse(self._head_too_large())

    def on_message_begin(self) -> None:
        """Expect a head from its first byte on."""
        super().on_message_begin()
        self._at, self._gained, self._begun_at = "head", True, self._read_before
        self._expect(self._patience.head_s)

    def on_headers_complete(self) -> None:
        """Begin to serve the request, if there is no doubt about it; what is raised here makes the answer."""
        self._at, self._gained = "body", True
        said = dict(self.headers)
        if self._is_beyond_doubt(said):
            self.scope[one_write.SAID] = said  # type: ignore[literal-required] # a key of ours
        elif (refusal := self._doubt()) is not None:
            self._refusal = refusal
            raise refusal
        super().on_headers_complete()
        self.headers = []  # of its own, so that trailers never pass for headers
        self._expect(self._patience.body_s)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        super().on_body(body)
        self._gained = True

    def on_message_complete(self) -> None:
        """It is all there: from here on it is we who take our time."""
        super().on_message_complete()
        self._at, self._gained, self._due = "between", True, None
        if self.cycle.response_complete:
            self._expect_another()

    def on_response_complete(self) -> None:
        """The answer is out; what is left of the request is read for a moment, to keep the connection in step."""
        self._begin_next()
        if not self.cycle.response_complete:
            return  # another was waiting for its turn
        if self._at == "between":
            self._expect_another()
        elif self._at == "body" and self.expect_100_continue:
            self.transport.close()  # whether the body still comes is for the caller to choose: nobody can tell
        elif self._at == "body":
            self._expect(min(REST_S, self._patience.body_s))

    def _begin_next(self) -> None:
        """As uvicorn does, but with one timer for as long as the connection is at work: it winds one an answer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self._until_idle is None:
            self._until_idle = self.loop.call_later(self.timeout_keep_alive, self._close_idle)

    def _unset_keepalive_if_required(self) -> None:
        """Something came."""
        self._idle_since = None

    def _close_idle(self) -> None:
        """Close what was idle for long enough; look again when what is idle for less may be."""
        self._until_idle = None
        if self._idle_since is None:
            return
        rest = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if rest > 0:
            self._until_idle = self.loop.call_later(rest, self._close_idle)
        else:
            self.timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words for what cannot be read
        """Refuse what the parser, or we, could not read."""
        self._refuse(self._refusal or _unreadable())

    def _unsupported_upgrade_warning(self) -> None:
        """Answer in HTTP/1.1, and close: what comes next may be of another protocol."""
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def _is_beyond_doubt(self, said: dict[bytes, bytes]) -> bool:
        """Whether it is as nearly all heads are, which takes no look at each header; of others nothing is said."""
        number = len(self.headers)
        return (
            len(said) == number <= MOST_HEADERS
            and b"host" in said
            and b"transfer-encoding" not in said
            and len(self.url) <= MOST_ADDRESS
            and self._read - self._begun_at + 2 * number <= self._patience.head_bytes  # counted with ": " and CRLF
            and self.parser.get_http_version() == "1.1"
        )

    def _doubt(self) -> PrysmError | None:
        """Why this head is not served, if there is a reason; the parser has refused the worst already."""
        if len(self.url) > MOST_ADDRESS:
            return AddressTooLong(f"The address is over {MOST_ADDRESS} bytes. Send what is long in the body.")
        hosts = codings = 0
        size = len(self.url)
        for name, value in self.headers:
            size += len(name) + len(value) + 4
            if name == b"host":
                hosts += 1
            elif name == b"transfer-encoding":
                codings += 1 if value.lower() == b"chunked" else 2
        if size > self._patience.head_bytes or len(self.headers) > MOST_HEADERS:
            return self._head_too_large()
        version = self.parser.get_http_version()
        if version not in {"1.0", "1.1"} or codings > (version == "1.1") or hosts > 1 or hosts < (version == "1.1"):
            return _unreadable()
        return None

    def _head_too_large(self) -> PrysmError:
        return HeadTooLarge(
            f"The headers are over {self._patience.head_bytes / 1024:g} kB, or more than {MOST_HEADERS}. Send less, or "
            "raise [server] header_limit_kb in prysm.toml."
        )

    def _refuse(self, error: PrysmError) -> None:
        """Answer and close. Whoever waits for the answer to an earlier request must not take this one for it."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        owed = cycle is not None and not cycle.response_complete
        if owed and not cycle.more_body:
            cycle.keep_alive = False  # it came whole, is answered, and is the last one
            self._due = None
            return
        if not owed or not (cycle.response_started or self.pipeline):
            self.transport.write(_refusal(error))
        self.transport.close()

    def _expect(self, within_s: float) -> None:
        self._due = self.loop.time() + within_s

    def _expect_another(self) -> None:
        """Expect the next request; uvicorn does too, and is put off by blank lines."""
        self._expect(self.timeout_keep_alive + self._patience.head_s)

    def _wind(self) -> None:
        self._timer = self.loop.call_later(self._patience.head_s / LOOKS, self._look)

    def _look(self) -> None:
        """Look whether what we wait for is late. One timer a connection; the requests on it wind none."""
        if self.transport.is_closing():
            return
        if self.flow.read_paused and self._due is not None:
            self._due += self._patience.head_s / LOOKS  # it is we who do not read
        if self._due is not None and self.loop.time() >= self._due:
            self._give_up()
        self._wind()

    def _give_up(self) -> None:
        answered = self._at == "body" and self.cycle.response_complete
        if self._at == "between" or answered:
            self.transport.close()
        else:
            self._refuse(RequestTimeout("The request did not come in time; send it faster, or in a smaller body."))


def _unreadable() -> PrysmError:
    return InvalidRequest("This is no HTTP/1.1 request as RFC 9112 has it; the connection is closed.")


def _refusal(error: PrysmError) -> bytes:
    """A whole answer, from where no application has been asked."""
    body = orjson.dumps(envelope(error))
    told = str(new_request_id()).encode()
    lines = [
        STATUS_LINES[error.status],
        *(name + b": " + value for name, value in HEADERS),
        b"content-type: application/json",
        b"content-length: %d" % len(body),
        b"x-request-id: " + told,
        b"connection: close",
    ]
    return b"\r\n".join([*lines, b"", body])


def patient(patience: Patience) -> type[asyncio.Protocol]:
    """The protocol with these limits, as uvicorn takes it: `Config(http=…)`."""
    return cast("type[asyncio.Protocol]", partial(Protocol, patience=patience))
