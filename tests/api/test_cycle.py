"""The short way of an answer to the wire writes, byte for byte, what uvicorn's own way does."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from prysm.api.cycle import USUAL, Cycle

NAMES = st.sampled_from([*USUAL - {b"content-length"}, b"retry-after", b"connection", b"transfer-encoding"])
VALUES = st.sampled_from([b"no-store", b"close", b"chunked", b"a\tb", b"a\r\nb: c", b"a\x7f", b"\xe4", b""])
BODIES = st.lists(st.sampled_from([b"", b"data: 1\n\n", b"x" * 300]), min_size=1, max_size=4)


class Written(asyncio.Transport):
    """A connection that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""
        self.closed = False

    def write(self, data: Any) -> None:
        """Keep it."""
        self.data += data

    def close(self) -> None:
        """Write no more."""
        self.closed = True


async def _sent(kind: type[RequestResponseCycle], messages: list[dict[str, Any]], **request: Any) -> object:
    """What is on the wire when an application sent these, the error it met, and whether the connection is closed."""
    transport, log = Written(), logging.getLogger("uvicorn.error")
    cycle = kind(
        scope={"method": request["method"], "http_version": "1.1"},  # type: ignore[typeddict-item] # all that is read
        transport=transport,
        flow=FlowControl(transport),
        logger=log,
        access_logger=log,
        access_log=False,
        default_headers=[(b"date", b"Fri, 20 Nov 2026 16:00:00 GMT")],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=request["keep_alive"],
        on_response=lambda: None,
    )
    error = None
    try:
        for message in messages:
            await cycle.send(message)  # type: ignore[arg-type] # as applications send it
    except RuntimeError as met:
        error = str(met)
    return transport.data, error, transport.closed, cycle.response_complete


@given(
    st.tuples(st.sampled_from(["POST", "GET", "HEAD"]), st.booleans()),
    st.sampled_from([200, 200, 204, 404]),
    st.lists(st.tuples(NAMES, VALUES), max_size=5),
    BODIES,
    st.sampled_from([None, 0, 1]),
)
def test_every_answer_is_on_the_wire_as_uvicorn_writes_it(
    asked: tuple[str, bool], status: int, headers: list[tuple[bytes, bytes]], bodies: list[bytes], off: int | None
) -> None:
    method, keep = asked
    length = [] if off is None else [(b"content-length", str(len(b"".join(bodies)) + off).encode())]
    head = {"type": "http.response.start", "status": status, "headers": [*headers, *length]}
    parts = [{"type": "http.response.body", "body": body, "more_body": True} for body in bodies]
    parts[-1]["more_body"] = False
    for messages in ([head, *parts], [head, head], parts, [head, *parts, *parts]):
        ours, theirs = (
            asyncio.run(_sent(kind, [dict(message) for message in messages], method=method, keep_alive=keep))
            for kind in (Cycle, RequestResponseCycle)
        )
        assert ours == theirs
