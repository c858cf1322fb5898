"""What the chunks of a stream show of an answer's pieces."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from prysm.api.chunks import ChunkWriter
from prysm.core.chat import TextDelta, ThinkingDelta, TokenLogprob, ToolCallDelta, TopLogprob

if TYPE_CHECKING:
    from prysm.core.chat import Piece

TOKEN = TokenLogprob("Hi", -0.5, (72, 105), (TopLogprob("Ho", -1.0),))


def shown(*pieces: Piece, logprobs: bool = False) -> list[dict[str, Any]]:
    writer = ChunkWriter(UUID(int=0), events=False, usage=False, trace=False, logprobs=logprobs, legacy=False)
    raw = b"".join(writer.piece(piece, 0) for piece in pieces)
    chunks = [json.loads(line.removeprefix("data: ")) for line in raw.decode().split("\n\n") if line]
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    return [chunk["choices"][0] for chunk in chunks[1:]]


def test_log_probabilities_are_shown_to_who_asked_for_them() -> None:
    [told], [untold] = (
        shown(TextDelta("Hi", logprobs=(TOKEN,)), logprobs=True),
        shown(TextDelta("Hi", logprobs=(TOKEN,))),
    )
    token = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105]}
    top = [{"token": "Ho", "logprob": -1.0, "bytes": None}]
    assert told["logprobs"] == {"content": [token | {"top_logprobs": top}], "refusal": None}
    assert (told["delta"], untold["delta"], untold["logprobs"]) == ({"content": "Hi"}, {"content": "Hi"}, None)


def test_the_log_probabilities_of_a_refusal_stand_under_its_name() -> None:
    [told] = shown(TextDelta("Hi", refusal=True, logprobs=(TOKEN,)), logprobs=True)
    assert told["delta"] == {"refusal": "Hi"}
    assert (told["logprobs"]["content"], len(told["logprobs"]["refusal"])) == (None, 1)


@pytest.mark.parametrize(
    ("piece", "delta"),
    [
        (ThinkingDelta("hm"), {"reasoning_content": "hm"}),
        (
            ToolCallDelta(0, "{", "c1", "now", signature="c2VhbA=="),
            {
                "tool_calls": [
                    {
                        "index": 0,
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "now", "arguments": "{"},
                        "extra_content": {"google": {"thought_signature": "c2VhbA=="}},
                    }
                ]
            },
        ),
        (ToolCallDelta(0, "}"), {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]}),
        (ToolCallDelta(1, "ls", custom=True), {"tool_calls": [{"index": 1, "custom": {"input": "ls"}}]}),
        (
            ToolCallDelta(0, "", signature="c2VhbA=="),
            {
                "tool_calls": [
                    {
                        "index": 0,
                        "function": {"arguments": ""},
                        "extra_content": {"google": {"thought_signature": "c2VhbA=="}},
                    }
                ]
            },
        ),
    ],
)
def test_a_piece_is_the_delta_that_openai_documents(piece: Piece, delta: dict[str, Any]) -> None:
    assert shown(piece)[0]["delta"] == delta
