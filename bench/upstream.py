"""A model provider that costs next to nothing: it answers every OpenAI chat completion with the same bytes.

A streamed answer leaves chunk after chunk. Run as `python -m bench.upstream PORT`.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, cast

import orjson
import uvloop

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWER = {
    "id": "chatcmpl-0001",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": "fake",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "The capital of France is Paris. It has been the seat of government, with "
                "interruptions, since Hugh Capet made the city his own in the year 987.",
            },
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 24, "completion_tokens": 31, "total_tokens": 55},
    "system_fingerprint": "fp_0001",
}
BODY = orjson.dumps(ANSWER)
RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)
CHUNK = {key: ANSWER[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
WORDS = [f"word{i} " for i in range(50)]
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
PACES_S = {"drip": 0.02, "slow": 0.25}
"""Models that pause after each chunk; the others send all at once."""
END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"content-length:"


class Upstream(asyncio.Protocol):
    """One connection; reads as much HTTP/1.1 as it takes to know where a request ends."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is there as a whole."""
        self._received += data
        while (end := _end_of_request(self._received)) is not None:
            request, self._received = self._received[:end], self._received[end:]
            if b'"stream":true' in request:
                pace = next((pace for model, pace in PACES_S.items() if b'"%s"' % model.encode() in request), 0.0)
                self._stream(iter(PARTS), pace)
            else:
                self._transport.write(RESPONSE)

    def _stream(self, parts: Iterator[bytes], pace_s: float) -> None:
        for part in parts:
            if self._transport.is_closing():
                return
            self._transport.write(part)
            if pace_s:
                asyncio.get_running_loop().call_later(pace_s, self._stream, parts, pace_s)
                return


def _stream() -> Iterator[bytes]:
    """The writes of a streamed answer: a chunk each, but for the end, which is one."""
    yield STREAM_HEAD + _chunk({"role": "assistant", "content": ""})
    for word in WORDS:
        yield _chunk({"content": word})
    usage = {"prompt_tokens": 24, "completion_tokens": len(WORDS), "total_tokens": 24 + len(WORDS)}
    end = _chunk({}, "stop") + _framed(CHUNK | {"choices": [], "usage": usage})
    yield end + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


def _chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    return _framed(CHUNK | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def _framed(chunk: dict[str, object]) -> bytes:
    event = b"data: %s\n\n" % orjson.dumps(chunk)
    return b"%x\r\n%s\r\n" % (len(event), event)


PARTS = list(_stream())


def _end_of_request(received: bytes) -> int | None:
    """Where the first request in `received` ends, or None while it is incomplete."""
    head, found, rest = received.partition(END_OF_HEAD)
    if not found:
        return None
    length = next((int(line[len(LENGTH) :]) for line in head.lower().split(b"\r\n") if line.startswith(LENGTH)), 0)
    return len(head) + len(END_OF_HEAD) + length if len(rest) >= length else None


async def _serve(port: int) -> None:
    async with await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
