"""The Gemini generateContent format. https://ai.google.dev/api/generate-content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from prysm.core.chat import TextDelta, ThinkingDelta, ToolCallDelta
from prysm.core.content import Thinking, ToolCall
from prysm.providers.adapter import Adapter, Draft
from prysm.providers.failures import Unusable
from prysm.providers.fields import optional
from prysm.providers.gemini_answer import assemble, candidate, check, pieces, usage
from prysm.providers.gemini_embeddings import GEMINI_EMBEDDINGS
from prysm.providers.gemini_request import request
from prysm.providers.logprobs import of_gemini, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.core.chat import Completion, ModelCall, TokenLogprob, Usage


class GeminiDraft(Draft):
    """A streamed answer: each chunk is a response, the last one has the finish reason, no `[DONE]` follows."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, Any] = {}
        self._reason: object = None
        self._thoughts: list[str] = []
        self._calls: list[ToolCall] = []
        self._logprobs: list[TokenLogprob | None] = []

    def add(self, chunk: dict[str, Any]) -> None:
        """Take one `GenerateContentResponse`."""
        check(chunk)
        self._last |= chunk
        if chunk.get("candidates"):
            self._answer(candidate(chunk))

    def _answer(self, answer: dict[str, Any]) -> None:
        if answer.get("finishReason") is not None:
            self._reason = answer["finishReason"]
        for piece in pieces(answer, len(self._calls), self._last):
            match piece:
                case str():
                    self.said(piece)
                case Thinking():
                    self._thoughts.append(piece.text)
                    self.brought(ThinkingDelta(piece.text))
                case ToolCall():
                    self._call(piece)
        if "logprobsResult" in answer:
            self._rate(of_gemini(answer))

    def _call(self, call: ToolCall) -> None:
        index = len(self._calls)
        self._calls.append(call)
        self.brought(ToolCallDelta(index, call.arguments, call.id, call.name, signature=call.signature))

    def _rate(self, told: list[TokenLogprob | None]) -> None:
        """Send the chunk's text on with its log probabilities."""
        self._logprobs += told
        if known := whole(told):
            text = "".join(self._unsent)
            self._unsent.clear()
            self.brought(TextDelta(text, logprobs=known))

    def told(self) -> Usage | None:
        """The tokens of the last chunk that had them."""
        block = optional(self._last.get("usageMetadata"))
        return usage(block) if block else None

    def completion(self) -> Completion:
        """Close the draft; a stream that ended before its finish reason was cut."""
        if self._reason is None:
            raise Unusable("truncated", "ended its stream before the answer was finished; try again")
        return self.answer()

    def answer(self) -> Completion:
        """Put together what came; raise `Unusable` when its finish reason is none."""
        return assemble(
            self._last,
            self._reason,
            text=self.text,
            thoughts="".join(self._thoughts),
            calls=self._calls,
            logprobs=self._logprobs,
        )


class GeminiProvider(Adapter):
    """`POST {base_url}/models/{model}:generateContent`, `:streamGenerateContent?alt=sse` or `:batchEmbedContents`."""

    draft = GeminiDraft
    embeddings = GEMINI_EMBEDDINGS

    @staticmethod
    def headers(key: str | None) -> Mapping[str, str]:
        """Carry the key in a header, never in the URL."""
        return {"x-goog-api-key": key} if key else {}

    @staticmethod
    def path(call: ModelCall, *, stream: bool) -> str:
        """Return the path, which names the model and the method."""
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return f"/models/{quote(call.model.upstream, safe='')}:{method}"

    @staticmethod
    def to_wire(call: ModelCall, *, stream: bool) -> dict[str, Any]:  # noqa: ARG004 - the path asks for the stream
        """Write a generateContent request."""
        return request(call)

    @staticmethod
    def from_wire(data: dict[str, Any]) -> Completion:
        """Read a `GenerateContentResponse`: a stream of one chunk, which has to have a candidate."""
        draft = GeminiDraft()
        draft.add(data)
        candidate(data)
        return draft.answer()
