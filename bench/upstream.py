"""A model provider that costs next to nothing: it answers every OpenAI chat completion with the same bytes.

Run as `python -m bench.upstream PORT`.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import orjson
import uvloop

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
            self._received = self._received[end:]
            self._transport.write(RESPONSE)


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
