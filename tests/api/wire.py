"""What upstreams say and what clients read, as bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.providers.upstream import answer, head, sse

if TYPE_CHECKING:
    from httpx import Response


def completion(text: str | None, status: str = "200 OK", **more: Any) -> bytes:
    """Write an OpenAI chat completion with 10 tokens in and 2 out; `more` goes into its message."""
    message = {"role": "assistant", "content": text} | more
    finish = "tool_calls" if "tool_calls" in more else "stop"
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "served",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
    }
    return answer(json.dumps(body).encode(), status)


def deltas(*said: str | dict[str, Any]) -> list[bytes]:
    """Write OpenAI chunks, one for each text or delta, without the end of the stream."""
    listed = [{"content": each} if isinstance(each, str) else each for each in said]
    return [_data({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}) for delta in listed]


def streamed(*said: str | dict[str, Any], finish: str = "stop") -> bytes:
    """Write a whole OpenAI event stream of texts or deltas."""
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    end = _data({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}], "usage": usage})
    return sse(*deltas(*said), end, b"data: [DONE]\n\n")


def stream_start(*texts: str) -> bytes:
    """Write the beginning of an event stream that goes on."""
    events = b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in deltas(*texts))
    return head(content_type="text/event-stream", transfer_encoding="chunked") + events


def chunks(response: Response) -> list[dict[str, Any]]:
    """Decode the JSON events of a stream, in order; heartbeats and `[DONE]` are left out."""
    events = [line.removeprefix("data: ") for line in response.text.split("\n") if line.startswith("data: ")]
    return [json.loads(event) for event in events if event != "[DONE]"]


def error(response: Response) -> tuple[int, str]:
    """Status and code of an error answer, after a look at the whole envelope."""
    body = response.json()
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["detail"] == {"error": body["error"]["code"], "message": body["error"]["message"]}
    assert body["error"]["message"].endswith((".", ")"))
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    return response.status_code, body["error"]["code"]


def _data(event: dict[str, Any]) -> bytes:
    whole = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "served"} | event
    return b"data: " + json.dumps(whole).encode() + b"\n\n"
