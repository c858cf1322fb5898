"""The OpenAI chat-completions format, which most vendors and local servers speak.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prysm.providers.adapter import Adapter
from prysm.providers.openai_embeddings import OPENAI_EMBEDDINGS
from prysm.providers.openai_request import request
from prysm.providers.openai_stream import OpenAIDraft

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.core.chat import Completion, ModelCall


class OpenAIProvider(Adapter):
    """`POST {base_url}/chat/completions`, or `/embeddings`."""

    draft = OpenAIDraft
    embeddings = OPENAI_EMBEDDINGS
    end_of_stream = b"[DONE]"

    @staticmethod
    def headers(key: str | None) -> Mapping[str, str]:
        """Carry the key as a bearer token; local servers need none."""
        return {"authorization": f"Bearer {key}"} if key else {}

    @staticmethod
    def path(call: ModelCall, *, stream: bool) -> str:  # noqa: ARG004 - one path for every call of this format
        """Return the one path of this format."""
        return "/chat/completions"

    @staticmethod
    def to_wire(call: ModelCall, *, stream: bool) -> dict[str, Any]:
        """Write a chat-completions request."""
        return request(call, stream=stream)

    @staticmethod
    def from_wire(data: dict[str, Any]) -> Completion:
        """Read a `chat.completion`."""
        draft = OpenAIDraft()
        draft.add_whole(data)
        return draft.completion()


class GoogleCompatible(OpenAIProvider):
    """Google's own hosts of the format, which want their seals on tool calls back.

    https://ai.google.dev/gemini-api/docs/thought-signatures
    """

    @staticmethod
    def to_wire(call: ModelCall, *, stream: bool) -> dict[str, Any]:
        """Write a chat-completions request with the seals that Gemini put on its calls."""
        return request(call, stream=stream, seals=True)
